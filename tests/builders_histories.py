"""Hypothesis strategies for histories: what Shopify may tell about a few orders, in no particular order."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from builders_orders import (
    ORDERED_AT,
    a_delivery,
    a_line,
    a_product,
    a_refund,
    a_refund_line,
    a_variant,
    an_edit,
    an_order,
    at,
)
from hypothesis import strategies as st

from shopify_upsell.attribution.token import OfferClaim, TokenRefusal, read_token, write_token
from shopify_upsell.core import DecisionId, OfferId, ShopId, VariantId
from shopify_upsell.keyring import Keyring

KEYRING = Keyring(("k" * 32,))
ORDER_IDS, LINE_NUMBERS, VARIANTS = (1, 2, 3), (1, 2, 3), (2001, 2002)

minutes = st.integers(0, 6)
cents = st.integers(0, 3000).map(lambda units: f"{units / 100:.2f}")


@dataclass(frozen=True)
class Told:
    """One thing Shopify says: the topic, the document, and when it was triggered."""

    topic: str
    document: dict
    minute: int


def a_claim(shop_id, *, variant_id=2001, nonce="n", **changes):
    """A claim on one variant, valid for thirty days after the orders were placed."""
    given = {
        "shop_id": ShopId(shop_id),
        "decision_id": DecisionId("d" * 32),
        "offer_id": OfferId(12),
        "variant_id": VariantId(variant_id),
        "max_quantity": 2,
        "expires_at": ORDERED_AT + timedelta(days=30),
        "nonce": nonce,
        "book": "cross_sell",
        "placement": "theme/product_page",
        **changes,
    }
    return OfferClaim(**given)


def a_token(shop_id, **changes):
    """A genuine token of the shop."""
    key = KEYRING.signing_keys("offer_token", ShopId(shop_id))[0]
    token = write_token(a_claim(shop_id, **changes), key)
    assert not isinstance(read_token(token, (key,)), TokenRefusal)
    return token


@cache
def tokens(shop_id):
    """Few tokens, so that orders share them: genuine ones, an expired, an up-sell's, a forged one."""
    return st.sampled_from(
        [
            None,
            a_token(shop_id, nonce="a"),
            a_token(shop_id, nonce="b", max_quantity=1),
            a_token(shop_id, nonce="c", expires_at=at(2)),
            a_token(shop_id, nonce="d", book="up_sell", replaced_unit_minor_units=400),
            a_token(shop_id, nonce="a")[:-1] + "A",
        ]
    )


@cache
def lines_of(order_id, shop_id):
    """Lines of an order, any of a few."""
    one = st.builds(
        lambda number, quantity, gone, price, token, variant_id: a_line(
            order_id * 10 + number,
            quantity=quantity,
            current_quantity=max(0, quantity - gone),
            price=price,
            token=token,
            variant_id=variant_id,
        ),
        st.sampled_from(LINE_NUMBERS),
        st.integers(0, 4),
        st.integers(0, 2),
        cents,
        tokens(shop_id),
        st.sampled_from(VARIANTS),
    )
    return st.lists(one, max_size=3, unique_by=lambda line: line["id"])


@st.composite
def refunds(draw, order_id):
    """A refund of an order, with few ids so that some clash."""
    line = st.builds(
        a_refund_line, st.sampled_from([order_id * 10 + n for n in LINE_NUMBERS]), st.integers(0, 2), cents
    )
    return a_refund(
        order_id * 100 + draw(st.integers(1, 2)),
        order_id,
        draw(st.lists(line, max_size=2)),
        refunded_at=at(draw(minutes)),
        discrepancy=draw(st.one_of(st.none(), cents, cents.map("-{}".format))),
        paid=draw(st.one_of(st.none(), cents)),
    )


@st.composite
def told(draw, shop_id):
    """One thing that may be said about one order or product."""
    order_id, minute = draw(st.sampled_from(ORDER_IDS)), draw(minutes)
    kind = draw(st.sampled_from(["order", "order", "order", "refund", "edit", "deletion", "product"]))
    if kind == "refund":
        return Told("refunds/create", draw(refunds(order_id)), minute)
    if kind == "edit":
        changes = st.dictionaries(
            st.sampled_from([order_id * 10 + n for n in LINE_NUMBERS]), st.integers(1, 2), max_size=2
        )
        edit = an_edit(
            order_id * 1000 + draw(st.integers(1, 2)), order_id,
            added=draw(changes), removed=draw(changes), committed_at=at(draw(minutes)),
        )  # fmt: skip
        return Told("orders/edited", edit, minute)
    if kind == "deletion":
        return Told("orders/delete", {"id": order_id}, minute)
    if kind == "product":
        return draw(products(minute))
    order = an_order(
        order_id,
        draw(lines_of(order_id, shop_id)),
        ordered_at=at(draw(minutes)),
        updated_at=at(draw(minutes)),
        cancelled_at=draw(st.sampled_from([None, None, None, at(5)])),
        financial_status=draw(st.sampled_from(["paid", "paid", "paid", "pending", "refunded"])),
        customer_id=draw(st.sampled_from([None, 5, 6])),
        checkout_token=draw(st.sampled_from([None, "checkout-a", "checkout-b"])),
        taxes_included=draw(st.booleans()),
        refunds=draw(st.lists(refunds(order_id), max_size=2, unique_by=lambda refund: refund["id"])),
    )
    return Told("orders/updated", order, minute)


def products(minute):
    """A version of a product, or its deletion."""
    variants = st.lists(
        st.builds(a_variant, st.sampled_from(VARIANTS), price=cents), max_size=2, unique_by=lambda one: one["id"]
    )
    version = st.builds(
        lambda updated, some: Told("products/update", a_product(7, updated_at=at(updated), variants=some), minute),
        minutes,
        variants,
    )
    return st.one_of(version, version, st.just(Told("products/delete", {"id": 7}, minute)))


def delivery_of(shop_id, said):
    """The delivery that says it."""
    return a_delivery(ShopId(shop_id), said.topic, said.document, triggered_at=at(said.minute))
