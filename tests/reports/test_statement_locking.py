"""A month that is locked stays as it was, and what happens to it later is seen in the next open month."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from builders_cli import Command
from builders_database import add_shop
from builders_histories import KEYRING, a_token
from builders_orders import a_delivery, a_line, a_refund, a_refund_line, an_order
from sqlalchemy import select, update

from shopify_upsell.attribution.models.registry import CREDIT_MODELS
from shopify_upsell.attribution.settle import settle_order
from shopify_upsell.attribution.tables import CreditRow, LockedStatementRow
from shopify_upsell.attribution.touch import Touch, record_touchpoint
from shopify_upsell.core import ConflictingRequest, InvalidInput
from shopify_upsell.database import bind_shop
from shopify_upsell.ledger import intake
from shopify_upsell.reports.credit_models import models_side_by_side
from shopify_upsell.reports.month import Freshness, figures_of, next_month, statement_from_json
from shopify_upsell.reports.statement import lock_statements, monthly_statements, statement_text
from shopify_upsell.reports.statement_forms import statement_csv, statement_html
from shopify_upsell.shops.store import ShopRow

OCTOBER = datetime(2026, 10, 5, 9, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 5, 9, tzinfo=UTC)
CLOSING = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
FRESH = Freshness(CLOSING, None, 0)


def sell(session, shop_id, order_id, ordered_at, *, currency="USD", price="10.00", **given):
    token = a_token(shop_id, nonce=str(order_id))
    lines = [a_line(order_id * 10, variant_id=2001, price=price, token=token, quantity=2)]
    document = an_order(order_id, lines, ordered_at=ordered_at, updated_at=ordered_at, currency=currency, **given)
    intake.record_order(session, a_delivery(shop_id, "orders/create", document))
    settle_order(session, shop_id, order_id, KEYRING)


def give_back(session, shop_id, order_id, refund_id, amount, refunded_at, currency="USD"):
    refund = a_refund(
        refund_id, order_id, [a_refund_line(order_id * 10, 1, amount)], refunded_at=refunded_at, currency=currency
    )
    intake.record_refund(session, a_delivery(shop_id, "refunds/create", refund))
    settle_order(session, shop_id, order_id, KEYRING)


def by_month(session, shop_id, **given):
    return {(found.month, found.currency): found for found in monthly_statements(session, shop_id, **given)}


def locked_rows(session):
    return [tuple(row) for row in session.execute(select(LockedStatementRow.__table__))]


def test_a_locked_month_never_changes_and_a_later_refund_is_an_adjustment_of_the_next(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    sell(session, shop_id, 2, NOVEMBER)
    (locked,) = lock_statements(session, shop_id, "2026-10", now=CLOSING)
    rows = locked_rows(session)

    give_back(session, shop_id, 1, 71, "10.00", NOVEMBER)

    found = by_month(session, shop_id)
    october, november = found["2026-10", "USD"], found["2026-11", "USD"]
    assert october == locked
    assert (october.is_locked, october.ledger_minor_units, october.refunds_minor_units) == (True, 2000, 0)
    assert locked_rows(session) == rows
    (change,) = november.adjustments
    assert (change.month, change.ledger_minor_units) == ("2026-10", -1000)
    assert dict(change.changes) == {
        "ledger_minor_units": -1000,
        "refunds_minor_units": 1000,
        "direct_minor_units": -1000,
        "book:cross_sell": -1000,
    }
    assert (november.ledger_minor_units, november.closing_minor_units) == (2000, 1000)
    assert by_month(session, shop_id, month="2026-11") == {("2026-11", "USD"): november}


def test_an_adjustment_that_was_locked_with_its_month_is_not_taken_on_twice(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    sell(session, shop_id, 2, NOVEMBER)
    lock_statements(session, shop_id, "2026-10", now=CLOSING)
    give_back(session, shop_id, 1, 71, "10.00", NOVEMBER)
    lock_statements(session, shop_id, "2026-11", now=datetime(2026, 12, 1, tzinfo=UTC))
    assert [key[0] for key in by_month(session, shop_id)] == ["2026-10", "2026-11"]

    give_back(session, shop_id, 1, 72, "3.00", datetime(2026, 12, 9, tzinfo=UTC))

    found = by_month(session, shop_id)
    december = found["2026-12", "USD"]
    assert [(part.month, part.ledger_minor_units) for part in december.adjustments] == [("2026-10", -300)]
    assert (december.order_count, december.ledger_minor_units, december.closing_minor_units) == (0, 0, -300)
    total = sum(statement.closing_minor_units for statement in found.values())
    assert total == 2000 + 2000 - 1000 - 300


def test_an_order_that_is_cancelled_after_locking_takes_its_whole_worth_along(session, shop_id):
    sell(session, shop_id, 1, OCTOBER, price="900", currency="JPY")
    lock_statements(session, shop_id, "2026-10", now=CLOSING)

    document = an_order(
        1, [a_line(10, price="900", quantity=2)], ordered_at=OCTOBER, updated_at=NOVEMBER, cancelled_at=NOVEMBER,
        currency="JPY",
    )  # fmt: skip
    intake.record_order(session, a_delivery(shop_id, "orders/updated", document))
    settle_order(session, shop_id, 1, KEYRING)

    (change,) = by_month(session, shop_id)["2026-11", "JPY"].adjustments
    changes = dict(change.changes)
    assert (changes["ledger_minor_units"], changes["unbooked_minor_units"], changes["unbooked_count"]) == (
        -1800,
        1800,
        1,
    )


def test_a_month_is_locked_when_it_is_over_in_the_shop_s_own_time(session, shop_id):
    session.execute(update(ShopRow).where(ShopRow.shop_id == shop_id).values(time_zone="America/New_York"))
    sell(session, shop_id, 1, OCTOBER)

    for early in (OCTOBER, datetime(2026, 11, 1, 3, 59, tzinfo=UTC)):
        with pytest.raises(ConflictingRequest) as refused:
            lock_statements(session, shop_id, "2026-10", now=early)
        assert refused.value.code == "month_open"
    assert locked_rows(session) == []
    lock_statements(session, shop_id, "2026-10", now=datetime(2026, 11, 1, 4, tzinfo=UTC))
    assert len(locked_rows(session)) == 1


def test_a_month_that_is_empty_or_does_not_add_up_is_not_locked(session, shop_id):
    with pytest.raises(ConflictingRequest) as empty:
        lock_statements(session, shop_id, "2026-10", now=CLOSING)
    sell(session, shop_id, 1, OCTOBER)
    sell(session, shop_id, 2, OCTOBER)
    for order_id, amount in ((1, 2001), (2, 1999)):
        spoiled = update(CreditRow).where(CreditRow.shop_id == shop_id, CreditRow.order_id == order_id)
        session.execute(spoiled.values(amount_minor_units=amount))
    with pytest.raises(ConflictingRequest) as uneven:
        lock_statements(session, shop_id, "2026-10", now=CLOSING)

    assert (empty.value.code, uneven.value.code) == ("month_empty", "statement_unbalanced")
    assert locked_rows(session) == []


def test_what_is_not_explained_is_itemised_by_order(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    intake.record_order(session, a_delivery(shop_id, "orders/create", an_order(2, ordered_at=OCTOBER)))
    other = add_shop(session, "two.myshopify.com")
    intake.record_order(session, a_delivery(other, "orders/create", an_order(3, ordered_at=OCTOBER)))

    (found,) = monthly_statements(session, shop_id)

    assert found.residual_minor_units == 1000
    (item,) = found.residual_items
    assert (item.order_id, item.ledger_minor_units, item.credited_minor_units, item.residual_minor_units) == (
        2, 1000, 0, 1000,
    )  # fmt: skip
    assert "order 2" in statement_text([found], FRESH)


def test_locking_again_changes_nothing_and_another_shop_s_month_stays_open(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    sell(session, other, 1, OCTOBER)
    sell(session, shop_id, 1, OCTOBER)
    first = lock_statements(session, shop_id, "2026-10", now=CLOSING)

    assert lock_statements(session, shop_id, "2026-10", now=NOVEMBER) == first
    assert [found.is_locked for found in monthly_statements(session, other)] == [False]


def test_a_locked_statement_that_was_altered_is_refused(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    lock_statements(session, shop_id, "2026-10", now=CLOSING)
    (document,) = session.scalars(select(LockedStatementRow.document))
    forged = document.replace('"direct_minor_units":2000', '"direct_minor_units":3000')
    session.execute(update(LockedStatementRow).values(document=forged))

    with pytest.raises(InvalidInput) as refused:
        monthly_statements(session, shop_id)
    assert (forged != document, refused.value.code) == (True, "statement_altered")


def test_assisted_lines_are_shown_apart_from_what_offers_earned(session, shop_id):
    touch = Touch(
        "a" * 32, 5, 0, "click", "email/next_best", datetime(2026, 10, 4, tzinfo=UTC),
        unit="c:5", book="replenish", product_ids=(8,),
    )  # fmt: skip
    record_touchpoint(session, shop_id, touch)
    document = an_order(1, [a_line(11, product_id=8)], ordered_at=OCTOBER, customer_id=5)
    intake.record_order(session, a_delivery(shop_id, "orders/create", document))
    settle_order(session, shop_id, 1, KEYRING)

    (found,) = monthly_statements(session, shop_id)

    assert (found.direct_minor_units, found.assisted_minor_units, found.residual_minor_units) == (0, 1000, 0)
    assert [(book.book, book.amount_minor_units) for book in found.assisted_books] == [("replenish", 1000)]
    assert "assisted by replenish" in statement_text([found], FRESH)


def test_every_model_divides_the_same_earnings_among_the_channels_that_led_to_them(session, shop_id):
    for decision, placement, day in (
        ("a", "email/next_best", 2),
        ("b", "theme/cart", 3),
        ("d", "theme/product_page", 4),
    ):
        moment = datetime(2026, 10, day, tzinfo=UTC)
        touch = Touch(decision * 32, 12, 0, "click", placement, moment, unit="v:robin", product_ids=(2001,))
        record_touchpoint(session, shop_id, touch)
    sell(session, shop_id, 1, OCTOBER)

    totals = models_side_by_side(session, shop_id, now=NOVEMBER)

    amounts = {(total.model, total.channel): total.amount_minor_units for total in totals}
    assert {model: sum(n for (name, _), n in amounts.items() if name == model) for model in CREDIT_MODELS} == (
        dict.fromkeys(CREDIT_MODELS, 2000)
    )
    assert (amounts["first", "email"], amounts["last", "theme"], amounts["position", "cart"]) == (2000, 2000, 400)
    assert amounts["linear", "email"] == amounts["markov", "email"] == 667
    assert models_side_by_side(session, shop_id, now=NOVEMBER, since=NOVEMBER) == []


def test_a_statement_survives_its_own_json(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    sell(session, shop_id, 2, NOVEMBER)
    lock_statements(session, shop_id, "2026-10", now=CLOSING)
    give_back(session, shop_id, 1, 71, "10.00", NOVEMBER)

    for found in monthly_statements(session, shop_id):
        assert statement_from_json(json.loads(json.dumps(found.to_json()))) == found
        assert figures_of(found)["ledger_minor_units"] == 2000


def test_every_line_of_a_statement_is_a_row_of_its_csv(session, shop_id):
    sell(session, shop_id, 1, OCTOBER, currency="KWD", price="1.234")

    text = statement_csv(monthly_statements(session, shop_id))

    rows = text.splitlines()
    assert rows[0] == "month,currency,time_zone,section,label,minor_units,amount,status,digest"
    assert "2026-10,KWD,UTC,ledger,Net revenue,2468,2.468,open," in rows
    assert "2026-10,KWD,UTC,credits,directly by cross_sell,2468,2.468,open," in rows
    assert "2026-10,KWD,UTC,residual,Not explained,0,0.000,open," in rows


class Reader(HTMLParser):
    """Notes tags and whatever a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.tags, self.fetched = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_the_page_names_its_language_and_rows_and_fetches_nothing(session, shop_id):
    sell(session, shop_id, 1, OCTOBER)
    lock_statements(session, shop_id, "2026-10", now=CLOSING)

    page = statement_html(monthly_statements(session, shop_id), FRESH, shop="<b>one</b>.myshopify.com")

    reader = Reader()
    reader.feed(page)
    assert reader.fetched == []
    assert not {"script", "link", "img", "iframe", "b"} & set(reader.tags)
    assert '<html lang="en">' in page
    assert '<th scope="row">Net revenue</th><td>20.00</td>' in page
    assert "url(" not in page
    assert "Locked 2026-11-01T00:00:00+00:00, SHA-256" in page


