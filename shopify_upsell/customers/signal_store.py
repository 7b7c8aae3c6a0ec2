"""Keep and read signals and the profiles that follow from them. Rows leave as frozen dataclasses.

Every write is repeatable and independent of the order in which things are told: what is kept of one thing is decided
by when it happened, and a profile is always summed up again from all that is kept.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, OrderId, ShopId, digest_of
from shopify_upsell.customers.profile_store import customers_after, profiles_of, refresh_profiles
from shopify_upsell.customers.readiness import Readiness, readiness_of
from shopify_upsell.customers.shopper import ANONYMOUS, Shopper, is_remembered, shopper_of
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_tables import SIGNAL_COLUMNS, ProfileRow, SignalRow, signal_of
from shopify_upsell.customers.signals import FIRST_WORD_COUNTS, LASTING, REMEMBERED, STANDING
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.store import redacted_customers
from shopify_upsell.ledger.tables import batches, lock_orders

MOST_SCANNED = 2000
"""Customers looked at for one page of a list: their states change with time, so no index holds them."""


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A customer of the merchant's list, and why they are in their state."""

    subject: str
    stage: str
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """A page of customers. `next_after` continues the list; None at its end. A page may be short and not the last."""

    customers: tuple[ListedCustomer, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class OrderSignals:
    """Whose an order is, and what follows from it."""

    subject: str
    signals: tuple[Signal, ...]


def record_signals(session: Session, shop_id: ShopId, signals: Iterable[Signal], now: datetime) -> int:
    """Keep what is new and bring the profiles it concerns up to date. Returns how many tellings changed anything.

    What no longer counts is left out, and so are customers who asked to be forgotten; nobody is forgotten meanwhile.
    """
    lock_orders(session, shop_id, [])
    counting = [signal for signal in signals if signal.kind in LASTING or is_remembered(signal, now)]
    wanted = _without_the_forgotten(session, shop_id, counting)
    changed = _upsert(session, shop_id, wanted)
    refresh_profiles(session, shop_id, changed)
    return len(changed)


def read_shopper(session: Session, shop_id: ShopId, subjects: Sequence[str], *, now: datetime) -> Shopper:
    """Read what a decision may know of a person under all their names, with at most two selects.

    A signal told of one name counts for the person; the profile is the customer's.
    """
    if not subjects:
        return ANONYMOUS
    signals = [signal_of(row) for row in session.execute(_remembered(shop_id, subjects, now))]
    customers = [subject for subject in subjects if subject.startswith("c:")]
    profiles = profiles_of(session, shop_id, customers) if customers else {}
    profile = profiles.get(customers[0]) if customers else None
    return shopper_of(profile, signals, is_known=bool(customers), now=now)


def read_shoppers(session: Session, shop_id: ShopId, subjects: Sequence[str], *, now: datetime) -> dict[str, Shopper]:
    """Read many customers at once, by subject; those without a profile are absent."""
    signals: dict[str, list[Signal]] = {}
    for row in session.execute(_remembered(shop_id, subjects, now)):
        signals.setdefault(row.subject, []).append(signal_of(row))
    profiles = profiles_of(session, shop_id, subjects)
    return {
        subject: shopper_of(profile, signals.get(subject, ()), is_known=True, now=now)
        for subject, profile in profiles.items()
    }


def told_of_another(session: Session, shop_id: ShopId, signals: Sequence[Signal]) -> list[int]:
    """Which of the signals, by place, bear a name that already belongs to another customer's signal.

    Kept, one of the two would be lost in silence. A browser's signal may become its customer's.
    """
    owners: dict[tuple[str, str, str], str] = {}
    names = sorted({signal.external_id for signal in signals})
    for batch in batches(names):
        rows = select(SignalRow.source, SignalRow.external_id, SignalRow.kind, SignalRow.subject).where(
            SignalRow.shop_id == shop_id, SignalRow.external_id.in_(batch), SignalRow.subject.like("c:%")
        )
        owners.update({(row.source, row.external_id, row.kind): row.subject for row in session.execute(rows)})
    foreign: list[int] = []
    for place, signal in enumerate(signals):
        if signal.subject.startswith("c:"):
            owner = owners.setdefault((signal.source, signal.external_id, signal.kind), signal.subject)
            foreign += [place] if owner != signal.subject else []
    return foreign


def customers_by_state(
    session: Session, shop_id: ShopId, state: str, *, now: datetime, after: str = "", limit: int = 50
) -> CustomerPage:
    """List customers who are ready, not yet, or on hold at this moment, with their reasons, by subject."""
    found: list[ListedCustomer] = []
    for _ in range(MOST_SCANNED // limit):
        subjects = customers_after(session, shop_id, after, limit)
        shoppers = read_shoppers(session, shop_id, subjects, now=now)
        for after in subjects:
            shopper = shoppers[after]
            readiness = readiness_of(shopper, now=now)
            if readiness.state == state:
                found.append(ListedCustomer(after, shopper.stage, readiness))
                if len(found) == limit:
                    return CustomerPage(tuple(found), after)
        if len(subjects) < limit:
            return CustomerPage(tuple(found), None)
    return CustomerPage(tuple(found), after)


def signals_of_subject(session: Session, shop_id: ShopId, subject: str) -> list[Signal]:
    """Everything told of one name, the earliest first: what a customer is shown who asks what is held."""
    rows = select(*SIGNAL_COLUMNS).where(SignalRow.shop_id == shop_id, SignalRow.subject == subject)
    return [signal_of(row) for row in session.execute(rows.order_by(SignalRow.occurred_at, SignalRow.kind))]


def erase_signals_of(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget signals and profile of one name; return how many rows there were."""
    count = 0
    for row in (SignalRow, ProfileRow):
        mine = (row.shop_id == shop_id, row.subject == subject)
        count += session.scalar(select(func.count()).select_from(row).where(*mine)) or 0
        session.execute(delete(row).where(*mine).execution_options(synchronize_session=False))
    return count


def move_signals(session: Session, shop_id: ShopId, visitor: str, customer: str) -> None:
    """Give a customer the signals of the browser they used before they logged in."""
    of_visitor = update(SignalRow).where(SignalRow.shop_id == shop_id, SignalRow.subject == visitor)
    session.execute(of_visitor.values(subject=customer).execution_options(synchronize_session=False))
    refresh_profiles(session, shop_id, [customer])


def replace_of_orders(
    session: Session, shop_id: ShopId, source: str, kinds: Collection[str], orders: Mapping[OrderId, OrderSignals]
) -> None:
    """Make what is kept of orders under some kinds exactly what is wanted.

    Whatever else the source told of an order goes to the person whose order it is.
    """
    of_source = (SignalRow.shop_id == shop_id, SignalRow.source == source, SignalRow.order_id.in_(orders))
    columns = (SignalRow.order_id, SignalRow.kind, SignalRow.external_id, SignalRow.subject)
    held = session.execute(select(*columns).where(*of_source)).all()
    wanted = [signal for order in orders.values() for signal in order.signals]
    keys = {(signal.kind, signal.external_id) for signal in wanted}
    for row in held:
        if row.kind in kinds and (row.kind, row.external_id) not in keys:
            gone = (*of_source, SignalRow.kind == row.kind, SignalRow.external_id == row.external_id)
            session.execute(delete(SignalRow).where(*gone).execution_options(synchronize_session=False))
    for order_id in {OrderId(row.order_id) for row in held if row.subject != orders[row.order_id].subject}:
        mine = (SignalRow.shop_id == shop_id, SignalRow.source == source, SignalRow.order_id == order_id)
        moved = update(SignalRow).where(*mine).values(subject=orders[order_id].subject)
        session.execute(moved.execution_options(synchronize_session=False))
    _upsert(session, shop_id, wanted, is_replacing=True)
    refresh_profiles(session, shop_id, {row.subject for row in held} | {order.subject for order in orders.values()})


def erase_old_signals(session: Session, shop_id: ShopId, now: datetime) -> int:
    """Erase what no longer counts: everything past its time but what stage, consent and opt-out are made of.

    Of visitors and of orders without a customer, everything goes.
    """
    is_over = and_(SignalRow.shop_id == shop_id, SignalRow.occurred_at <= now - REMEMBERED)
    is_kept = and_(SignalRow.kind.in_(sorted(LASTING | STANDING)), SignalRow.subject.like("c:%"))
    count = session.scalar(select(func.count()).select_from(SignalRow).where(is_over, ~is_kept)) or 0
    session.execute(delete(SignalRow).where(is_over, ~is_kept).execution_options(synchronize_session=False))
    return count


def latest_of_kinds(session: Session, shop_id: ShopId, kinds: Collection[str], source: str, limit: int) -> list[Signal]:
    """The latest signals of some kinds from one source."""
    rows = select(*SIGNAL_COLUMNS).where(
        SignalRow.shop_id == shop_id, SignalRow.kind.in_(sorted(kinds)), SignalRow.source == source
    )
    return [signal_of(row) for row in session.execute(rows.order_by(SignalRow.occurred_at.desc()).limit(limit))]


def _without_the_forgotten(session: Session, shop_id: ShopId, signals: Sequence[Signal]) -> list[Signal]:
    numbers = {signal.subject: signal.subject[2:] for signal in signals if signal.subject.startswith("c:")}
    customers = {subject: CustomerId(int(number)) for subject, number in numbers.items()}
    forgotten = redacted_customers(session, shop_id, set(customers.values())) if customers else frozenset()
    return [signal for signal in signals if customers.get(signal.subject) not in forgotten]


def _upsert(session: Session, shop_id: ShopId, signals: Sequence[Signal], *, is_replacing: bool = False) -> list[str]:
    """Insert or renew rows; return the subject of each that changed. Whose a signal is changes by moving only."""
    one_each: dict[tuple[str, str, str], Signal] = {}
    for signal in sorted(signals, key=_seniority):
        one_each[signal.source, signal.external_id, signal.kind] = signal
    insert = dialect_insert(session)
    changed: list[str] = []
    for batch in batches(list(one_each.values())):
        statement = insert(SignalRow).values([_values(shop_id, signal) for signal in batch])
        new = statement.excluded
        kept = ["occurred_at", "value", "order_id", "product_id", "reason", "digest"]
        upsert = statement.on_conflict_do_update(
            index_elements=["shop_id", "source", "external_id", "kind"],
            set_={name: new[name] for name in kept},
            where=SignalRow.digest != new.digest if is_replacing else _is_senior(new),
        ).returning(SignalRow.subject)
        changed += session.scalars(upsert)
    return changed


def _is_senior(new: Any) -> Any:
    """Which of two tellings of one thing is kept: the later, but of some kinds the earlier."""
    first = SignalRow.kind.in_(sorted(FIRST_WORD_COUNTS))
    same, differs = new.occurred_at == SignalRow.occurred_at, new.digest > SignalRow.digest
    return or_(
        and_(first, new.occurred_at < SignalRow.occurred_at),
        and_(~first, new.occurred_at > SignalRow.occurred_at),
        and_(same, differs),
    )


def _seniority(signal: Signal) -> tuple[float, str]:
    """Orders tellings of one thing so that the last is the one `_is_senior` would keep."""
    sign = -1 if signal.kind in FIRST_WORD_COUNTS else 1
    return sign * signal.occurred_at.timestamp(), _digest(signal)


def _digest(signal: Signal) -> str:
    content = [signal.occurred_at, signal.value, signal.order_id, signal.product_id, signal.reason]
    return digest_of(content)[:16]


def _values(shop_id: ShopId, signal: Signal) -> dict[str, Any]:
    return {"shop_id": shop_id, "digest": _digest(signal), **asdict(signal)}


def _remembered(shop_id: ShopId, subjects: Sequence[str], now: datetime) -> Any:
    counts = or_(SignalRow.occurred_at > now - REMEMBERED, SignalRow.kind.in_(sorted(STANDING)))
    return select(*SIGNAL_COLUMNS).where(SignalRow.shop_id == shop_id, SignalRow.subject.in_(subjects), counts)
