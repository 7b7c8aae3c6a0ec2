"""Count exposures: from decisions, who could first have seen a difference, in which arm, and when.

Comes in: decisions since the last time, and again those of some minutes before, because some are stored late. Goes out:
one record a person, experiment and phase. A decision counted twice, or in another order, changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderRow, batches
from shopify_upsell.offers.candidate import POST_PURCHASE, POST_PURCHASE_LIFETIME
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.unit_store import Sighting, cart_subject, hold_units, people_of
from shopify_upsell.reports.measures import Totals
from shopify_upsell.reports.outcome_store import (
    Change,
    UnitRecord,
    counted_until,
    put_changes,
    put_notes,
    read_notes,
    records_of_people,
    set_counted_until,
)
from shopify_upsell.reports.outcomes import join_people, measure_dismissed, measure_people
from shopify_upsell.reports.triggers import DecisionReader, Exposure, Seen

log = logging.getLogger(__name__)

Write = Callable[[Session], None]

OVERLAP = timedelta(minutes=2)
"""Decisions read again each time: one is stored some seconds after it was made."""

SWEEP = timedelta(hours=25)
"""Decisions read again once a day, for those that were stored later than that."""

FIRST_LOOK = timedelta(days=90)
"""How far back the first count goes: as long as decisions are kept."""

DECISIONS_AT_ONCE = 500
MOST_AT_ONCE = 20_000
"""Decisions a job counts before it lets others work; the next run goes on."""


class ExposureCount:
    """The job: it reads and replays in no transaction of its own, and writes a page at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, job: Job) -> Write:
        """Count what is new; return the write that remembers up to when."""
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            place = start = start_of(session, job.shop_id, job.now)
        for _ in range(MOST_AT_ONCE // DECISIONS_AT_ONCE):
            with self._database.read() as session:
                bind_shop(session, job.shop_id)
                seen, following = read_page(session, job.shop_id, place)
            with self._database.write() as session:
                bind_shop(session, job.shop_id)
                take_seen(session, job.shop_id, seen)
            if following is None:
                place = (job.now, "")
                break
            place = following
        until = place[0]
        with self._database.write() as session:
            bind_shop(session, job.shop_id)
            measure_dismissed(session, job.shop_id, since=start[0])

        def write(session: Session) -> None:
            set_counted_until(session, job.shop_id, until)

        return write


def count_exposures(session: Session, shop_id: ShopId, *, now: datetime, since: datetime | None = None) -> int:
    """Count everything from `since`, or from where counting stopped, in one transaction. Returns decisions read."""
    start = (since, "") if since is not None else start_of(session, shop_id, now)
    place: tuple[datetime, str] | None = start
    count = 0
    while place is not None:
        seen, place = read_page(session, shop_id, place)
        take_seen(session, shop_id, seen)
        count += len(seen)
    measure_dismissed(session, shop_id, since=start[0])
    set_counted_until(session, shop_id, now)
    return count


def start_of(session: Session, shop_id: ShopId, now: datetime) -> tuple[datetime, str]:
    """Where to begin reading."""
    until = counted_until(session, shop_id)
    if until is None:
        return (now - FIRST_LOOK, "")
    return (until - (SWEEP if until.date() < now.date() else OVERLAP), "")


def read_page(
    session: Session, shop_id: ShopId, place: tuple[datetime, str]
) -> tuple[list[Seen], tuple[datetime, str] | None]:
    """Read some decisions after a place (time, decision id), and where to go on; None when there are no more."""
    row = DecisionRow.__table__.c
    moment, decision_id = place
    is_after = or_(row.decided_at > moment, (row.decided_at == moment) & (row.decision_id > decision_id))
    wanted = (
        select(row.decision_id, row.decided_at, row.placement, row.unit, row.is_holdout, row.offer_count, row.inputs,
               row.answer)
        .where(row.shop_id == shop_id, is_after)
        .order_by(row.decided_at, row.decision_id)
        .limit(DECISIONS_AT_ONCE)
    )  # fmt: skip
    found = session.execute(wanted).all()
    reader = DecisionReader(session, shop_id, found)
    seen = [reader.seen(each) for each in found if each.unit is not None]
    is_last = len(found) < DECISIONS_AT_ONCE
    return seen, None if is_last else (found[-1].decided_at, found[-1].decision_id)


def take_seen(session: Session, shop_id: ShopId, seen: Sequence[Seen]) -> None:
    """Write what was seen: names, records, and what everybody concerned amounts to by now."""
    if not seen:
        return
    hold_units(session, shop_id)
    named = join_people(session, shop_id, [each.sighting for each in seen])
    told = join_people(session, shop_id, _orders_of_carts(session, shop_id, named.new_subjects))
    people = people_of(session, shop_id, {*named.person_by_subject, *told.person_by_subject})
    changed = _put_records(session, shop_id, seen, people)
    _put_differences(session, shop_id, seen)
    # A new name may bring orders along, and whoever was joined with somebody amounts to nothing until measured.
    changed |= {people[name] for name in named.new_subjects | told.new_subjects}
    changed |= {*named.moved.values(), *told.moved.values()} & set(people.values())
    measure_people(session, shop_id, changed)


def _orders_of_carts(session: Session, shop_id: ShopId, people: Iterable[str]) -> list[Sighting]:
    """Customers who placed orders from carts just seen: an order may come before the decision is counted."""
    carts = sorted(name[2:] for name in people if name.startswith("t:"))
    found: list[Sighting] = []
    for batch in batches(carts):
        rows = select(OrderRow.cart_token, OrderRow.customer_id).where(
            OrderRow.shop_id == shop_id,
            OrderRow.cart_token.in_(batch),
            OrderRow.customer_id.is_not(None),
            KNOWN_ORDER,
        )
        found += [Sighting((cart_subject(row.cart_token), f"c:{row.customer_id}")) for row in session.execute(rows)]
    return found


def _put_records(session: Session, shop_id: ShopId, seen: Sequence[Seen], people: dict[str, int]) -> set[int]:
    """Write who was triggered. Returns the persons whose records changed."""
    held = {one.unit_key: one for one in records_of_people(session, shop_id, people.values())}
    after: dict[tuple[int, int, int], UnitRecord] = {}
    for each in seen:
        for exposure in each.exposures:
            record = _record(each, exposure, people[each.unit])
            known = after.get(record.unit_key) or held.get(record.unit_key)
            joined = record if known is None else known.joined(record)
            if known is None or _identity(joined) != _identity(known):
                after[record.unit_key] = joined
    put_changes(session, shop_id, [Change(held.get(key), record) for key, record in after.items()])
    return {record.person_id for record in after.values()}


def _record(seen: Seen, exposure: Exposure, person_id: int) -> UnitRecord:
    # Who is offered something right after paying takes it into an order that was placed before the decision.
    is_after_purchase = seen.request.surface == POST_PURCHASE
    customer_id: CustomerId | None = seen.request.customer_id
    return UnitRecord(
        experiment_id=exposure.experiment_id,
        phase=exposure.phase,
        person_id=person_id,
        arm=exposure.arm,
        first_at=seen.at,
        counts_from=seen.at - POST_PURCHASE_LIFETIME if is_after_purchase else seen.at,
        surface=seen.request.surface,
        customer_id=customer_id,
        totals=Totals(has_history=customer_id is not None),
    )


def _identity(record: UnitRecord) -> tuple[object, ...]:
    return (record.arm, record.first_at, record.counts_from, record.surface, record.customer_id, record.is_crossed)


def _put_differences(session: Session, shop_id: ShopId, seen: Sequence[Seen]) -> None:
    """Note what arms served unlike though they may not: it hides the results until somebody has looked."""
    found: dict[tuple[int, int], set[str]] = {}
    for each in seen:
        for exposure, fields in each.differences:
            found.setdefault((exposure.experiment_id, exposure.phase), set()).update(fields)
    for (experiment_id, phase), names in sorted(found.items()):
        notes = read_notes(session, shop_id, experiment_id, phase)
        notes["differences"] = sorted({*notes.get("differences", ()), *names})
        put_notes(session, shop_id, experiment_id, phase, notes)
        log.error(
            "arms_served_unlike", extra={"shop_id": shop_id, "experiment_id": experiment_id, "fields": sorted(names)}
        )
