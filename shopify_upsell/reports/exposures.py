"""Count exposures: from decisions, who could first have seen a difference, in which arm, and when.

Comes in: decisions since the last time, and again those of some minutes before, because some are stored late. Goes out:
one record a person, experiment and phase. A decision counted twice, or in another order, changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, DecisionId, NotFound, OfferId, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.experiments.layers import HOLDOUT, HOLDOUT_ID, OPEN, quarter_of
from shopify_upsell.experiments.running import arms_for
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderRow, batches
from shopify_upsell.offers.arms import placements_of
from shopify_upsell.offers.candidate import POST_PURCHASE, POST_PURCHASE_LIFETIME
from shopify_upsell.offers.counterfactual import ShownByArm, is_triggered, served_differences, shown_by_arm
from shopify_upsell.offers.decisions import DecisionRow, read_decision
from shopify_upsell.offers.experiment_store import DRAFT, Experiment, experiments_in
from shopify_upsell.offers.shelving import FRESH_SECONDS
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot
from shopify_upsell.offers.snapshot_json import request_from_json
from shopify_upsell.offers.store import all_offers
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
from shopify_upsell.reports.outcomes import join_people, measure_people

log = logging.getLogger(__name__)

Write = Callable[[Session], None]

OVERLAP = timedelta(minutes=10)
"""Decisions read again each time: one is stored some seconds after it was made, minutes where a database was down."""

FIRST_LOOK = timedelta(days=90)
"""How far back the first count goes: as long as decisions are kept."""

DECISIONS_AT_ONCE = 500
MOST_AT_ONCE = 20_000
"""Decisions a job counts before it lets others work; the next run goes on."""

SETTLING = timedelta(seconds=2 * FRESH_SECONDS)
"""A process may decide for some seconds by what it remembers: nobody counts for an experiment before it is over."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A trigger: experiment (0 is the holdout), phase (for it the quarter), and the arm the unit was assigned."""

    experiment_id: int
    phase: int
    arm: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision as counting sees it. `differences`: fields that arms served unlike though they may not."""

    unit: str
    at: datetime
    request: OfferRequest
    exposures: tuple[Exposure, ...]
    differences: tuple[tuple[Exposure, tuple[str, ...]], ...] = ()

    @property
    def sighting(self) -> Sighting:
        """The names that were seen together."""
        cart = (cart_subject(self.request.cart_token),) if self.request.cart_token else ()
        return Sighting(tuple(dict.fromkeys((self.unit, *self.request.subjects, *cart))), self.unit, self.at)


class ExposureCount:
    """The job: it reads and replays in no transaction of its own, and writes a page at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, job: Job) -> Write:
        """Count what is new; return the write that remembers up to when."""
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            place = start_of(session, job.shop_id, job.now)
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

        def write(session: Session) -> None:
            set_counted_until(session, job.shop_id, until)

        return write


def count_exposures(session: Session, shop_id: ShopId, *, now: datetime, since: datetime | None = None) -> int:
    """Count everything from `since`, or from where counting stopped, in one transaction. Returns decisions read."""
    place: tuple[datetime, str] | None = (since, "") if since is not None else start_of(session, shop_id, now)
    count = 0
    while place is not None:
        seen, place = read_page(session, shop_id, place)
        take_seen(session, shop_id, seen)
        count += len(seen)
    set_counted_until(session, shop_id, now)
    return count


def start_of(session: Session, shop_id: ShopId, now: datetime) -> tuple[datetime, str]:
    """Where to begin reading."""
    until = counted_until(session, shop_id)
    return (now - FIRST_LOOK if until is None else until - OVERLAP, "")


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
    reader = _Reader(session, shop_id, found)
    seen = [reader.seen(each) for each in found if each.unit is not None]
    is_last = len(found) < DECISIONS_AT_ONCE
    return seen, None if is_last else (found[-1].decided_at, found[-1].decision_id)


def take_seen(session: Session, shop_id: ShopId, seen: Sequence[Seen]) -> None:
    """Write what was seen: names, records, and what everybody concerned amounts to by now."""
    if not seen:
        return
    hold_units(session, shop_id)
    people = join_people(session, shop_id, [each.sighting for each in seen])
    people |= join_people(session, shop_id, _orders_of_carts(session, shop_id, people))
    people = people_of(session, shop_id, people)
    _put_records(session, shop_id, seen, people)
    _put_differences(session, shop_id, seen)
    measure_people(session, shop_id, people.values())


