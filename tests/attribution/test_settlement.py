"""Settling orders in the database: credits follow the ledger, whatever came first."""

import pytest
from builders_database import NOW, add_shop
from builders_histories import KEYRING, a_token
from builders_orders import a_delivery, a_line, a_refund, a_refund_line, an_edit, an_order, at

from shopify_upsell.attribution.settle import Settlement, settle_order, settle_orders
from shopify_upsell.attribution.store import (
    Changeset,
    changesets_of_order,
    confirm_changeset,
    credit_totals,
    credits_of_order,
    find_changeset,
    save_changeset,
    touches_of,
)
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import ConflictingRequest, InvalidInput, NotFound
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.store import ledger_totals


def place(session, shop_id, order_id, lines, **given):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(order_id, lines, **given)))


def direct(session, shop_id, order_id):
    return [
        (part.line_id, part.amount)
        for part in credits_of_order(session, shop_id, order_id)
        if part.credit_class == "direct"
    ]


def reasons(session, shop_id, order_id):
    return [part.reason for part in credits_of_order(session, shop_id, order_id)]


def a_changeset(**given):
    return Changeset(
        **{
            "changeset_id": "c1",
            "reference_id": "checkout-1",
            "decision_id": "e" * 32,
            "offer_id": 9,
            "offer_kind": "cross_sell",
            "variant_id": 2001,
            "quantity": 1,
            "signed_at": NOW,
            **given,
        }
    )


def a_touch(**given):
    return Touch(
        **{
            "decision_id": "d" * 32,
            "offer_id": 12,
            "variant_id": 0,
            "kind": "click",
            "placement": "theme/cart",
            "occurred_at": NOW,
            **given,
        }
    )


def test_a_credit_follows_refunds_and_cancellation_down_to_nothing(session, shop_id):
    place(session, shop_id, 1, [a_line(quantity=2, variant_id=2001, token=a_token(shop_id))])

    assert settle_order(session, shop_id, 1, KEYRING) == [1]
    assert settle_order(session, shop_id, 1, KEYRING) == []
    assert direct(session, shop_id, 1) == [(11, 2000)]

    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")])
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, 1, KEYRING)
    assert direct(session, shop_id, 1) == [(11, 1000)]

    place(session, shop_id, 1, [a_line(quantity=2)], updated_at=at(9), cancelled_at=at(9))
    settle_order(session, shop_id, 1, KEYRING)
    assert credits_of_order(session, shop_id, 1) == []


def test_the_job_settles_the_order_it_is_about(session, shop_id):
    place(session, shop_id, 1, [a_line()])
    job = Job(1, shop_id, "settle_order", {"subject_id": 1}, 1, "t", NOW)

    first = Settlement(KEYRING).settle(session, [job])
    again = Settlement(KEYRING).settle(session, [job])

    assert [(one.name, one.subject_id) for one in first] == [("order_settled", 1)]
    assert list(again) == []
    assert reasons(session, shop_id, 1) == ["no_token"]


def test_settling_an_order_that_is_not_known_yet_does_nothing(session, shop_id):
    assert settle_order(session, shop_id, 404, KEYRING) == []


@pytest.mark.parametrize("turn", [(1, 2), (2, 1)])
def test_a_token_on_two_orders_credits_the_earlier_whichever_is_settled_first(session, shop_id, turn):
    token = a_token(shop_id)
    moments = {1: at(1), 2: at(2)}
    for order_id in turn:
        line = a_line(order_id * 10, variant_id=2001, token=token)
        place(session, shop_id, order_id, [line], ordered_at=moments[order_id])
        settle_order(session, shop_id, order_id, KEYRING)

    assert direct(session, shop_id, 1) == [(10, 1000)]
    assert (direct(session, shop_id, 2), reasons(session, shop_id, 2)) == ([], ["token_used_elsewhere"])


def test_when_the_earlier_order_is_cancelled_the_token_passes_to_the_later(session, shop_id):
    token = a_token(shop_id)
    for order_id in (1, 2):
        place(
            session, shop_id, order_id, [a_line(order_id * 10, variant_id=2001, token=token)], ordered_at=at(order_id)
        )
        settle_order(session, shop_id, order_id, KEYRING)

    place(session, shop_id, 1, [a_line(10, variant_id=2001, token=token)], updated_at=at(9), cancelled_at=at(9))

    assert settle_order(session, shop_id, 1, KEYRING) == [1, 2]
    assert direct(session, shop_id, 2) == [(20, 1000)]


