"""The monthly statement: from gross to net as the ledger has it, and who earned the net. The residual must be 0.

A month is the shop's own (its time zone), by the time an order was placed: a refund changes the month of its order,
until that month is locked. From then on the locked statement stays as it is, to the digest, and what later facts
change about it is shown as an adjustment in the first month after it that is still open.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from shopify_upsell.attribution.months import LockedMonth, lock_month, locked_months, uneven_orders
from shopify_upsell.attribution.store import credit_totals
from shopify_upsell.core import ConflictingRequest, InvalidInput, ShopId, canonical_json, digest_of
from shopify_upsell.ledger.store import ledger_totals, order_period
from shopify_upsell.reports.month import (
    BookTotal,
    Freshness,
    ResidualItem,
    Statement,
    adjustments_due,
    closed_form,
    closing_document,
    empty_statement,
    first_open_after,
)
from shopify_upsell.reports.month import next_month as following_month
from shopify_upsell.reports.statement_forms import statement_text
from shopify_upsell.reports.totals import assemble
from shopify_upsell.shops.store import get_shop

__all__ = ["BookTotal", "Freshness", "Statement", "statement_text"]

By = dict[str, dict[str, Statement]]
"""Statements by currency, then by month."""


def monthly_statements(session: Session, shop_id: ShopId, *, month: str | None = None) -> list[Statement]:
    """Statements by month and currency; `month` as YYYY-MM, None for every month that has orders or adjustments.

    Raises: InvalidInput for a month that is none, or a locked statement that was altered.
    """
    zone = _zone(get_shop(session, shop_id).time_zone)
    asked = None if month is None else f"{_first_day(month, zone):%Y-%m}"
    closed = _closed(session, shop_id)
    needed = _months_needed(session, shop_id, zone, asked, closed)
    computed = _computed(session, shop_id, zone, needed)
    found: dict[tuple[str, str], Statement] = {}
    for currency in sorted(computed.keys() | closed.keys()):
        mine, locked = computed.get(currency, {}), closed.get(currency, {})
        for name in sorted(mine.keys() | locked.keys() | {first_open_after(earlier, locked) for earlier in locked}):
            if asked in (None, name) and (statement := _stated(name, zone, currency, mine, locked)) is not None:
                found[name, currency] = statement
    return [found[key] for key in sorted(found)]


def lock_statements(session: Session, shop_id: ShopId, month: str, *, now: datetime) -> list[Statement]:
    """Close a month in every currency for good. Currencies that were closed before stay as they are.

    Raises: ConflictingRequest while the month is not over, has no orders, or does not add up; InvalidInput.
    """
    zone = _zone(get_shop(session, shop_id).time_zone)
    if now < _next_month(_first_day(month, zone)):
        raise ConflictingRequest(f"{month} is not over yet", code="month_open")
    statements = monthly_statements(session, shop_id, month=month)
    if not statements:
        raise ConflictingRequest(f"{month} has nothing to lock", code="month_empty")
    if any(statement.residual_minor_units or statement.residual_items for statement in statements):
        raise ConflictingRequest(f"{month} does not add up yet", code="statement_unbalanced")
    for statement in statements:
        if not statement.is_locked:
            document = closing_document(statement)
            locked = LockedMonth(month, statement.currency, now, digest_of(document), canonical_json(document))
            lock_month(session, shop_id, locked)
    return monthly_statements(session, shop_id, month=month)


def _stated(
    month: str, zone: ZoneInfo, currency: str, computed: Mapping[str, Statement], closed: Mapping[str, Statement]
) -> Statement | None:
    """The statement of one month: as it was closed, else as it is now with what it takes on for closed months."""
    if month in closed:
        return closed[month]
    due = adjustments_due(month, computed, closed)
    now = computed.get(month)
    if now is None:
        now = empty_statement(month, zone.key, currency) if due else None
    return None if now is None else replace(now, adjustments=due)


def _computed(session: Session, shop_id: ShopId, zone: ZoneInfo, months: Sequence[str]) -> By:
    """Statements as the facts have them now."""
    found: By = {}
    for month in months:
        first = _first_day(month, zone)
        since, until = first.astimezone(UTC), _next_month(first).astimezone(UTC)
        credits = credit_totals(session, shop_id, since=since, until=until)
        uneven = uneven_orders(session, shop_id, since=since, until=until)
        for total in ledger_totals(session, shop_id, since=since, until=until):
            items = [
                ResidualItem(order.order_id, order.ledger, order.credited, order.ledger - order.credited)
                for order in uneven
                if order.currency == total.currency
            ]
            statement = assemble(month, zone.key, total, credits)
            found.setdefault(total.currency, {})[month] = replace(statement, residual_items=tuple(items))
    return found


def _closed(session: Session, shop_id: ShopId) -> By:
    found: By = {}
    for locked in locked_months(session, shop_id):
        statement = closed_form(json.loads(locked.document), locked_at=locked.locked_at, digest=locked.digest)
        found.setdefault(locked.currency, {})[locked.month] = statement
    return found


def _months_needed(session: Session, shop_id: ShopId, zone: ZoneInfo, asked: str | None, closed: By) -> list[str]:
    """Months to compute: those asked for, and closed ones whose changes an asked-for month takes on."""
    locked = {month for months in closed.values() for month in months}
    if asked is not None:
        return sorted({asked, *(month for month in locked if month < asked)})
    return sorted(locked | set(_months(order_period(session, shop_id), zone)))


def _months(period: tuple[datetime, datetime] | None, zone: ZoneInfo) -> Iterator[str]:
    if period is None:
        return
    first, last = (f"{moment.astimezone(zone):%Y-%m}" for moment in period)
    while first <= last:
        yield first
        first = following_month(first)


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
