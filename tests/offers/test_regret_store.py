"""What was taken is followed through refund, undo, cancellation and complaint, and the offer answers for it."""

from dataclasses import fields

import pytest
from builders_database import NOW, add_shop
from builders_histories import KEYRING, a_token
from builders_orders import a_delivery, a_line, a_refund, a_refund_line, an_edit, an_order, at
from sqlalchemy import func, select

from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.core import InvalidInput, NotFound, OfferId, OrderId
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger import intake
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.regret import RegretCounts
from shopify_upsell.offers.regret_store import (
    OTHER_LINE,
    IncidentRow,
    TakenLine,
    TakenLineRow,
    acknowledge_incident,
    incidents,
    open_incident,
    put_taken_lines,
    record_complaint,
    regret_counts,
    taken_lines,
)
from shopify_upsell.offers.regretting import follow_complaint, follow_order, judge_offers, note_regret, settle_incident
from shopify_upsell.offers.store import pause_offer, read_offer, save_offer


@pytest.fixture
def offer_id(session, shop_id):
    """A live offer."""
    return save_offer(session, shop_id, OfferDraft("cross_sell", "Beside it", ("theme/cart",)), now=NOW).offer_id


def place(session, shop_id, lines, order_id=1, **given):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(order_id, lines, **given)))
    return follow(session, shop_id, order_id)


def follow(session, shop_id, order_id=1):
    settle_order(session, shop_id, order_id, KEYRING)
    return follow_order(session, shop_id, OrderId(order_id), now=NOW)


def offered(shop_id, offer_id, line_id=11, **given):
    token = a_token(shop_id, offer_id=offer_id, nonce=f"n{line_id}")
    return a_line(line_id, variant_id=2001, token=token, **given)


def held(session, shop_id, order_id=1):
    lines = taken_lines(session, shop_id, OrderId(order_id)).values()
    return {line.line_id: (line.offer_id, line.given_back, line.complaint) for line in lines}


def plant(session, shop_id, offer_id, count, regretted, *, first=1000, taken_at=NOW):
    lines = [
        TakenLine(first + n, n, offer_id, 7, 1, taken_at, "refunded" if n < regretted else None, None)
        for n in range(count)
    ]
    put_taken_lines(session, shop_id, lines)


def test_an_order_that_took_nothing_from_us_is_not_followed(session, shop_id):
    place(session, shop_id, [a_line(11)])

    assert held(session, shop_id) == {}


def test_lines_of_an_offer_and_the_others_of_the_order_are_followed(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id), a_line(12)])

    assert held(session, shop_id) == {11: (offer_id, None, None), 12: (OTHER_LINE, None, None)}
    assert regret_counts(session, shop_id, offer_id) == RegretCounts(1, 0, 1, 0)


def test_following_twice_changes_nothing(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id), a_line(12)])
    before = held(session, shop_id)

    note_regret(session, Job(1, shop_id, "note_regret", {"subject_id": 1}, 1, "t", NOW))

    assert held(session, shop_id) == before


def test_an_order_nobody_knows_is_nothing_to_follow(session, shop_id):
    assert follow_order(session, shop_id, OrderId(404), now=NOW) == []


@pytest.mark.parametrize(("line_id", "expected"), [(11, RegretCounts(1, 1, 1, 0)), (12, RegretCounts(1, 0, 1, 1))])
def test_a_refund_counts_against_the_line_it_is_about(session, shop_id, offer_id, line_id, expected):
    place(session, shop_id, [offered(shop_id, offer_id), a_line(12)])

    refund = a_refund(lines=[a_refund_line(line_id, 1, "10.00")])
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    follow(session, shop_id)

    assert held(session, shop_id)[line_id][1] == "refunded"
    assert regret_counts(session, shop_id, offer_id) == expected


def test_one_unit_of_two_given_back_is_regret(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id, quantity=2)])

    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")])
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    follow(session, shop_id)

    assert held(session, shop_id) == {11: (offer_id, "refunded", None)}


def test_a_line_taken_off_the_order_was_undone(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id), a_line(12)])

    intake.record_order_edit(session, a_delivery(shop_id, "orders/edited", an_edit(removed={11: 1})))
    follow(session, shop_id)

    assert held(session, shop_id) == {11: (offer_id, "undone", None), 12: (OTHER_LINE, None, None)}


def test_a_cancelled_order_is_regret_of_every_line_and_stays_whose_it_was(session, shop_id, offer_id):
    lines = [offered(shop_id, offer_id), a_line(12)]
    place(session, shop_id, lines)

    place(session, shop_id, lines, updated_at=at(9), cancelled_at=at(9))

    assert held(session, shop_id) == {11: (offer_id, "cancelled", None), 12: (OTHER_LINE, "cancelled", None)}


@pytest.mark.parametrize(("product_id", "regretted"), [(None, (1, 1)), (1011, (1, 0)), (1012, (0, 1)), (9, (0, 0))])
def test_a_complaint_counts_against_the_order_or_one_product_of_it(session, shop_id, offer_id, product_id, regretted):
    place(session, shop_id, [offered(shop_id, offer_id), a_line(12)])

    record_complaint(session, shop_id, OrderId(1), "ticket", product_id=product_id)
    record_complaint(session, shop_id, OrderId(1), "low_review", product_id=product_id)

    counts = regret_counts(session, shop_id, offer_id)
    assert (counts.regretted_count, counts.ordinary_back_count) == regretted
    assert {complaint for _, _, complaint in held(session, shop_id).values()} <= {None, "ticket"}


