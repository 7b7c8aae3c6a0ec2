"""What orders are worth in the shopper's currency: booked from Shopify's own amounts, to the minor unit."""

from decimal import Decimal

import pytest
from builders_histories import KEYRING, a_token
from builders_ledger_rows import rows_of_tables
from builders_orders import a_delivery, a_line, a_refund, a_refund_line, an_edit, an_order, at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shopify_upsell.attribution.journal import balances_of_orders
from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.core import OrderId
from shopify_upsell.ledger import intake
from shopify_upsell.ledger.admin_documents import _money_set
from shopify_upsell.ledger.store import booked_orders
from shopify_upsell.ledger.tables import OrderLineRow, RefundRow

RATES = {"JPY": (Decimal("151.37"), 0), "KWD": (Decimal("0.30789"), 3), "EUR": (Decimal("0.9173"), 2)}


def pair(amount, code, shown=None):
    """A money set whose shopper paid in another currency, at a rate of that day unless told."""
    rate, digits = RATES[code]
    other = shown or str((Decimal(amount) * rate).quantize(Decimal(1).scaleb(-digits)))
    return {
        "shop_money": {"amount": amount, "currency_code": "USD"},
        "presentment_money": {"amount": other, "currency_code": code},
    }


def shown_line(line_id, price, code, *, discount=None, tax=None, **given):
    """A line with both sides of every amount. `price`, `discount`, `tax`: (shop's, shopper's)."""
    line = a_line(line_id, price=price[0], price_set=pair(price[0], code, price[1]), **given)
    if discount:
        line["discount_allocations"] = [{"amount": discount[0], "amount_set": pair(discount[0], code, discount[1])}]
    if tax:
        line["tax_lines"] = [{"price": tax[0], "price_set": pair(tax[0], code, tax[1])}]
    return line


def shown_refund_line(line_id, quantity, subtotal, code, tax=("0.00", None)):
    return a_refund_line(
        line_id,
        quantity,
        subtotal[0],
        subtotal_set=pair(subtotal[0], code, subtotal[1]),
        total_tax_set=pair(tax[0], code, tax[1]),
    )


def tell(session, shop_id, topic, document):
    handler = {"orders": intake.record_order, "refunds": intake.record_refund, "edits": intake.record_order_edit}[topic]
    handler(session, a_delivery(shop_id, topic, document))


def place(session, shop_id, lines, code, **given):
    tell(session, shop_id, "orders", an_order(1, lines, presentment_currency=code, **given))


def nets(session, shop_id, order_id=1):
    order = booked_orders(session, shop_id, [OrderId(order_id)])[OrderId(order_id)]
    return {line.line_id: (line.net_minor_units, line.presentment_net) for line in order.lines}


@pytest.mark.parametrize(
    ("code", "price", "discount", "tax", "net"),
    [
        ("JPY", "1514", "303", "252", 3 * 1514 - 303 - 252),
        ("KWD", "3.079", "0.616", "0.513", 3 * 3079 - 616 - 513),
        ("EUR", "9.17", "1.83", "1.53", 3 * 917 - 183 - 153),
    ],
)
def test_a_line_is_worth_what_its_shopper_paid_in_units_of_that_currency(
    session, shop_id, code, price, discount, tax, net
):
    line = shown_line(11, ("10.00", price), code, quantity=3, discount=("2.00", discount), tax=("1.67", tax))

    place(session, shop_id, [line], code, taxes_included=True)

    assert nets(session, shop_id) == {11: (3000 - 200 - 167, net)}


def test_taxes_beside_the_price_do_not_count(session, shop_id):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY", tax=("1.67", "253"))], "JPY")

    assert nets(session, shop_id) == {11: (1000, 1514)}


def test_refunds_take_off_what_the_shopper_got_back(session, shop_id):
    lines = [shown_line(11, ("10.00", "1514"), "JPY", quantity=2), shown_line(12, ("5.00", "757"), "JPY")]
    place(session, shop_id, lines, "JPY")
    given_back = shown_refund_line(11, 1, ("10.00", "1510"), "JPY")
    adjustment = {"kind": "refund_discrepancy", "amount": "-2.00", "amount_set": pair("-2.00", "JPY", "-303")}

    tell(session, shop_id, "refunds", a_refund(71, lines=[given_back], order_adjustments=[adjustment]))

    assert nets(session, shop_id) == {11: (800, 3028 - 1510 - 303), 12: (500, 757)}