@pytest.mark.parametrize(
    ("month", "following"), [("2026-09", "2026-10"), ("2026-12", "2027-01"), ("2026-11", "2026-12")]
)
def test_months_follow_each_other_over_the_year(month, following):
    assert next_month(month) == following


@pytest.fixture
def command(database, tmp_path):
    with database.write() as session:
        shop_id = add_shop(session, "one.myshopify.com")
        bind_shop(session, shop_id)
        sell(session, shop_id, 1, OCTOBER)
    return Command(database, tmp_path)


ONE = ("--shop", "one.myshopify.com", "--month", "2026-10")


def test_the_command_writes_a_statement_in_each_form(command, tmp_path):
    document = json.loads(command("statement", *ONE).stdout)
    page = tmp_path / "october.html"
    result = command("statement", *ONE, "--format", "html", "--out", page)

    assert [found["ledger_minor_units"] for found in document["statements"]] == [2000]
    assert "2026-10,USD,UTC,ledger,Net revenue,2000,20.00,open," in command("statement", *ONE, "--format", "csv").stdout
    assert (result.exit_code, result.stdout) == (0, "")
    assert page.read_text().startswith("<!doctype html>")


def test_the_command_locks_a_month_once_it_is_over(command):
    locked = json.loads(command("statement", *ONE, "--lock").stdout)["statements"][0]

    assert locked["is_locked"] is True
    assert json.loads(command("statement", *ONE).stdout)["statements"] == [locked]
    assert command("statement", "--shop", "one.myshopify.com", "--month", "2999-01", "--lock").exit_code == 2
    assert command("statement", "--shop", "one.myshopify.com", "--month", "2026-13").exit_code == 2