def test_a_refund_after_a_complaint_is_the_same_regret(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id)])
    record_complaint(session, shop_id, OrderId(1), "return")

    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")])
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    follow(session, shop_id)

    assert held(session, shop_id) == {11: (offer_id, "refunded", "return")}
    assert regret_counts(session, shop_id, offer_id) == RegretCounts(1, 1)


def test_a_kind_of_complaint_that_nobody_wrote_down_is_refused(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id)])

    with pytest.raises(InvalidInput):
        record_complaint(session, shop_id, OrderId(1), "grumble")

    assert held(session, shop_id) == {11: (offer_id, None, None)}


def test_planted_regret_pauses_the_offer_and_writes_down_why(session, shop_id, offer_id, caplog):
    other_shop = add_shop(session, "two.myshopify.com")
    plant(session, shop_id, offer_id, 30, 15)
    plant(session, other_shop, offer_id, 30, 0)
    place(session, shop_id, [offered(shop_id, offer_id)])

    (incident,) = incidents(session, shop_id)
    assert read_offer(session, shop_id, offer_id).state == "paused"
    assert (incident.kind, incident.offer_id, incident.opened_at) == ("regret", offer_id, NOW)
    assert (incident.acknowledged_at, incident.note) == (None, "")
    numbers = incident.numbers
    assert (numbers["taken_count"], numbers["regretted_count"], numbers["limit"]) == (31, 15, 0.1)
    assert 0.1 < numbers["at_least"] < numbers["rate"]
    (said,) = [record for record in caplog.records if record.message == "offer_paused_for_regret"]
    assert (said.offer_id, said.incident_id) == (offer_id, incident.incident_id)
    assert incidents(session, other_shop) == []


def test_a_complaint_can_be_the_last_straw(session, shop_id, offer_id):
    place(session, shop_id, [offered(shop_id, offer_id)])
    plant(session, shop_id, offer_id, 19, 7)
    assert judge_offers(session, shop_id, [offer_id], now=NOW) == []

    opened = follow_complaint(session, shop_id, OrderId(1), "low_review", now=NOW)

    assert [incident.offer_id for incident in opened] == [offer_id]
    assert read_offer(session, shop_id, offer_id).state == "paused"


def test_an_offer_that_is_paused_or_gone_is_not_paused_again(session, shop_id, offer_id):
    plant(session, shop_id, offer_id, 30, 30)
    plant(session, shop_id, OfferId(404), 30, 30, first=5000)
    pause_offer(session, shop_id, offer_id, now=NOW)

    assert judge_offers(session, shop_id, [offer_id, OfferId(404), OTHER_LINE], now=NOW) == []

    assert incidents(session, shop_id) == []


def test_the_merchant_resumes_with_a_note_and_counting_begins_anew(session, shop_id, offer_id):
    before = read_offer(session, shop_id, offer_id)
    plant(session, shop_id, offer_id, 30, 15)
    (incident,) = judge_offers(session, shop_id, [offer_id], now=NOW)

    offer = settle_incident(session, shop_id, incident.incident_id, note=" wrong size chart ", now=at(500))

    assert (offer.state, offer.kind, offer.name, offer.placements, offer.terms) == (
        "paused", before.kind, before.name, before.placements, before.terms,
    )  # fmt: skip
    assert incidents(session, shop_id, only_open=True) == []
    (seen,) = incidents(session, shop_id)
    assert (seen.acknowledged_at, seen.note) == (at(500), "wrong size chart")
    assert regret_counts(session, shop_id, offer_id).taken_count == 0
    plant(session, shop_id, offer_id, 25, 20, first=9000, taken_at=at(501))
    same = {field.name: getattr(offer, field.name) for field in fields(OfferDraft)}
    save_offer(session, shop_id, OfferDraft(**same | {"state": "live"}), now=at(500), offer_id=offer_id)
    assert len(judge_offers(session, shop_id, [offer_id], now=at(600))) == 1
    assert len(incidents(session, shop_id)) == 2


def test_an_incident_of_another_shop_or_without_a_note_is_not_acknowledged(session, shop_id, offer_id):
    other_shop = add_shop(session, "two.myshopify.com")
    plant(session, shop_id, offer_id, 30, 15)
    (incident,) = judge_offers(session, shop_id, [offer_id], now=NOW)

    with pytest.raises(NotFound):
        acknowledge_incident(session, other_shop, incident.incident_id, note="n", now=NOW)
    with pytest.raises(InvalidInput):
        settle_incident(session, shop_id, incident.incident_id, note=" ", now=NOW)

    assert read_offer(session, shop_id, offer_id).state == "paused"
    assert len(incidents(session, shop_id, only_open=True)) == 1


def test_one_open_incident_is_enough_for_an_offer(session, shop_id, offer_id):
    first = open_incident(session, shop_id, "regret", offer_id, {"rate": 0.5}, now=NOW)

    assert open_incident(session, shop_id, "regret", offer_id, {"rate": 0.6}, now=at(9)) == first
    assert session.scalar(select(func.count()).select_from(IncidentRow)) == 1
    assert session.scalar(select(func.count()).select_from(TakenLineRow)) == 0
