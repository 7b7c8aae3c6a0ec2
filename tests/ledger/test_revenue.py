"""What a line is worth, case by case. Amounts are minor units."""

import pytest
from builders_orders import ORDERED_AT, a_line, a_refund, a_refund_line, an_edit, an_order, at
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.ledger.edit_schemas import EditedSchema
from shopify_upsell.ledger.facts import Sent
from shopify_upsell.ledger.intake import read_order
from shopify_upsell.ledger.order_schemas import RefundSchema
from shopify_upsell.ledger.revenue import book, unreadable_refunds


def read(document):
    return read_order(document, sent=Sent(ORDERED_AT, "d"))


def booking_of(document, *, refunds=(), edits=(), is_deleted=False):
    return book(
        read(document),
        refunds=[RefundSchema().load(refund) for refund in refunds],
        edits=[EditedSchema().load(edit)["order_edit"] for edit in edits],
        is_deleted=is_deleted,
    )


def net_of(*arguments, **options):
    return [line.net for line in booking_of(*arguments, **options).lines.values()]


def test_a_line_is_worth_price_times_quantity_less_every_discount_allocated_to_it():
    order = an_order(lines=[a_line(quantity=3, price="19.99", discount="5.97"), a_line(12, price="0.00")])

    assert net_of(order) == [5400, 0]


def test_tax_is_taken_off_only_when_prices_contain_it():
    lines = [a_line(quantity=2, price="12.00", tax="4.00")]

    assert net_of(an_order(lines=lines, taxes_included=True)) == [2000]
    assert net_of(an_order(lines=lines, taxes_included=False)) == [2400]


@pytest.mark.parametrize(
    ("currency", "price", "net"), [("JPY", "1500", 3000), ("KWD", "1.234", 2468), ("USD", "1.5", 300)]
)
def test_amounts_are_in_the_currency_s_own_minor_units(currency, price, net):
    assert net_of(an_order(lines=[a_line(quantity=2, price=price)], currency=currency)) == [net]


def test_a_partial_refund_takes_its_subtotal_off_its_line_alone():
    order = an_order(lines=[a_line(quantity=3, price="10.00", discount="1.00"), a_line(12)])

    booking = booking_of(order, refunds=[a_refund(lines=[a_refund_line(11, 1, "9.67")])])

    assert [(line.net, line.net_quantity) for line in booking.lines.values()] == [(1933, 2), (1000, 1)]


def test_the_tax_inside_a_refunded_subtotal_is_not_taken_off_twice():
    order = an_order(lines=[a_line(quantity=2, price="12.00", tax="4.00")], taxes_included=True)

    assert net_of(order, refunds=[a_refund(lines=[a_refund_line(11, 1, "12.00", tax="2.00")])]) == [1000]


def test_units_removed_by_an_edit_count_whether_or_not_shopify_writes_a_refund_for_them():
    order = an_order(lines=[a_line(quantity=3, price="10.00", current_quantity=2)], updated_at=at(31))
    refund = a_refund(lines=[a_refund_line(11, 1, "10.00")], refunded_at=at(30))
    edit = an_edit(removed={11: 1})

    without, with_refund = booking_of(order, edits=[edit]), booking_of(order, edits=[edit], refunds=[refund])

    assert [(line.net, line.net_quantity) for line in without.lines.values()] == [(2000, 2)]
    assert [(line.net, line.net_quantity) for line in with_refund.lines.values()] == [(2000, 2)]
    assert [line.removed for line in without.lines.values()] == [1000]
    assert [line.refunded for line in with_refund.lines.values()] == [1000]


def test_an_edit_newer_than_the_order_s_version_removes_units_that_the_version_still_shows():
    order = an_order(lines=[a_line(quantity=3)], updated_at=at(29))

    assert net_of(order, edits=[an_edit(removed={11: 1}, committed_at=at(30))]) == [2000]
    assert net_of(order, edits=[an_edit(removed={11: 1}, committed_at=at(29))]) == [3000]


