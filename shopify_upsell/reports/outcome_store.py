"""Queries of outcomes: units, and the arms' statistics, which change together or not at all.

Every change goes through `put_changes`: a unit's row and the sums of its arm are written in one transaction, so the
sums are those of the rows at every commit.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ShopId, canonical_json
from shopify_upsell.experiments.moments import NO_UNITS, moments_from_json
from shopify_upsell.ledger.tables import batches, put_rows
from shopify_upsell.reports.measures import MEASURES, NOTHING, ByMeasure, Totals, added, moments_of, taken
from shopify_upsell.reports.outcome_tables import (
    ExperimentArmRow,
    ExperimentUnitRow,
    ExperimentWatchRow,
    ExposureMarkRow,
)

_TOTALS = {
    "net": "net",
    "margin": "margin",
    "attributed": "attributed",
    "refunded": "refunded",
    "orders": "order_count",
    "offer_orders": "offer_order_count",
    "refunded_orders": "refunded_order_count",
    "dismissals": "dismissal_count",
    "prior_net": "prior_net",
    "prior_margin": "prior_margin",
    "prior_orders": "prior_order_count",
    "first_ordered_at": "first_ordered_at",
}
"""Names of totals to names of columns. Whether there is a history follows from `customer_id`."""


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A person in one arm. See `ExperimentUnitRow` for the meaning of each part."""

    experiment_id: int
    phase: int
    person_id: int
    arm: str
    first_at: datetime
    counts_from: datetime
    surface: str
    customer_id: CustomerId | None
    is_crossed: bool = False
    totals: Totals = NOTHING

    @property
    def arm_key(self) -> tuple[int, int, str]:
        """The arm it counts in."""
        return (self.experiment_id, self.phase, self.arm)

    @property
    def unit_key(self) -> tuple[int, int, int]:
        """Its primary key within the shop."""
        return (self.experiment_id, self.phase, self.person_id)

    def joined(self, other: "UnitRecord") -> "UnitRecord":
        """Join two records of one person: the earliest trigger stays, totals are to be measured anew.

        Two triggers at one moment keep the arm that sorts first, so that the order of arrival plays no part.
        """
        first, later = sorted((self, other), key=_precedence)
        is_crossed = self.is_crossed or other.is_crossed or first.arm != later.arm
        nothing = replace(NOTHING, has_history=first.customer_id is not None)
        return replace(first, is_crossed=is_crossed, totals=nothing)


@dataclass(frozen=True, slots=True)
class Change:
    """A unit that came (`before` None), changed, or went (`after` None)."""

    before: UnitRecord | None
    after: UnitRecord | None


@dataclass(frozen=True, slots=True)
class ArmTotals:
    """An arm's statistics. `crossed`: units met in another arm as well."""

    arm: str
    crossed: int
    moments: ByMeasure

    @property
    def units(self) -> int:
        """Units in the arm."""
        return next(iter(self.moments.values())).n


def records_of_people(session: Session, shop_id: ShopId, person_ids: Collection[int]) -> list[UnitRecord]:
    """Every record of some persons, by experiment, phase and person."""
    found: list[UnitRecord] = []
    for batch in batches(sorted(set(person_ids))):
        rows = select(ExperimentUnitRow.__table__).where(
            ExperimentUnitRow.shop_id == shop_id, ExperimentUnitRow.person_id.in_(batch)
        )
        found += [_record(row) for row in session.execute(rows)]
    return sorted(found, key=lambda one: one.unit_key)


def records_in(
    session: Session, shop_id: ShopId, experiment_id: int, phase: int, *, until: datetime | None = None
) -> Iterator[UnitRecord]:
    """Every unit of one experiment and phase, or those first triggered before `until`, a few at a time in memory."""
    rows = select(ExperimentUnitRow.__table__).where(
        ExperimentUnitRow.shop_id == shop_id,
        ExperimentUnitRow.experiment_id == experiment_id,
        ExperimentUnitRow.phase == phase,
    )
    if until is not None:
        rows = rows.where(ExperimentUnitRow.first_at < until)
    for row in session.execute(rows.execution_options(yield_per=2_000)):
        yield _record(row)