class _Reader:
    """Reads a page of decisions. Holds what was counted of their units before, so that little is replayed."""

    def __init__(self, session: Session, shop_id: ShopId, page: Sequence[Any]) -> None:
        self._session, self._shop_id = session, shop_id
        self._experiments = [one for one in experiments_in(session, shop_id) if one.state != DRAFT]
        people = people_of(session, shop_id, {row.unit for row in page if row.unit is not None})
        held = {(one.person_id, one.experiment_id, one.phase): one for one in
                records_of_people(session, shop_id, people.values())}  # fmt: skip
        self._people, self._held = people, held
        self._offers = {offer.offer_id: offer for offer in all_offers(session, shop_id)}

    def seen(self, row: Any) -> Seen:
        """What a decision means for its unit."""
        running = [one for one in self._experiments if self._may_matter(row, one)]
        decision = _Decision(self._session, self._shop_id, row, running)
        exposures, differences = [], []
        for each in self._assigned(row, decision):
            if self._is_known(row, each):
                continue
            if decision.triggers(each.experiment_id):
                exposures.append(each)
                found = decision.differences(each.experiment_id)
                differences += [(each, found)] if found else []
        return Seen(row.unit, row.decided_at, decision.request, tuple(exposures), tuple(differences))

    def _may_matter(self, row: Any, experiment: Experiment) -> bool:
        """Tell whether the experiment ran, and its offer may appear where the decision was asked for."""
        ran = experiment.ran_at(row.decided_at) and experiment.ran_at(row.decided_at - SETTLING)
        offer = self._offers.get(OfferId(experiment.running.offer_id))
        return ran and offer is not None and row.placement in placements_of(offer, experiment.running.arms)

    def _assigned(self, row: Row[Any], decision: "_Decision") -> list[Exposure]:
        holdout = Exposure(HOLDOUT_ID, quarter_of(row.decided_at), HOLDOUT if row.is_holdout else OPEN)
        return [holdout, *(Exposure(one.experiment_id, one.phase, one.arm) for one in decision.assigned)]

    def _is_known(self, row: Row[Any], exposure: Exposure) -> bool:
        """Tell whether the unit was triggered before, in the same arm: then this decision adds nothing."""
        person = self._people.get(row.unit)
        held = None if person is None else self._held.get((person, exposure.experiment_id, exposure.phase))
        return held is not None and held.arm == exposure.arm and held.first_at <= row.decided_at


class _Decision:
    """One stored decision and, where it is needed, what each arm would have answered. Replays happen once."""

    def __init__(self, session: Session, shop_id: ShopId, row: Row[Any], running: Sequence[Experiment]) -> None:
        self._session, self._shop_id, self._row = session, shop_id, row
        self._running = {one.experiment_id: one.running for one in running}
        self.request = request_from_json(row.inputs)
        self.assigned = arms_for(self._running.values(), row.unit, is_holdout=row.is_holdout)
        self._shown: dict[int, ShownByArm] = {}
        self._snapshot: Snapshot | None = None

    def triggers(self, experiment_id: int) -> bool:
        """Tell whether any arm would have shown what the experiment is about."""
        if experiment_id == HOLDOUT_ID:
            # Whoever is held out gets the offers as written; an arm may show one where those show none.
            return self._row.offer_count > 0 or any(is_triggered(self._arms(number)) for number in self._running)
        return is_triggered(self._arms(experiment_id))

    def differences(self, experiment_id: int) -> tuple[str, ...]:
        """Fields in which the arms' offers differ though they may not."""
        if experiment_id == HOLDOUT_ID:
            return ()
        return served_differences(self._running[experiment_id].kind, self._arms(experiment_id))

    def _arms(self, experiment_id: int) -> ShownByArm:
        if experiment_id not in self._shown:
            experiment = self._running[experiment_id]
            others = [one for number, one in self._running.items() if number != experiment_id]
            snapshot = self._whole()
            is_gone = snapshot is None
            self._shown[experiment_id] = (
                {} if is_gone or snapshot is None else shown_by_arm(snapshot, experiment, others, self.assigned)
            )
        return self._shown[experiment_id]

    def _whole(self) -> Snapshot | None:
        """The stored snapshot; None when a part of it has been retired."""
        if self._snapshot is None:
            try:
                decision_id = DecisionId(self._row.decision_id)
                self._snapshot = read_decision(self._session, self._shop_id, decision_id).inputs
            except NotFound:
                log.warning("exposure_not_replayed", extra={"shop_id": self._shop_id})
        return self._snapshot


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


def _put_records(session: Session, shop_id: ShopId, seen: Sequence[Seen], people: dict[str, int]) -> None:
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
