"""What the merchant is told adds up, month by month and currency by currency."""

from datetime import UTC, datetime, timedelta

import pytest
from builders_database import add_shop
from builders_histories import KEYRING, a_token
from builders_orders import a_delivery, a_line, a_product, a_refund, a_refund_line, an_order, at
from sqlalchemy import update

from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.core import InvalidInput
from shopify_upsell.ledger import intake
from shopify_upsell.reports.overview import read_overview
from shopify_upsell.reports.statement import Freshness, monthly_statements, statement_text
from shopify_upsell.shops.store import ShopRow

SEEN_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def sell(session, shop_id, order_id, lines, **given):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(order_id, lines, **given)))
    settle_order(session, shop_id, order_id, KEYRING)


def a_busy_month(session, shop_id):
    """One of everything that may stand between gross and net."""
    token = a_token(shop_id)
    sell(
        session,
        shop_id,
        1,
        [
            a_line(11, quantity=2, price="20.00", discount="4.00", variant_id=2001, token=token),
            a_line(12, price="50.00", gift_card=True),
            a_line(13, quantity=2, price="6.00", current_quantity=1),
        ],
        refunds=[a_refund(71, 1, [a_refund_line(11, 1, "18.00")])],
    )
    sell(session, shop_id, 2, [a_line(21, price="12.00", tax="2.00")], taxes_included=True)
    sell(session, shop_id, 3, [a_line(31, price="5.00")], cancelled_at=at(3))
    sell(session, shop_id, 4, [a_line(41, price="1.00")], refunds=[a_refund(74, 4, paid="3.00")])
    sell(session, shop_id, 5, [a_line(51, price="900")], currency="JPY")


def test_a_statement_goes_from_gross_to_net_and_explains_all_of_it(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    sell(session, other, 1, [a_line(price="77.00")])
    a_busy_month(session, shop_id)

    yen, dollars = monthly_statements(session, shop_id, month="2026-11")

    assert (dollars.month, dollars.currency, dollars.order_count, dollars.unbooked_count) == ("2026-11", "USD", 4, 1)
    assert dollars.gross_minor_units == 4000 + 5000 + 1200 + 1200 + 500 + 100
    assert (dollars.discounts_minor_units, dollars.taxes_minor_units, dollars.gift_cards_minor_units) == (
        400,
        200,
        5000,
    )
    assert (dollars.refunds_minor_units, dollars.edits_minor_units, dollars.unbooked_minor_units) == (1900, 600, 500)
    assert (dollars.order_residual_minor_units, dollars.ledger_minor_units) == (-200, 3200)
    assert [(book.book, book.amount_minor_units) for book in dollars.books] == [("cross_sell", 1800)]
    assert (dollars.direct_minor_units, dollars.unattributed_minor_units) == (1800, 1600)
    assert (dollars.order_residual_credit_minor_units, dollars.residual_minor_units) == (-200, 0)
    assert (yen.currency, yen.ledger_minor_units, yen.residual_minor_units) == ("JPY", 900, 0)


def test_an_order_not_settled_yet_shows_as_not_explained(session, shop_id):
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order()))

    assert [found.residual_minor_units for found in monthly_statements(session, shop_id)] == [1000]


def test_months_are_the_shop_s_own(session, shop_id):
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(time_zone="America/New_York"))
    new_year = datetime(2026, 1, 1, 4, 59, tzinfo=UTC)
    sell(session, shop_id, 1, [a_line()], ordered_at=new_year)
    sell(session, shop_id, 2, [a_line(21)], ordered_at=new_year + timedelta(minutes=1))
    sell(session, shop_id, 3, [a_line(31)], ordered_at=datetime(2026, 3, 10, tzinfo=UTC))

    found = monthly_statements(session, shop_id)

    assert [(statement.month, statement.order_count) for statement in found] == [
        ("2025-12", 1),
        ("2026-01", 1),
        ("2026-03", 1),
    ]
    assert found[0].time_zone == "America/New_York"


def test_a_shop_without_orders_has_no_statement(session, shop_id):
    fresh = Freshness(SEEN_AT, None, 0)

    assert monthly_statements(session, shop_id) == []
    assert statement_text([], fresh) == (
        "No orders in this period.\n\nAs of 2026-11-22 12:00:00 UTC; newest delivery handled never; 0 waiting."
    )


@pytest.mark.parametrize("month", ["2026", "2026-13", "November"])
def test_a_month_that_is_none_is_refused(session, shop_id, month):
    with pytest.raises(InvalidInput):
        monthly_statements(session, shop_id, month=month)


def test_the_text_shows_every_amount_in_its_currency(session, shop_id):
    a_busy_month(session, shop_id)
    fresh = Freshness(SEEN_AT, SEEN_AT - timedelta(seconds=42), 3)

    text = statement_text(monthly_statements(session, shop_id), fresh)

    assert "2026-11 USD (UTC): 4 orders, 1 of them not booked" in text
    assert "Net revenue                                      32.00" in text
    assert "directly by cross_sell                         18.00" in text
    assert "Not explained                                     0.00" in text
    assert "Net revenue                                        900" in text
    assert text.endswith("newest delivery handled 2026-11-22 11:59:18 UTC; 3 waiting.")
    assert fresh.to_json()["lag_seconds"] == 42


def test_the_overview_counts_this_shop_s_own(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    sell(session, other, 1, [a_line(price="77.00")])
    a_busy_month(session, shop_id)
    intake.record_product(session, a_delivery(shop_id, "products/update", a_product()))
    intake.record_order_deletion(session, a_delivery(shop_id, "orders/delete", {"id": 99}))

    overview = read_overview(session, shop_id)

    assert (overview.products, overview.orders_ingested, overview.pairs_learned, overview.live_offers) == (1, 5, 0, 0)
    assert [(total.currency, total.ledger, total.direct, total.residual) for total in overview.totals] == [
        ("USD", "32.00", "18.00", "0.00"),
        ("JPY", "900", "0", "0"),
    ]
    document = overview.to_json()
    assert document["ledger_minor_units"] == 3200
    assert (document["credited_minor_units"], document["residual_minor_units"]) == (1800, 0)
