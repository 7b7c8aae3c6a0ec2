"""The monthly statement: from gross to net as the ledger has it, and who earned the net. The residual must be 0.

A month is the shop's own (its time zone), by the time an order was placed: a refund changes the month of its order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from shopify_upsell.attribution.store import CreditTotal, credit_totals
from shopify_upsell.core import InvalidInput, ShopId
from shopify_upsell.ledger.store import LedgerTotal, ledger_totals, order_period
from shopify_upsell.money import Money
from shopify_upsell.reports.overview import credited
from shopify_upsell.shops.store import get_shop

LINES = (
    ("Gross sales", "gross_minor_units", 1),
    ("Discounts", "discounts_minor_units", -1),
    ("Taxes in prices", "taxes_minor_units", -1),
    ("Gift cards sold", "gift_cards_minor_units", -1),
    ("Refunds", "refunds_minor_units", -1),
    ("Removed by edits", "edits_minor_units", -1),
    ("Cancelled, unpaid or test orders", "unbooked_minor_units", -1),
    ("Refunded beyond lines", "order_residual_minor_units", 1),
    ("Net revenue", "ledger_minor_units", 1),
)
"""Label, field, and the sign it has in the sum that ends in net revenue."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current the numbers are: when the newest handled delivery came in, and how many wait."""

    as_of: datetime
    newest_event_at: datetime | None
    waiting_events: int

    def to_json(self) -> dict[str, Any]:
        """Times in ISO 8601; the lag in seconds, null before the first delivery."""
        newest = self.newest_event_at
        return {
            "as_of": self.as_of.isoformat(),
            "newest_event_at": newest.isoformat() if newest else None,
            "lag_seconds": max(0, round((self.as_of - newest).total_seconds())) if newest else None,
            "waiting_events": self.waiting_events,
        }


@dataclass(frozen=True, slots=True)
class BookTotal:
    """What one kind of offer earned. Units: order lines, units sold, minor units."""

    book: str
    line_count: int
    quantity: int
    amount_minor_units: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One month in one currency. Units: minor units.

    gross - discounts - taxes - gift_cards - refunds - edits - unbooked + order_residual = ledger;
    ledger - direct - unattributed - order_residual_credit = residual, which is 0 once every order is settled.
    """

    month: str
    time_zone: str
    currency: str
    order_count: int
    unbooked_count: int
    gross_minor_units: int
    discounts_minor_units: int
    taxes_minor_units: int
    gift_cards_minor_units: int
    refunds_minor_units: int
    edits_minor_units: int
    unbooked_minor_units: int
    order_residual_minor_units: int
    ledger_minor_units: int
    books: tuple[BookTotal, ...]
    direct_minor_units: int
    unattributed_minor_units: int
    order_residual_credit_minor_units: int
    residual_minor_units: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"books": [asdict(book) for book in self.books]}


def monthly_statements(session: Session, shop_id: ShopId, *, month: str | None = None) -> list[Statement]:
    """Statements by month and currency; `month` as YYYY-MM, None for every month that has orders.

    Raises: InvalidInput for a month that is none.
    """
    zone = _zone(get_shop(session, shop_id).time_zone)
    months = [_first_day(month, zone)] if month is not None else _months(order_period(session, shop_id), zone)
    found: list[Statement] = []
    for first in months:
        since, until = first.astimezone(UTC), _next_month(first).astimezone(UTC)
        credits = credit_totals(session, shop_id, since=since, until=until)
        for total in ledger_totals(session, shop_id, since=since, until=until):
            found.append(_statement(f"{first:%Y-%m}", zone.key, total, credits))
    return found


def statement_text(statements: Sequence[Statement], freshness: Freshness) -> str:
    """The statements as a table for people."""
    parts = [_table(statement) for statement in statements] or ["No orders in this period.\n"]
    newest = freshness.newest_event_at
    seen = f"{newest:%Y-%m-%d %H:%M:%S} UTC" if newest else "never"
    stamp = f"As of {freshness.as_of:%Y-%m-%d %H:%M:%S} UTC; newest delivery handled {seen}"
    return "\n".join([*parts, f"{stamp}; {freshness.waiting_events} waiting."])


def _statement(month: str, zone: str, ledger: LedgerTotal, credits: list[CreditTotal]) -> Statement:
    direct = credited(credits, ledger.currency, "direct")
    unattributed = credited(credits, ledger.currency, "unattributed")
    beyond_lines = credited(credits, ledger.currency, "residual")
    return Statement(
        month=month,
        time_zone=zone,
        currency=ledger.currency,
        order_count=ledger.order_count,
        unbooked_count=ledger.unbooked_count,
        gross_minor_units=ledger.gross,
        discounts_minor_units=ledger.discounts,
        taxes_minor_units=ledger.taxes,
        gift_cards_minor_units=ledger.gift_cards,
        refunds_minor_units=ledger.refunds,
        edits_minor_units=ledger.edits,
        unbooked_minor_units=ledger.unbooked,
        order_residual_minor_units=ledger.order_residual,
        ledger_minor_units=ledger.ledger,
        books=tuple(
            BookTotal(part.book or "", part.line_count, part.quantity, part.amount)
            for part in credits
            if part.currency == ledger.currency and part.credit_class == "direct"
        ),
        direct_minor_units=direct,
        unattributed_minor_units=unattributed,
        order_residual_credit_minor_units=beyond_lines,
        residual_minor_units=ledger.ledger - direct - unattributed - beyond_lines,
    )


def _table(statement: Statement) -> str:
    def row(label: str, minor_units: int) -> str:
        amount = Money(minor_units, statement.currency).to_decimal_string()
        return f"  {label:<36}{amount:>18}"

    counts = f"{statement.order_count} orders, {statement.unbooked_count} of them not booked"
    rows = [f"{statement.month} {statement.currency} ({statement.time_zone}): {counts}"]
    rows += [row(label, sign * getattr(statement, name)) for label, name, sign in LINES]
    rows += [row(f"  directly by {book.book}", book.amount_minor_units) for book in statement.books]
    rows.append(row("  unattributed", statement.unattributed_minor_units))
    rows.append(row("  refunded beyond lines", statement.order_residual_credit_minor_units))
    rows.append(row("Not explained", statement.residual_minor_units))
    return "\n".join(rows) + "\n"


def _months(period: tuple[datetime, datetime] | None, zone: ZoneInfo) -> Iterator[datetime]:
    if period is None:
        return
    first, last = (moment.astimezone(zone) for moment in period)
    month = datetime(first.year, first.month, 1, tzinfo=zone)
    while month <= last:
        yield month
        month = _next_month(month)


def _first_day(month: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    except ValueError as broken:
        raise InvalidInput("a month is written YYYY-MM") from broken


def _next_month(first: datetime) -> datetime:
    year, month = divmod(first.year * 12 + first.month, 12)
    return first.replace(year=year, month=month + 1)


def _zone(name: str | None) -> ZoneInfo:
    """The shop's time zone; UTC while it is not known, or when this machine has no data about it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
