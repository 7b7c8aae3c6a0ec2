"""Builders of a shop with a past: customers who ordered over months, for tests that replay it."""

from dataclasses import replace
from datetime import timedelta

from builders_database import NOW
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion, a_product, add_products, variant_id_of

from shopify_upsell.core import digest_of
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow
from shopify_upsell.matrix.store import MatrixBuild, replace_rows
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import save_offer
from shopify_upsell.offers.terms import Terms

PURPOSE = Terms(objective="Sell wax with boots", hypothesis="Boots last longer", primary_metric="attach_rate")

A_DRAFT = OfferDraft(
    kind="cross_sell",
    name="Wax with boots",
    placements=("theme/product_page", "theme/cart"),
    anchors=(BOOTS,),
    companions=(WAX, LACES),
    state="draft",
    terms=replace(PURPOSE, needs_positive_signal=False),
)
"""An offer that a merchant wrote and nobody has seen."""


def plant_past(session, shop_id, *, orders=(), now=NOW):
    """Boots with socks beside them, an automatic offer that is live, and past orders; the id of that offer."""
    add_products(session, shop_id, *(a_product(number) for number in (BOOTS, SOCKS, WAX, LACES)))
    rows = {BOOTS: (a_companion(SOCKS, 0.3),), SOCKS: (a_companion(BOOTS, 0.3), a_companion(WAX, 0.2))}
    replace_rows(session, shop_id, MatrixBuild(1, now - timedelta(days=200), 1000, 4, 2), rows)
    placements = ("theme/product_page", "theme/cart", "post_purchase/offer")
    live = save_offer(session, shop_id, OfferDraft("cross_sell", "Beside it", placements), now=now)
    for order in orders:
        add_past_order(session, shop_id, *order)
    return live.offer_id


def add_past_order(session, shop_id, order_id, ordered_at, customer_id, products):
    """Store a booked order with one line a product."""
    session.add(
        OrderRow(
            shop_id=shop_id,
            order_id=order_id,
            ordered_at=ordered_at,
            is_booked=True,
            financial_status="paid",
            currency="USD",
            presentment_currency="USD",
            customer_id=customer_id,
            version_at=ordered_at,
            version_triggered_at=ordered_at,
            version_digest=digest_of(order_id),
        )
    )
    for position, product in enumerate(products, 1):
        session.add(
            OrderLineRow(
                shop_id=shop_id,
                order_id=order_id,
                line_id=order_id * 100 + position,
                position=position,
                product_id=product,
                variant_id=variant_id_of(product),
                quantity=1,
                net_quantity=1,
                unit_price_minor_units=2000,
                gross_minor_units=2000,
                discount_minor_units=0,
                tax_minor_units=0,
                net_minor_units=2000,
            )
        )
    session.flush()


def some_orders(count=60, *, customers=9, now=NOW):
    """Orders over five months by a few customers and some guests, the earliest first, several on one day."""
    baskets = ((BOOTS,), (BOOTS, SOCKS), (SOCKS,), (BOOTS, LACES), (WAX, BOOTS), (BOOTS,), (LACES,))
    start = now - timedelta(days=150)
    return [
        (
            number,
            start + timedelta(days=150 * number // (count + 1), hours=2 * (number % 5), minutes=number),
            None if number % 10 == 0 else 100 + (number // 2) % customers,
            baskets[number % len(baskets)],
        )
        for number in range(1, count + 1)
    ]