def test_a_line_added_by_an_edit_counts_once_the_order_shows_it():
    before = an_order(lines=[a_line()])
    after = an_order(lines=[a_line(), a_line(12, price="5.00")], updated_at=at(31))
    edit = an_edit(added={12: 1})

    assert net_of(before, edits=[edit]) == [1000]
    assert net_of(after, edits=[edit]) == [1000, 500]


def test_when_some_units_are_refunded_and_the_others_removed_not_a_cent_stays_behind():
    order = an_order(lines=[a_line(quantity=3, price="33.34", discount="0.02", current_quantity=0)], updated_at=at(40))
    refund = a_refund(lines=[a_refund_line(11, 1, "33.33")], refunded_at=at(35))

    line = booking_of(order, refunds=[refund], edits=[an_edit(removed={11: 2}, committed_at=at(30))]).lines[11]

    assert (line.net, line.net_quantity, line.refunded, line.removed) == (0, 0, 3333, 6667)


def test_an_amount_refunded_without_lines_is_divided_over_what_all_lines_are_worth():
    order = an_order(lines=[a_line(price="30.00"), a_line(12, price="10.00")])

    assert net_of(order, refunds=[a_refund(discrepancy="-4.00")]) == [2700, 900]
    assert net_of(order, refunds=[a_refund(paid="4.00")]) == [2700, 900]


def test_a_transaction_beside_lines_or_adjustments_says_nothing_new():
    order = an_order(lines=[a_line(price="30.00")])

    assert net_of(order, refunds=[a_refund(lines=[a_refund_line(11, 0, "5.00")], paid="5.00")]) == [2500]
    assert net_of(order, refunds=[a_refund(discrepancy="-5.00", paid="5.00")]) == [2500]


def test_shipping_given_back_never_touches_lines():
    order = an_order(lines=[a_line(price="30.00")])
    shipping = [{"subtotal_amount_set": {"shop_money": {"amount": "5.00", "currency_code": "USD"}}}]
    old_style = [{"kind": "shipping_refund", "amount": "-5.00"}]

    assert net_of(order, refunds=[a_refund(paid="5.00", refund_shipping_lines=shipping)]) == [3000]
    assert net_of(order, refunds=[a_refund(paid="5.00", order_adjustments=old_style)]) == [3000]
    assert net_of(order, refunds=[a_refund(paid="6.00", refund_shipping_lines=shipping)]) == [2900]


def test_a_refund_beyond_its_lines_is_divided_over_them_and_the_rest_is_the_order_s_residual():
    order = an_order(lines=[a_line(price="30.00"), a_line(12, price="10.00"), a_line(13, price="7.00")])
    lines = [a_refund_line(11, 0, "10.00"), a_refund_line(12, 1, "10.00")]

    booking = booking_of(order, refunds=[a_refund(lines=lines, discrepancy="-4.00")])

    assert [line.net for line in booking.lines.values()] == [1800, 0, 700]
    assert booking.residual == -200


def test_a_refund_short_of_its_lines_leaves_the_difference_on_them():
    order = an_order(lines=[a_line(price="30.00"), a_line(12, price="10.00")])
    lines = [a_refund_line(11, 1, "30.00"), a_refund_line(12, 1, "10.00")]

    booking = booking_of(order, refunds=[a_refund(lines=lines, discrepancy="4.00")])

    assert [(line.net, line.net_quantity) for line in booking.lines.values()] == [(300, 0), (100, 0)]
    assert booking.residual == 0


def test_more_money_given_back_than_goods_were_worth_is_residual_and_no_line_is_below_zero():
    booking = booking_of(an_order(), refunds=[a_refund(paid="25.00")])

    assert (booking.lines[11].net, booking.residual) == (0, -1500)


def test_gift_cards_are_no_revenue_and_carry_no_refund():
    order = an_order(lines=[a_line(price="50.00", gift_card=True), a_line(12)])

    booking = booking_of(order, refunds=[a_refund(lines=[a_refund_line(11, 1, "50.00")]), a_refund(72, paid="3.00")])

    assert [line.net for line in booking.lines.values()] == [0, 700]
    assert booking.residual == 0