def put_changes(session: Session, shop_id: ShopId, changes: Sequence[Change]) -> None:
    """Write units and, by the same differences, the statistics of their arms. The caller holds the units."""
    kept: dict[tuple[int, int, int], UnitRecord] = {}
    gone: set[tuple[int, int, int]] = set()
    for change in changes:
        if change.before is not None:
            gone.add(change.before.unit_key)
        if change.after is not None:
            kept[change.after.unit_key] = change.after
    for key in sorted(gone - kept.keys()):
        session.execute(_delete_unit(shop_id, *key))
    put_rows(session, shop_id, ExperimentUnitRow, [_values(shop_id, kept[key]) for key in sorted(kept)])
    _add_sums(session, shop_id, _differences(changes))


def arm_totals(session: Session, shop_id: ShopId, experiment_id: int, phase: int) -> dict[str, ArmTotals]:
    """The arms' statistics, by arm. Arms without units are absent."""
    rows = select(ExperimentArmRow.__table__).where(
        ExperimentArmRow.shop_id == shop_id,
        ExperimentArmRow.experiment_id == experiment_id,
        ExperimentArmRow.phase == phase,
    )
    found = {row.arm: ArmTotals(row.arm, row.crossed, _moments(row.moments)) for row in session.execute(rows)}
    return dict(sorted(found.items()))


def phases_of(session: Session, shop_id: ShopId, experiment_id: int) -> list[int]:
    """Phases (for the holdout: quarters) that have units, ascending."""
    rows = select(ExperimentArmRow.phase).where(
        ExperimentArmRow.shop_id == shop_id, ExperimentArmRow.experiment_id == experiment_id
    )
    return sorted(set(session.scalars(rows)))


def first_exposed_at(session: Session, shop_id: ShopId, experiment_id: int, phase: int) -> datetime | None:
    """When the first unit was triggered; None while there is none."""
    row = ExperimentUnitRow
    mine = (row.shop_id == shop_id, row.experiment_id == experiment_id, row.phase == phase)
    return session.scalar(select(func.min(row.first_at)).where(*mine))


def exposed_between(session: Session, shop_id: ShopId, experiment_id: int, since: datetime, until: datetime) -> int:
    """Units first triggered from `since` to before `until`, in any phase."""
    row = ExperimentUnitRow
    mine = (row.shop_id == shop_id, row.experiment_id == experiment_id, row.first_at >= since, row.first_at < until)
    return int(session.scalar(select(func.count()).select_from(row).where(*mine)) or 0)


def surface_counts(session: Session, shop_id: ShopId, experiment_id: int, phase: int) -> dict[str, dict[str, int]]:
    """Units by the surface of their first trigger and by arm."""
    row = ExperimentUnitRow
    counted = (
        select(row.surface, row.arm, func.count())
        .where(row.shop_id == shop_id, row.experiment_id == experiment_id, row.phase == phase)
        .group_by(row.surface, row.arm)
    )
    found: dict[str, dict[str, int]] = {}
    for surface, arm, count in session.execute(counted):
        found.setdefault(surface, {})[arm] = int(count)
    return found


def clear_sums(session: Session, shop_id: ShopId) -> None:
    """Forget every sum, to be added up anew from the units."""
    session.execute(delete(ExperimentArmRow).where(ExperimentArmRow.shop_id == shop_id))


def read_notes(session: Session, shop_id: ShopId, experiment_id: int, phase: int) -> dict[str, Any]:
    """What was noted while watching an experiment: looks, alarms, differences served."""
    row = ExperimentWatchRow
    text = session.scalar(
        select(row.notes).where(row.shop_id == shop_id, row.experiment_id == experiment_id, row.phase == phase)
    )
    return dict(json.loads(text)) if text else {}


def put_notes(session: Session, shop_id: ShopId, experiment_id: int, phase: int, notes: dict[str, Any]) -> None:
    """Note it."""
    values = {"shop_id": shop_id, "experiment_id": experiment_id, "phase": phase, "notes": canonical_json(notes)}
    put_rows(session, shop_id, ExperimentWatchRow, [values])