def test_a_token_copied_from_another_shop_earns_nothing_here(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    place(session, shop_id, 1, [a_line(variant_id=2001, token=a_token(other))])
    settle_order(session, shop_id, 1, KEYRING)

    assert reasons(session, shop_id, 1) == ["foreign_shop"]


def test_many_orders_settle_at_once_as_one_by_one(session, shop_id):
    token = a_token(shop_id)
    for order_id in range(1, 8):
        place(session, shop_id, order_id, [a_line(order_id * 10, variant_id=2001, token=token)])

    assert settle_orders(session, shop_id, range(1, 8), KEYRING) == list(range(1, 8))

    assert [direct(session, shop_id, key) for key in (1, 2)] == [[(10, 1000)], []]
    totals = credit_totals(session, shop_id)
    assert [(part.credit_class, part.book, part.line_count, part.amount) for part in totals] == [
        ("direct", "cross_sell", 1, 1000),
        ("unattributed", None, 6, 6000),
    ]
    assert sum(part.amount for part in totals) == ledger_totals(session, shop_id)[0].ledger


def test_a_post_purchase_line_is_credited_through_the_checkout_it_was_signed_for(session, shop_id):
    save_changeset(session, shop_id, a_changeset())
    edit = an_edit(added={12: 1})
    intake.record_order_edit(session, a_delivery(shop_id, "orders/edited", edit))
    place(session, shop_id, 1, [a_line(), a_line(12, variant_id=2001, price="7.50")])
    settle_order(session, shop_id, 1, KEYRING)

    assert direct(session, shop_id, 1) == [(12, 750)]


def test_a_changeset_that_shopify_tied_to_an_order_counts_there_and_nowhere_else(session, shop_id):
    save_changeset(session, shop_id, a_changeset(reference_id="checkout-2"))
    assert confirm_changeset(session, shop_id, 1, "c1") is True
    assert confirm_changeset(session, shop_id, 1, "c1") is False
    for order_id in (1, 2):
        added = order_id * 10 + 2
        edit = an_edit(90 + order_id, order_id, added={added: 1})
        intake.record_order_edit(session, a_delivery(shop_id, "orders/edited", edit))
        place(session, shop_id, order_id, [a_line(added, variant_id=2001)])
        settle_order(session, shop_id, order_id, KEYRING)

    assert [direct(session, shop_id, order_id) for order_id in (1, 2)] == [[(12, 1000)], []]
    with pytest.raises(ConflictingRequest):
        confirm_changeset(session, shop_id, 2, "c1")


def test_a_changeset_is_kept_once_a_reference_and_offer_and_answered_alike_again(session, shop_id):
    first = save_changeset(session, shop_id, a_changeset())

    assert save_changeset(session, shop_id, a_changeset(changeset_id="c2", signed_at=at(0))) == first
    assert first.changeset_id == "c1"
    with pytest.raises(ConflictingRequest):
        save_changeset(session, shop_id, a_changeset(changeset_id="c3", quantity=2))
    with pytest.raises(ConflictingRequest):
        save_changeset(session, shop_id, a_changeset(reference_id="checkout-9"))
    assert [find_changeset(session, shop_id, key) for key in ("c1", "c2", "c3")] == [first, None, None]
    assert changesets_of_order(session, shop_id, 1, "checkout-1") == [first]


def test_changesets_of_another_shop_are_not_found(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    save_changeset(session, other, a_changeset())

    assert find_changeset(session, shop_id, "c1") is None
    with pytest.raises(NotFound):
        confirm_changeset(session, shop_id, 1, "c1")
    assert changesets_of_order(session, shop_id, 1, "checkout-1") == []


def test_a_touchpoint_is_kept_once(session, shop_id):
    other = add_shop(session, "two.myshopify.com")

    assert record_touchpoint(session, shop_id, a_touch()) is True
    assert record_touchpoint(session, shop_id, a_touch(occurred_at=at(0))) is False
    assert record_touchpoint(session, shop_id, a_touch(kind="accept", variant_id=2001)) is True
    assert record_touchpoint(session, other, a_touch()) is True

    assert [touch.kind for touch in touches_of(session, shop_id, ["d" * 32])] == ["accept", "click"]


def test_a_kind_of_touchpoint_that_nobody_knows_is_refused(session, shop_id):
    with pytest.raises(InvalidInput):
        record_touchpoint(session, shop_id, a_touch(kind="purchase"))

    assert touches_of(session, shop_id, ["d" * 32]) == []