@pytest.mark.parametrize(
    "change",
    [
        {"cancelled_at": at(5)},
        {"test": True},
        {"financial_status": "pending"},
        {"financial_status": "authorized"},
        {"financial_status": "voided"},
        {"financial_status": "expired"},
        {"financial_status": None},
    ],
)
def test_an_order_that_brought_no_money_is_worth_nothing(change):
    booking = booking_of(an_order(**change), refunds=[a_refund(paid="25.00")])

    assert (booking.is_booked, booking.lines[11].net, booking.lines[11].net_quantity) == (False, 0, 0)
    assert booking.residual == 0


def test_a_deleted_order_is_worth_nothing():
    assert net_of(an_order(), is_deleted=True) == [0]


def test_a_refund_that_the_order_s_currency_cannot_express_books_nothing_and_is_named():
    order = an_order(lines=[a_line(price="1500")], currency="JPY")
    refund = a_refund(lines=[a_refund_line(11, 1, "15.50")])

    assert net_of(order, refunds=[refund]) == [1500]
    assert unreadable_refunds(read(order), [RefundSchema().load(refund)]) == [71]


def test_a_refund_of_a_line_the_order_does_not_show_yet_waits_for_it():
    refund = a_refund(lines=[a_refund_line(12, 1, "5.00")])

    assert net_of(an_order(), refunds=[refund]) == [1000]
    assert net_of(an_order(lines=[a_line(), a_line(12, price="8.00")]), refunds=[refund]) == [1000, 300]


def test_an_order_without_lines_sends_every_refund_to_its_residual():
    booking = booking_of(an_order(lines=[]), refunds=[a_refund(paid="2.00")])

    assert (booking.lines, booking.residual) == ({}, -200)


def test_five_hundred_lines_are_valued_one_by_one():
    order = an_order(lines=[a_line(number, price=f"{number}.00") for number in range(1, 501)])

    assert sum(net_of(order, refunds=[a_refund(paid="250.50")])) == 100 * 500 * 501 // 2 - 25050


amounts = st.integers(0, 5000).map(lambda cents: f"{cents / 100:.2f}")
refunds = st.builds(
    lambda number, lines, discrepancy, paid: a_refund(number, lines=lines, discrepancy=discrepancy, paid=paid),
    number=st.integers(1, 10**6),
    lines=st.lists(st.builds(a_refund_line, st.sampled_from([11, 12, 13]), st.integers(0, 4), amounts), max_size=3),
    discrepancy=st.one_of(st.none(), amounts, amounts.map(lambda amount: "-" + amount)),
    paid=st.one_of(st.none(), amounts),
)
edits = st.builds(
    lambda number, added, removed, minute: an_edit(number, added=added, removed=removed, committed_at=at(minute)),
    number=st.integers(1, 10**6),
    added=st.dictionaries(st.sampled_from([11, 12]), st.integers(0, 3)),
    removed=st.dictionaries(st.sampled_from([11, 12]), st.integers(0, 3)),
    minute=st.integers(-5, 5),
)
lines = st.tuples(
    *(
        st.builds(
            a_line,
            st.just(number),
            quantity=st.integers(0, 4),
            current_quantity=st.one_of(st.none(), st.integers(0, 5)),
            price=amounts,
            discount=st.one_of(st.none(), amounts),
            tax=amounts,
            gift_card=st.booleans(),
        )
        for number in (11, 12)
    )
)


@given(
    lines,
    st.lists(refunds, max_size=4),
    st.lists(edits, max_size=3),
    st.booleans(),
    st.sampled_from(["paid", "pending"]),
)
def test_whatever_is_refunded_or_removed_no_line_falls_below_zero_and_every_line_adds_up(
    some_lines, some_refunds, some_edits, taxes_included, status
):
    order = an_order(lines=some_lines, taxes_included=taxes_included, financial_status=status)

    booking = booking_of(order, refunds=some_refunds, edits=some_edits)

    assert booking.residual <= 0
    for fact, line in zip(read(order).lines, booking.lines.values(), strict=True):
        left = line.gross - line.discount - line.tax - line.refunded - line.removed
        assert min(line.net, left, line.refunded, line.removed, line.discount, line.tax, line.net_quantity) >= 0
        assert line.net == (left if booking.is_booked and not fact.is_gift_card else 0)