def counted_until(session: Session, shop_id: ShopId) -> datetime | None:
    """Up to when decisions have been counted; None before the first time."""
    return session.scalar(select(ExposureMarkRow.counted_until).where(ExposureMarkRow.shop_id == shop_id))


def set_counted_until(session: Session, shop_id: ShopId, moment: datetime) -> None:
    """Say up to when decisions have been counted."""
    put_rows(session, shop_id, ExposureMarkRow, [{"shop_id": shop_id, "counted_until": moment}])


def _precedence(record: UnitRecord) -> tuple[datetime, str, datetime, str, int]:
    return (record.first_at, record.arm, record.counts_from, record.surface, record.customer_id or 0)


def _delete_unit(shop_id: ShopId, experiment_id: int, phase: int, person_id: int) -> Any:
    row = ExperimentUnitRow
    return delete(row).where(
        row.shop_id == shop_id,
        row.experiment_id == experiment_id,
        row.phase == phase,
        row.person_id == person_id,
    )


def _differences(changes: Sequence[Change]) -> dict[tuple[int, int, str], tuple[int, ByMeasure]]:
    """By how much the crossed units and the sums of each arm change."""
    came: dict[tuple[int, int, str], list[UnitRecord]] = {}
    went: dict[tuple[int, int, str], list[UnitRecord]] = {}
    for change in changes:
        for record, side in ((change.before, went), (change.after, came)):
            if record is not None:
                side.setdefault(record.arm_key, []).append(record)
    found: dict[tuple[int, int, str], tuple[int, ByMeasure]] = {}
    for key in came.keys() | went.keys():
        more, less = came.get(key, []), went.get(key, [])
        crossed = sum(one.is_crossed for one in more) - sum(one.is_crossed for one in less)
        found[key] = (crossed, taken(moments_of(one.totals for one in more), moments_of(one.totals for one in less)))
    return found


def _delete_arm(shop_id: ShopId, experiment_id: int, phase: int, arm: str) -> Any:
    row = ExperimentArmRow
    mine = (row.shop_id == shop_id, row.experiment_id == experiment_id, row.phase == phase, row.arm == arm)
    return delete(row).where(*mine)


def _add_sums(session: Session, shop_id: ShopId, sums: dict[tuple[int, int, str], tuple[int, ByMeasure]]) -> None:
    rows = []
    for (experiment_id, phase, arm), (crossed, moments) in sorted(sums.items()):
        held = session.get(ExperimentArmRow, (shop_id, experiment_id, phase, arm), populate_existing=True)
        before = _moments(held.moments) if held is not None else {}
        merged = added(before, moments)
        if not any(each.n for each in merged.values()):
            # An arm that its last unit left is as one that never had any.
            session.execute(_delete_arm(shop_id, experiment_id, phase, arm))
            continue
        total = {name: each.as_json() for name, each in merged.items()}
        rows.append(
            {
                "shop_id": shop_id,
                "experiment_id": experiment_id,
                "phase": phase,
                "arm": arm,
                "crossed": crossed + (held.crossed if held is not None else 0),
                "moments": canonical_json(total),
            }
        )
    put_rows(session, shop_id, ExperimentArmRow, rows)


def _moments(text: str) -> ByMeasure:
    document = json.loads(text)
    return {name: moments_from_json(document[name]) if name in document else NO_UNITS for name in MEASURES}


def _record(row: Row[Any]) -> UnitRecord:
    totals = {name: getattr(row, column) for name, column in _TOTALS.items()}
    plain = {each.name: getattr(row, each.name) for each in fields(UnitRecord) if each.name != "totals"}
    return UnitRecord(**plain, totals=Totals(**totals, has_history=row.customer_id is not None))


def _values(shop_id: ShopId, record: UnitRecord) -> dict[str, Any]:
    plain = {each.name: getattr(record, each.name) for each in fields(UnitRecord) if each.name != "totals"}
    totals = {column: getattr(record.totals, name) for name, column in _TOTALS.items()}
    return {"shop_id": shop_id, **plain, **totals}
