"""A month's statement in one currency: its figures, and what later facts changed about months already closed. Pure.

Nothing but the standard library is needed, so that the open export can be added up without the app.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from shopify_upsell.core import InvalidInput, digest_of

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
class ResidualItem:
    """An order whose credits do not add up. Units: minor units; `residual` = ledger - credited."""

    order_id: int
    ledger_minor_units: int
    credited_minor_units: int
    residual_minor_units: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """By how much later facts changed the figures of a month that is closed, as booked in a later month.

    `changes` by the figure's name; a book's is `book:` and its name. Units: minor units, orders for the counts.
    """

    month: str
    changes: tuple[tuple[str, int], ...]

    @property
    def ledger_minor_units(self) -> int:
        """Change of net revenue."""
        return dict(self.changes).get("ledger_minor_units", 0)


@dataclass(frozen=True, slots=True)
class Statement:
    """One month in one currency. Units: minor units.

    gross - discounts - taxes - gift_cards - refunds - edits - unbooked + order_residual = ledger;
    ledger - direct - assisted - unattributed - order_residual_credit = residual, which is 0 once every order is
    settled, and otherwise itemised. Assisted lines are shown apart and never part of what offers earned.
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
    assisted_minor_units: int = 0
    assisted_books: tuple[BookTotal, ...] = ()
    residual_items: tuple[ResidualItem, ...] = ()
    adjustments: tuple[Adjustment, ...] = field(default=())
    is_locked: bool = False
    locked_at: str | None = None
    digest: str | None = None

    @property
    def closing_minor_units(self) -> int:
        """Net revenue of the month and of what changed in closed months."""
        return self.ledger_minor_units + sum(part.ledger_minor_units for part in self.adjustments)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        document = asdict(self) | {
            name: [asdict(part) for part in getattr(self, name)]
            for name in ("books", "assisted_books", "residual_items")
        }
        document["adjustments"] = [{"month": part.month, "changes": dict(part.changes)} for part in self.adjustments]
        return document | {"closing_minor_units": self.closing_minor_units}


def statement_from_json(document: Mapping[str, Any]) -> Statement:
    """Read back what `to_json` wrote."""
    given = {each.name: document[each.name] for each in fields(Statement) if each.name in document}
    given["books"] = tuple(BookTotal(**part) for part in document["books"])
    given["assisted_books"] = tuple(BookTotal(**part) for part in document["assisted_books"])
    given["residual_items"] = tuple(ResidualItem(**part) for part in document["residual_items"])
    given["adjustments"] = tuple(
        Adjustment(part["month"], tuple(sorted(part["changes"].items()))) for part in document["adjustments"]
    )
    return Statement(**given)


def figures_of(statement: Statement) -> dict[str, int]:
    """Every number of a statement's own month by name; books as `book:` and their name."""
    numbers = {
        each.name: getattr(statement, each.name)
        for each in fields(statement)
        if isinstance(getattr(statement, each.name), int) and each.name != "is_locked"
    }
    numbers |= {f"book:{part.book}": part.amount_minor_units for part in statement.books}
    return numbers | {f"assisted_book:{part.book}": part.amount_minor_units for part in statement.assisted_books}


def closing_document(statement: Statement) -> dict[str, Any]:
    """What is kept and digested when a month is closed."""
    return replace(statement, is_locked=False, locked_at=None, digest=None).to_json()


def closed_form(document: Mapping[str, Any], *, locked_at: datetime, digest: str) -> Statement:
    """The statement as it was closed. Raises: InvalidInput when the document no longer has its digest."""
    if digest_of(document) != digest:
        raise InvalidInput(f"the locked statement of {document.get('month')} was altered", code="statement_altered")
    opened = statement_from_json(document)
    return replace(opened, is_locked=True, locked_at=locked_at.isoformat(), digest=digest)


def empty_statement(month: str, time_zone: str, currency: str) -> Statement:
    """A month without orders."""
    counts = {each.name: 0 for each in fields(Statement) if each.name.endswith(("_minor_units", "_count"))}
    return Statement(month=month, time_zone=time_zone, currency=currency, books=(), **counts)  # type: ignore[arg-type]


def adjustments_due(
    month: str, computed: Mapping[str, Statement], closed: Mapping[str, Statement]
) -> tuple[Adjustment, ...]:
    """What an open month must take on for closed ones: their change since closing, less what was taken on before.

    The first open month after a closed one takes its changes. `computed` and `closed` hold one currency, by month;
    a closed month that has no orders any more is computed as an empty one.
    """
    due = []
    for earlier in sorted(closed):
        if earlier < month and first_open_after(earlier, closed) == month:
            changes = _changes(earlier, computed, closed)
            if changes:
                due.append(Adjustment(earlier, changes))
    return tuple(due)


def first_open_after(month: str, closed: Mapping[str, Statement]) -> str:
    """The first month after this one that is not closed."""
    following = next_month(month)
    while following in closed:
        following = next_month(following)
    return following


def next_month(month: str) -> str:
    """The month after, both as YYYY-MM."""
    year, number = divmod(int(month[:4]) * 12 + int(month[5:7]), 12)
    return f"{year:04d}-{number + 1:02d}"


def _changes(
    earlier: str, computed: Mapping[str, Statement], closed: Mapping[str, Statement]
) -> tuple[tuple[str, int], ...]:
    before = closed[earlier]
    now = computed.get(earlier) or empty_statement(earlier, before.time_zone, before.currency)
    change = {name: -number for name, number in figures_of(before).items()}
    for name, number in figures_of(now).items():
        change[name] = change.get(name, 0) + number
    for later in closed.values():
        for taken in later.adjustments:
            if taken.month == earlier:
                for name, number in taken.changes:
                    change[name] = change.get(name, 0) - number
    return tuple(sorted((name, number) for name, number in change.items() if number))