def test_money_given_back_beside_lines_is_divided_in_either_currency(session, shop_id):
    lines = [shown_line(11, ("10.00", "3.079"), "KWD"), shown_line(12, ("5.00", "1.539"), "KWD")]
    place(session, shop_id, lines, "KWD")
    paid = {"kind": "refund", "status": "success", "amount": "3.00", "amount_set": pair("3.00", "KWD", "0.924")}

    tell(session, shop_id, "refunds", a_refund(71, transactions=[paid]))

    assert nets(session, shop_id) == {11: (800, 3079 - 616), 12: (400, 1539 - 308)}


def test_units_that_an_edit_removed_go_in_either_currency(session, shop_id):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY", quantity=3)], "JPY")

    tell(session, shop_id, "edits", an_edit(removed={11: 1}))

    assert nets(session, shop_id) == {11: (2000, 3028)}


def test_a_refund_in_the_shops_currency_alone_leaves_the_same_share_in_the_shoppers(session, shop_id):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY")], "JPY")

    tell(session, shop_id, "refunds", a_refund(71, lines=[a_refund_line(11, 1, "2.50")]))

    assert nets(session, shop_id) == {11: (750, 1136)}  # three quarters of 1514 are 1135.5


def test_a_refund_that_the_shop_can_not_read_takes_nothing_off_in_either_currency(session, shop_id):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY")], "JPY")

    tell(session, shop_id, "refunds", a_refund(71, paid="757", currency="JPY"))

    assert nets(session, shop_id) == {11: (1000, 1514)}


def test_a_line_of_which_no_such_amount_is_told_has_none_and_the_others_have(session, shop_id):
    bare, broken = a_line(12), shown_line(13, ("10.00", "15.14"), "JPY")
    other = shown_line(14, ("10.00", "9.17"), "EUR")

    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY"), bare, broken, other], "JPY")

    assert nets(session, shop_id) == {11: (1000, 1514), 12: (1000, None), 13: (1000, None), 14: (1000, None)}


def test_an_order_in_the_shops_own_currency_keeps_no_second_amount_and_is_worth_the_same_in_it(session, shop_id):
    line = a_line(11, price_set=pair("10.00", "JPY") | {"presentment_money": {"amount": "10", "currency_code": "USD"}})

    place(session, shop_id, [line], "USD")

    assert nets(session, shop_id) == {11: (1000, 1000)}
    assert session.scalars(select(OrderLineRow.presentment_net_minor_units)).all() == [None]


def test_an_order_that_is_not_booked_and_a_gift_card_are_worth_nothing(session, shop_id):
    gift = shown_line(12, ("10.00", "1514"), "JPY", gift_card=True)
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY"), gift], "JPY")
    assert nets(session, shop_id) == {11: (1000, 1514), 12: (0, 0)}

    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY")], "JPY", updated_at=at(5), cancelled_at=at(5))

    assert nets(session, shop_id) == {11: (0, 0)}


@pytest.mark.parametrize("turn", [1, -1])
def test_a_refund_told_with_and_without_the_shoppers_money_keeps_it_whichever_came_first(session, shop_id, turn):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY", quantity=2)], "JPY")
    with_money = a_refund(71, lines=[shown_refund_line(11, 1, ("10.00", "1500"), "JPY")])
    without = a_refund(71, lines=[a_refund_line(11, 1, "10.00", subtotal_set=pair("10.00", "JPY"))])
    del without["refund_line_items"][0]["subtotal_set"]["presentment_money"]

    for document in [with_money, without][::turn]:
        tell(session, shop_id, "refunds", document)

    assert nets(session, shop_id) == {11: (1000, 3028 - 1500)}
    assert session.scalars(select(RefundRow.presentment_currency)).all() == ["JPY"]


def test_the_admin_api_tells_both_sides_in_the_same_words():
    money = {"amount": "10.0", "currencyCode": "USD"}
    shown = {"amount": "1514", "currencyCode": "JPY"}

    assert _money_set({"shopMoney": money, "presentmentMoney": shown}) == {
        "shop_money": {"amount": "10.0", "currency_code": "USD"},
        "presentment_money": {"amount": "1514", "currency_code": "JPY"},
    }
    assert _money_set({"shopMoney": money}) == {"shop_money": {"amount": "10.0", "currency_code": "USD"}}


