"""What learning reads of a shop: kept lines, lines that came back with the moment, and opt-outs by order."""

from datetime import timedelta

from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, add_order
from sqlalchemy import update

from shopify_upsell.customers.opt_out_store import opt_outs
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.ledger.delivered import ASSUMED
from shopify_upsell.ledger.returned_store import returned_lines
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, RefundLineRow, RefundRow
from shopify_upsell.matrix.recording import count_orders
from shopify_upsell.matrix.sold_store import read_lines
from shopify_upsell.matrix.store import latest_build
from shopify_upsell.matrix.upkeep import learn_shop, shop_matrix

DAY = timedelta(days=1)


def belongs(session, shop_id, order_id, customer_id, ordered_at=NOW):
    values = {"customer_id": customer_id, "ordered_at": ordered_at}
    session.execute(update(OrderRow).where(OrderRow.shop_id == shop_id, OrderRow.order_id == order_id).values(**values))


def give_back(session, shop_id, order_id, line_id, at, *, refund_id, left=0):
    session.add(
        RefundRow(
            shop_id=shop_id, refund_id=refund_id, order_id=order_id, refunded_at=at, content_digest=str(refund_id)
        )
    )
    session.add(RefundLineRow(shop_id=shop_id, refund_id=refund_id, line_id=line_id, quantity=1, subtotal="10.00"))
    mine = (OrderLineRow.shop_id == shop_id, OrderLineRow.line_id == line_id)
    session.execute(update(OrderLineRow).where(*mine).values(net_quantity=left))


def test_a_line_that_came_back_is_read_with_the_refund_that_took_the_last_of_it(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    for shop in (shop_id, other):
        add_order(session, shop, 1, BOOTS, SOCKS, LACES)
        belongs(session, shop, 1, 77)
    add_order(session, shop_id, 2, BOOTS)
    give_back(session, shop_id, 1, 101, NOW + DAY, refund_id=1, left=1)
    give_back(session, shop_id, 1, 101, NOW + 3 * DAY, refund_id=2)
    give_back(session, shop_id, 1, 102, NOW + 2 * DAY, refund_id=3, left=1)
    give_back(session, shop_id, 2, 201, NOW + 2 * DAY, refund_id=4)
    session.flush()

    (back,) = returned_lines(session, shop_id)
    lines = read_lines(session, shop_id, ASSUMED)

    assert (back.order_id, back.customer_id, back.product_id, back.refunded_at) == (1, 77, BOOTS, NOW + 3 * DAY)
    assert list(returned_lines(session, other)) == []
    assert lines.product_id.tolist() == [SOCKS, LACES, BOOTS]
    assert lines.quantity.tolist()[-1] == 0
    assert lines.refunded_at.tolist() == [-1, -1, int((NOW + 3 * DAY).timestamp())]
    assert lines.opted_out_at.tolist() == [-1, -1, -1]


def said(session, shop_id, kind, customer, at, number):
    record_signals(session, shop_id, [Signal(kind, f"c:{customer}", at, "merchant", str(number))], NOW)


def test_opting_out_is_a_turn_and_counts_for_the_orders_before_it(session, shop_id):
    for number, (customer, days) in enumerate([(77, 0), (77, 20), (88, 0)], 1):
        add_order(session, shop_id, number, BOOTS)
        belongs(session, shop_id, number, customer, NOW - (60 - days) * DAY)
    other = add_shop(session, "two.myshopify.com")
    said(session, other, "preference_none", 88, NOW - 30 * DAY, 1)
    said(session, shop_id, "marketing_consent_given", 88, NOW - 30 * DAY, 1)
    told = [("marketing_consent_withdrawn", 50), ("preference_none", 45), ("marketing_consent_withdrawn", 10)]
    for number, (kind, ago) in enumerate(told, 2):
        said(session, shop_id, kind, 77, NOW - ago * DAY, number)

    assert list(opt_outs(session, shop_id)) == [(77, NOW - 50 * DAY)]

    said(session, shop_id, "preference_lifted", 77, NOW - 30 * DAY, 9)
    said(session, shop_id, "marketing_consent_given", 77, NOW - 25 * DAY, 10)

    assert list(opt_outs(session, shop_id)) == [(77, NOW - 50 * DAY), (77, NOW - 10 * DAY)]
    lines = read_lines(session, shop_id, ASSUMED, opt_outs)
    moments = [int((NOW - ago * DAY).timestamp()) for ago in (50, 10)]
    assert lines.opted_out_at.tolist() == [*moments, -1]


def test_a_run_takes_refunds_and_opt_outs_for_endings_and_counts_no_order_anew(session, shop_id):
    for number in range(1, 13):
        add_order(session, shop_id, number, BOOTS)
        belongs(session, shop_id, number, 100 + number, NOW - 40 * DAY)
        if number % 3 == 0:
            give_back(session, shop_id, number, number * 100 + 1, NOW - 30 * DAY, refund_id=number)
        if number % 3 == 1:
            said(session, shop_id, "preference_none", 100 + number, NOW - 20 * DAY, number)
    add_order(session, shop_id, 50, SOCKS)
    belongs(session, shop_id, 50, 150, NOW - 40 * DAY)
    session.flush()
    count_orders(session, shop_id, range(1, 51))

    curve = shop_matrix(session, shop_id, NOW, opt_outs).timing(BOOTS, SOCKS)
    learn_shop(session, shop_id, NOW)

    # Delivered after five days: the refunds come five days later, the opt-outs fifteen.
    assert curve.ended == (0, 4, 0, 4, 0, 0, 0, 0)
    assert curve.at_risk[:5] == (12, 12, 8, 8, 4)
    assert shop_matrix(session, shop_id, NOW).timing(BOOTS, SOCKS).ended == (0, 4, 0, 0, 0, 0, 0, 0)
    build = latest_build(session, shop_id)
    assert (build.order_count, build.product_count) == (9, 2)
