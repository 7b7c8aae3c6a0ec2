"""Settling writes a journal beside the credits: their sums agree, whatever came in which turn."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_histories import KEYRING, a_token
from builders_orders import ORDERED_AT, a_delivery, a_line, a_refund, a_refund_line, an_edit, an_order, at
from sqlalchemy import select, update

from shopify_upsell.attribution.journal import (
    EVENT_TIME,
    ORDER_TIME,
    balances_of_orders,
    posting_totals,
    postings_of_order,
)
from shopify_upsell.attribution.journeys import forget_touches_of, journeys_since
from shopify_upsell.attribution.models.chain import Journey
from shopify_upsell.attribution.refit import fit_at, refit_models
from shopify_upsell.attribution.settle import settle_order, settle_orders
from shopify_upsell.attribution.store import Changeset, credit_totals, credits_of_order, save_changeset, touches_of
from shopify_upsell.attribution.tables import CreditPathRow, CreditPostingRow, PostedFactsRow, TouchpointRow
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import InvalidInput
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.tables import OrderRow

DECISION = "d" * 32


def place(session, shop_id, order_id=1, lines=None, **given):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(order_id, lines, **given)))


def a_sale(session, shop_id, order_id=1, **given):
    """One line of 10.00 with a token, and one of 5.00 without."""
    token = a_token(shop_id, nonce=str(order_id))
    place(session, shop_id, order_id, [
        a_line(order_id * 10 + 1, variant_id=2001, product_id=7, token=token),
        a_line(order_id * 10 + 2, variant_id=2002, product_id=8, price="5.00"),
    ], **given)  # fmt: skip


def touch(session, shop_id, hours, kind="click", **given):
    record_touchpoint(
        session,
        shop_id,
        Touch(
            **{
                "decision_id": DECISION,
                "offer_id": 12,
                "variant_id": 0,
                "kind": kind,
                "placement": "theme/product_page",
                "occurred_at": ORDERED_AT - timedelta(hours=hours),
                "unit": "v:robin",
                "book": "cross_sell",
                "product_ids": (7,),
                **given,
            }
        ),
    )


def entries(session, shop_id, order_id=1):
    return [
        (p.sequence, p.account.line_id, p.account.credit_class, p.account.channel, p.change.amount, p.source_key)
        for p in postings_of_order(session, shop_id, order_id)
    ]


def sums(session, shop_id, order_id=1):
    found = {}
    for account, balance in balances_of_orders(session, shop_id, [order_id]).get(order_id, {}).items():
        key = (account.line_id, account.credit_class)
        found[key] = found.get(key, 0) + balance.amount
    return found


def credited(session, shop_id, order_id=1):
    parts = credits_of_order(session, shop_id, order_id)
    return {(part.line_id, part.credit_class): part.amount for part in parts if part.amount}


def test_a_touch_keeps_who_did_it_and_what_it_was_about(session, shop_id):
    touch(session, shop_id, 1, cart_token="cart-1")

    (found,) = touches_of(session, shop_id, [DECISION])

    assert (found.unit, found.cart_token, found.book, found.product_ids) == ("v:robin", "cart-1", "cross_sell", (7,))
    assert found.channel == "theme"


def test_a_direct_line_is_posted_over_every_surface_that_its_shopper_met(session, shop_id):
    touch(session, shop_id, 50, placement="email/next_best", decision_id="a" * 32)
    touch(session, shop_id, 2, placement="theme/cart", decision_id="b" * 32)
    touch(session, shop_id, 1)
    touch(session, shop_id, 1, unit="v:somebody", decision_id="c" * 32)
    other = add_shop(session, "two.myshopify.com")
    touch(session, other, 3, placement="email/other", decision_id="e" * 32)
    a_sale(session, shop_id)

    settle_order(session, shop_id, 1, KEYRING)

    assert sorted(entries(session, shop_id), key=str) == [
        (1, 11, "direct", "cart", 333, "order"),
        (1, 11, "direct", "email", 334, "order"),
        (1, 11, "direct", "theme", 333, "order"),
        (1, 12, "unattributed", None, 500, "order"),
    ]
    assert sums(session, shop_id) == credited(session, shop_id)


def test_settling_again_posts_nothing_and_a_refund_posts_the_difference_at_its_own_time(session, shop_id):
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    settle_order(session, shop_id, 1, KEYRING)
    assert len(entries(session, shop_id)) == 2

    refund = a_refund(lines=[a_refund_line(11, 1, "4.00")], refunded_at=at(60 * 24 * 40))
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, 1, KEYRING)

    (latest,) = [posting for posting in postings_of_order(session, shop_id, 1) if posting.sequence == 2]
    assert (latest.account.line_id, latest.change.amount, latest.source_key) == (11, -400, "refund:71")
    assert (latest.ordered_at, latest.occurred_at) == (ORDERED_AT, at(60 * 24 * 40))
    assert sums(session, shop_id) == credited(session, shop_id) == {(11, "direct"): 600, (12, "unattributed"): 500}


def test_a_refund_that_comes_late_is_dated_when_it_was_made_not_when_it_came(session, shop_id):
    a_sale(session, shop_id)
    for number, minutes in ((72, 90), (71, 30)):
        refund = a_refund(number, lines=[a_refund_line(11, 0, "1.00")], refunded_at=at(minutes))
        intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
        settle_order(session, shop_id, 1, KEYRING)

    late = postings_of_order(session, shop_id, 1)[-1]
    assert (late.source_key, late.occurred_at, late.change.amount) == ("refund:71", at(30), -100)


def test_both_datings_add_up_and_differ_by_month(session, shop_id):
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    december = ORDERED_AT + timedelta(days=40)
    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")], refunded_at=december)
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, 1, KEYRING)

    def direct(**given):
        found = posting_totals(session, shop_id, **given)
        return sum(total.amount for total in found if total.credit_class == "direct")

    cut = ORDERED_AT + timedelta(days=20)
    assert (direct(until=cut, dated=ORDER_TIME), direct(since=cut, dated=ORDER_TIME)) == (0, 0)
    assert (direct(until=cut, dated=EVENT_TIME), direct(since=cut, dated=EVENT_TIME)) == (1000, -1000)
    with pytest.raises(InvalidInput):
        posting_totals(session, shop_id, dated="some day")


def test_a_cancelled_order_is_posted_back_to_nothing(session, shop_id):
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    place(session, shop_id, 1, [a_line()], updated_at=at(9), cancelled_at=at(9))
    settle_order(session, shop_id, 1, KEYRING)

    assert balances_of_orders(session, shop_id, [1]) == {}
    assert sum(amount for *_, amount, _ in entries(session, shop_id)) == 0
    assert len(entries(session, shop_id)) == 4


def test_a_token_that_passes_to_another_order_is_posted_on_both(session, shop_id):
    token = a_token(shop_id)
    for order_id in (1, 2):
        place(
            session, shop_id, order_id, [a_line(order_id * 10, variant_id=2001, token=token)], ordered_at=at(order_id)
        )
        settle_order(session, shop_id, order_id, KEYRING)
    place(session, shop_id, 1, [a_line(10, variant_id=2001, token=token)], updated_at=at(9), cancelled_at=at(9))
    settle_order(session, shop_id, 1, KEYRING)

    latest = [posting for posting in postings_of_order(session, shop_id, 2) if posting.sequence == 2]
    assert {(p.account.credit_class, p.change.amount) for p in latest} == {("direct", 1000), ("unattributed", -1000)}
    assert {(p.source_key, p.occurred_at) for p in latest} == {("claims", at(9))}
    assert sums(session, shop_id, 2) == {(20, "direct"): 1000}


def test_a_line_is_assisted_by_the_customer_s_click_and_stays_out_of_what_offers_earned(session, shop_id):
    touch(session, shop_id, 30, unit="c:5", placement="email/next_best", product_ids=(8,), book="replenish")
    a_sale(session, shop_id, customer_id=5)
    settle_order(session, shop_id, 1, KEYRING)

    assert credited(session, shop_id) == {(11, "direct"): 1000, (12, "assisted"): 500}
    totals = {(total.credit_class, total.book): total.amount for total in credit_totals(session, shop_id)}
    assert totals == {("direct", "cross_sell"): 1000, ("assisted", "replenish"): 500}
    assert sums(session, shop_id) == credited(session, shop_id)
    assert (1, 12, "assisted", "email", 500, "order") in entries(session, shop_id)


def test_a_touch_in_the_same_cart_assists_and_one_in_another_does_not(session, shop_id):
    touch(session, shop_id, 2, unit=None, cart_token="cart-1", product_ids=(8,))
    touch(session, shop_id, 2, unit=None, cart_token="cart-9", product_ids=(8,), decision_id="z" * 32)
    for order_id in (1, 2):
        place(session, shop_id, order_id, [a_line(order_id * 10, product_id=8)])
        settle_order(session, shop_id, order_id, KEYRING)

    assert credited(session, shop_id, 1) == {(10, "assisted"): 1000}
    assert credited(session, shop_id, 2) == {(20, "unattributed"): 1000}


def test_a_post_purchase_line_has_only_touches_from_before_its_acceptance(session, shop_id):
    signed_at = at(5)
    save_changeset(
        session,
        shop_id,
        Changeset("c1", "checkout-1", "e" * 32, 9, "cross_sell", 2001, 1, signed_at),
    )
    about = {"decision_id": "e" * 32, "offer_id": 9, "placement": "post_purchase/offer"}
    touch(session, shop_id, -4 / 60, "impression", **about)
    touch(session, shop_id, -6 / 60, "accept", **about)
    touch(session, shop_id, -30 / 60, "click", **(about | {"placement": "thank_you/page", "decision_id": "f" * 32}))
    touch(session, shop_id, 24, decision_id="a" * 32, placement="email/next_best", product_ids=(7,))
    intake.record_order_edit(session, a_delivery(shop_id, "orders/edited", an_edit(added={12: 1}, committed_at=at(6))))
    place(session, shop_id, 1, [a_line(), a_line(12, variant_id=2001, product_id=7, price="7.50")])
    settle_order(session, shop_id, 1, KEYRING)

    channels = {channel: amount for _, line, _, channel, amount, _ in entries(session, shop_id) if line == 12}
    assert channels == {"email": 375, "post_purchase": 375}


def test_a_frozen_path_outlives_its_touches_and_later_ones_change_nothing(session, shop_id):
    touch(session, shop_id, 3, placement="email/next_best", decision_id="a" * 32)
    touch(session, shop_id, 1)
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    session.execute(TouchpointRow.__table__.delete())
    touch(session, shop_id, 2, placement="account/orders", decision_id="b" * 32)

    refund = a_refund(lines=[a_refund_line(11, 0, "5.00")])
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, 1, KEYRING)

    balances = balances_of_orders(session, shop_id, [1])[1]
    assert {account.channel: balance.amount for account, balance in balances.items() if account.line_id == 11} == {
        "email": 250,
        "theme": 250,
    }


def test_credits_from_before_the_journal_are_posted_when_their_order_is_settled_next(session, shop_id):
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    for table in (CreditPostingRow, PostedFactsRow, CreditPathRow):
        session.execute(table.__table__.delete())

    assert settle_order(session, shop_id, 1, KEYRING) == []

    assert sums(session, shop_id) == credited(session, shop_id)


def test_a_fit_is_a_version_and_lines_keep_the_one_that_was_newest_when_they_were_sold(session, shop_id):
    touch(session, shop_id, 3, placement="email/next_best", decision_id="a" * 32)
    touch(session, shop_id, 1)
    a_sale(session, shop_id)
    settle_orders(session, shop_id, [1], KEYRING, model="markov")
    assert {p.account.model_version for p in postings_of_order(session, shop_id, 1)} == {"markov/1.0", None}

    fits = refit_models(session, shop_id, now=at(10))
    again = refit_models(session, shop_id, now=at(20))
    a_sale(session, shop_id, 2, ordered_at=at(15))
    settle_orders(session, shop_id, [1, 2], KEYRING, model="markov")

    assert (fits["markov"].version, again["shapley"].version) == (1, 2)
    assert fit_at(session, shop_id, "markov", at(15)) == fits["markov"]
    assert {p.account.model_version for p in postings_of_order(session, shop_id, 1)} == {"markov/1.0", None}
    assert {p.account.model_version for p in postings_of_order(session, shop_id, 2)} == {"markov/1.1", None}


def test_a_shop_without_touches_has_nothing_to_fit(session, shop_id):
    assert refit_models(session, shop_id, now=NOW) == {}


def test_journeys_are_counted_by_shopper_and_convert_by_a_direct_credit(session, shop_id):
    touch(session, shop_id, 3, placement="email/next_best", decision_id="a" * 32)
    touch(session, shop_id, 1)
    touch(session, shop_id, 0.5, "accept")
    touch(session, shop_id, 2, unit="v:other", decision_id="b" * 32)
    touch(session, shop_id, 2, unit=None, decision_id="c" * 32)
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)

    found = journeys_since(session, shop_id, ORDERED_AT - timedelta(days=9))

    assert found == [Journey(("email", "theme"), 1, 0), Journey(("theme",), 0, 2)]


def test_a_forgotten_shopper_s_touches_stay_without_a_name(session, shop_id):
    touch(session, shop_id, 3, unit="c:5", cart_token="cart-1")
    touch(session, shop_id, 3, unit="c:6", decision_id="b" * 32)

    assert forget_touches_of(session, shop_id, ["c:5", "v:unknown"]) == 1

    names = session.execute(select(TouchpointRow.unit, TouchpointRow.cart_token).order_by(TouchpointRow.touchpoint_id))
    assert [tuple(row) for row in names] == [(None, None), ("c:6", None)]


def test_an_order_whose_date_is_corrected_moves_in_the_restated_view(session, shop_id):
    a_sale(session, shop_id)
    settle_order(session, shop_id, 1, KEYRING)
    session.execute(update(OrderRow).values(ordered_at=ORDERED_AT - timedelta(days=90)))

    assert posting_totals(session, shop_id, since=ORDERED_AT - timedelta(days=1)) == []