def posted(session, shop_id):
    """By line: what the postings add up to, in the shop's and the shopper's currency."""
    found = {}
    for account, balance in balances_of_orders(session, shop_id, [OrderId(1)]).get(OrderId(1), {}).items():
        amount, shown = found.get(account.line_id, (0, 0))
        found[account.line_id] = (amount + balance.amount, shown + (balance.presentment or 0))
    return found


def test_postings_of_a_line_add_up_to_what_its_shopper_paid_after_every_change(session, shop_id):
    token = a_token(shop_id, max_quantity=2)
    mine = shown_line(11, ("10.00", "1514"), "JPY", quantity=3, variant_id=2001, token=token)
    place(session, shop_id, [mine, shown_line(12, ("5.01", "757"), "JPY")], "JPY")
    settle_order(session, shop_id, OrderId(1), KEYRING)
    assert posted(session, shop_id) == nets(session, shop_id) == {11: (3000, 4542), 12: (501, 757)}

    tell(session, shop_id, "refunds", a_refund(71, lines=[shown_refund_line(11, 1, ("10.00", "1513"), "JPY")]))
    settle_order(session, shop_id, OrderId(1), KEYRING)
    settle_order(session, shop_id, OrderId(1), KEYRING)

    assert posted(session, shop_id) == nets(session, shop_id) == {11: (2000, 3029), 12: (501, 757)}


def test_an_amount_that_changes_for_the_shopper_alone_is_posted_too(session, shop_id):
    place(session, shop_id, [shown_line(11, ("10.00", "1514"), "JPY")], "JPY")
    settle_order(session, shop_id, OrderId(1), KEYRING)

    place(session, shop_id, [shown_line(11, ("10.00", "1520"), "JPY")], "JPY", updated_at=at(5))
    settle_order(session, shop_id, OrderId(1), KEYRING)

    assert posted(session, shop_id) == nets(session, shop_id) == {11: (1000, 1520)}


cents = st.integers(0, 3000).map(lambda units: f"{units / 100:.2f}")


@st.composite
def histories(draw):
    """A life of one order in another currency: versions, refunds with or without the shopper's money, an edit."""
    code, told = draw(st.sampled_from(sorted(RATES))), []
    for minute in range(draw(st.integers(1, 3))):
        lines = [
            shown_line(
                number, (draw(cents), None), code, quantity=draw(st.integers(0, 3)), discount=(draw(cents), None)
            )
            for number in (11, 12)
        ]
        version = {"updated_at": at(minute), "taxes_included": draw(st.booleans())}
        told.append(("orders", an_order(1, lines, presentment_currency=code, **version)))
    for refund_id in (71, 71, 72):
        line = shown_refund_line(draw(st.sampled_from([11, 12])), draw(st.integers(0, 2)), (draw(cents), None), code)
        if draw(st.booleans()):
            del line["subtotal_set"]["presentment_money"]
        paid = {"kind": "refund", "status": "success", "amount_set": pair(draw(cents), code)}
        given_back = draw(st.sampled_from([{"lines": [line]}, {"transactions": [paid]}]))
        told.append(("refunds", a_refund(refund_id, refunded_at=at(2), **given_back)))
    told.append(("edits", an_edit(removed={11: draw(st.integers(0, 2))}, committed_at=at(1))))
    return told


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.randoms(use_true_random=False))
def test_facts_in_any_order_give_the_same_amounts_never_below_zero_and_postings_add_up(
    session, shop_id, history, chance
):
    seen, worth = [], []
    copies = history * 2
    chance.shuffle(copies)
    for deliveries in (history, list(reversed(history)), copies):
        with session.begin_nested() as trial:
            for topic, document in deliveries:
                tell(session, shop_id, topic, document)
                settle_order(session, shop_id, OrderId(1), KEYRING)
            seen.append(rows_of_tables(session, shop_id))
            worth.append(nets(session, shop_id))
            held = posted(session, shop_id)
            assert all(held.get(line, (0, 0)) == net for line, net in worth[-1].items())
            trial.rollback()

    assert seen[0] == seen[1] == seen[2]
    assert all(net >= 0 and shown is not None and shown >= 0 for net, shown in worth[0].values())
