"""Table and queries of experiments: what was planned, what runs, when it ran.

A plan does not change once it has begun. What arms serve is decided by `arms`, who is in which arm by
`experiments.running`; here is only what both of them read.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ConflictingRequest, InvalidInput, NotFound, OfferId, ShopId, canonical_json, parse_time
from shopify_upsell.database import Base, OwnId, UtcDateTime
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, Arm
from shopify_upsell.experiments.kinds import CONTROL, ExperimentPlan
from shopify_upsell.experiments.layers import QuarterHoldout, widen
from shopify_upsell.experiments.running import ArmPlan, GroupSlot, RunningExperiment, layers_of
from shopify_upsell.offers.arms import fields_changed
from shopify_upsell.offers.store import read_offer

DRAFT, RUNNING, STOPPED, DECIDED = "draft", "running", "stopped", "decided"

MOST_RUNNING = 20
"""Experiments that may run at once in a shop: each costs every decision a hash or two."""


class ExperimentRow(Base):
    """An experiment on one offer.

    JSON columns: `arms` (name, basis_points, patch), `plan` (what was written down), `slot` (place in a group, null
    without), `intervals` (from, until or null: when it assigned anybody), `paused_arms`.
    """

    __tablename__ = "experiment"
    __table_args__ = (Index("ix_experiment_state", "shop_id", "state"),)

    experiment_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    offer_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    phase: Mapped[int] = mapped_column()
    salt: Mapped[str] = mapped_column(Text)
    traffic_basis_points: Mapped[int] = mapped_column()
    slot: Mapped[str | None] = mapped_column(Text)
    arms: Mapped[str] = mapped_column(Text)
    plan: Mapped[str] = mapped_column(Text)
    paused_arms: Mapped[str] = mapped_column(Text)
    intervals: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class ExperimentDraft:
    """An experiment as written. `group`: name, first and last basis point of a group of exclusive experiments."""

    offer_id: OfferId
    name: str
    plan: ExperimentPlan
    arms: tuple[ArmPlan, ...]
    group: tuple[str, int, int] | None = None
    traffic_basis_points: int = ALL_BASIS_POINTS


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as it stands. `reason`: why it ended, or waits.

    Shape: `traffics[i]` are the basis points of its units that it let in during `intervals[i]`.
    """

    name: str
    state: str
    plan: ExperimentPlan
    running: RunningExperiment
    intervals: tuple[tuple[datetime, datetime | None], ...]
    traffics: tuple[int, ...]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str

    @property
    def experiment_id(self) -> int:
        """Its number."""
        return self.running.experiment_id

    @property
    def is_waiting(self) -> bool:
        """Tell whether it runs but assigns nobody for the moment."""
        return self.state == RUNNING and bool(self.intervals) and self.intervals[-1][1] is not None

    def ran_at(self, moment: datetime) -> bool:
        """Tell whether it assigned units then. The end of an interval is excluded."""
        return any(start <= moment and (end is None or moment < end) for start, end in self.intervals)

    def running_at(self, moment: datetime) -> RunningExperiment:
        """What assigned units then: before its traffic was widened it let fewer in."""
        for (start, end), traffic in zip(self.intervals, self.traffics, strict=True):
            if start <= moment and (end is None or moment < end):
                return replace(self.running, traffic_basis_points=traffic)
        return self.running


def create_experiment(session: Session, shop_id: ShopId, draft: ExperimentDraft, *, now: datetime) -> Experiment:
    """Write an experiment down, with a salt that nobody can guess from its name. Raises: InvalidInput, NotFound."""
    if not draft.name.strip() or len(draft.name) > 200:
        raise InvalidInput("an experiment needs a name of at most 200 characters")
    read_offer(session, shop_id, draft.offer_id)
    if tuple(Arm(arm.name, arm.basis_points) for arm in draft.arms) != draft.plan.arms:
        raise InvalidInput("the arms are not those of the plan")
    slot = None
    if draft.group is not None:
        name, first, last = draft.group
        slot = GroupSlot(name, _group_salt(session, shop_id, name), first, last)
    row = ExperimentRow(
        shop_id=shop_id,
        offer_id=draft.offer_id,
        kind=draft.plan.kind,
        name=draft.name.strip(),
        state=DRAFT,
        phase=1,
        salt=secrets.token_hex(16),
        traffic_basis_points=draft.traffic_basis_points,
        slot=None if slot is None else canonical_json(asdict(slot)),
        arms=canonical_json([asdict(arm) for arm in draft.arms]),
        plan=canonical_json(asdict(draft.plan)),
        paused_arms="[]",
        intervals="[]",
        created_at=now,
        reason="",
    )
    session.add(row)
    session.flush()
    found = _experiment(row)
    layers_of([found.running], _NO_HOLDOUT)
    return found


def start_experiment(session: Session, shop_id: ShopId, experiment_id: int, *, now: datetime) -> Experiment:
    """Let it assign units from now on.

    Raises: NotFound; ConflictingRequest when it has begun, its offer is not live, or another that runs would disturb
    it; InvalidInput when slots of a group overlap.
    """
    row = _row(session, shop_id, experiment_id)
    if row.state != DRAFT:
        raise ConflictingRequest("an experiment starts once")
    if read_offer(session, shop_id, OfferId(row.offer_id)).state != "live":
        raise ConflictingRequest("the offer is not live")
    mine, others = _experiment(row).running, [one.running for one in experiments_in(session, shop_id, RUNNING)]
    if len(others) >= MOST_RUNNING:
        raise ConflictingRequest(f"{MOST_RUNNING} experiments run already")
    _check_neighbours(mine, others)
    layers_of([*others, mine], _NO_HOLDOUT)
    row.state, row.started_at = RUNNING, now
    row.intervals = _opened(row, now)
    session.flush()
    return _experiment(row)


def widen_traffic(
    session: Session, shop_id: ShopId, experiment_id: int, traffic_basis_points: int, *, now: datetime
) -> Experiment:
    """Let more units in from now on. Who is in stays in, in the same arm; decisions of before count as they were made.

    Raises: NotFound; InvalidInput beyond 10,000; ConflictingRequest when it has ended, or would let fewer in.
    """
    row = _row(session, shop_id, experiment_id)
    if row.state not in (DRAFT, RUNNING):
        raise ConflictingRequest("the experiment has ended")
    held = _experiment(row)
    traffic = widen(held.running.trial, traffic_basis_points).traffic_basis_points
    if traffic == held.running.traffic_basis_points:
        return held
    is_open = row.state == RUNNING and not held.is_waiting
    row.intervals = _closed(row, now)
    row.traffic_basis_points = traffic
    if is_open:
        row.intervals = _opened(row, now)
    session.flush()
    return _experiment(row)


def end_experiment(
    session: Session, shop_id: ShopId, experiment_id: int, *, now: datetime, reason: str, is_decided: bool = False
) -> Experiment:
    """Assign nobody any more. Orders of its units go on counting. Raises: NotFound, ConflictingRequest."""
    row = _row(session, shop_id, experiment_id)
    if row.state not in (DRAFT, RUNNING):
        raise ConflictingRequest("the experiment has ended")
    row.intervals = _closed(row, now)
    row.state, row.ended_at, row.reason = DECIDED if is_decided else STOPPED, now, reason
    session.flush()
    return _experiment(row)


def pause_arm(session: Session, shop_id: ShopId, experiment_id: int, arm: str) -> Experiment:
    """Serve an arm as control from now on; its units stay in it. Raises: NotFound, InvalidInput."""
    row = _row(session, shop_id, experiment_id)
    held = _experiment(row).running
    if arm == CONTROL or arm not in {each.name for each in held.arms}:
        raise InvalidInput("no such arm to pause")
    row.paused_arms = canonical_json(sorted({*held.paused_arms, arm}))
    session.flush()
    return _experiment(row)


def set_waiting(
    session: Session, shop_id: ShopId, experiment_id: int, *, is_waiting: bool, now: datetime, reason: str = ""
) -> Experiment:
    """Assign nobody for a while, in any arm, or go on. Asking twice changes nothing. Raises: NotFound."""
    row = _row(session, shop_id, experiment_id)
    held = _experiment(row)
    if held.state == RUNNING and held.is_waiting != is_waiting:
        row.intervals = _closed(row, now) if is_waiting else _opened(row, now)
        row.reason = reason
        session.flush()
    return _experiment(row)


def read_experiment(session: Session, shop_id: ShopId, experiment_id: int) -> Experiment:
    """One experiment of the shop. Raises: NotFound."""
    return _experiment(_row(session, shop_id, experiment_id, lock=False))


def experiments_in(session: Session, shop_id: ShopId, *states: str) -> tuple[Experiment, ...]:
    """Experiments in some states, or all, the oldest first."""
    rows = select(ExperimentRow).where(ExperimentRow.shop_id == shop_id)
    if states:
        rows = rows.where(ExperimentRow.state.in_(states))
    return tuple(_experiment(row) for row in session.scalars(rows.order_by(ExperimentRow.experiment_id)))


def running_experiments(session: Session, shop_id: ShopId) -> tuple[RunningExperiment, ...]:
    """What assigns units now: the part of an experiment that a decision reads and stores."""
    return tuple(one.running for one in experiments_in(session, shop_id, RUNNING) if not one.is_waiting)


_NO_HOLDOUT = QuarterHoldout("no experiment has this salt", 0, 0)


def _check_neighbours(mine: RunningExperiment, others: Sequence[RunningExperiment]) -> None:
    """Two experiments may change one field of one offer only if no unit is in both. Raises: ConflictingRequest."""
    for other in others:
        is_apart = mine.group is not None and other.group is not None and mine.group.name == other.group.name
        shared = fields_changed(mine.arms) & fields_changed(other.arms)
        if other.offer_id == mine.offer_id and shared and not is_apart:
            raise ConflictingRequest(
                f"experiment {other.experiment_id} varies the offer's {', '.join(sorted(shared))}: put both in a group"
            )


def _group_salt(session: Session, shop_id: ShopId, name: str) -> str:
    """The salt that the group's experiments share, or a new one."""
    held = [one.running.group for one in experiments_in(session, shop_id)]
    return next((group.salt for group in held if group is not None and group.name == name), secrets.token_hex(16))


def _closed(row: ExperimentRow, now: datetime) -> str:
    intervals = json.loads(row.intervals)
    return canonical_json([[start, now if end is None else end, *traffic] for start, end, *traffic in intervals])


def _opened(row: ExperimentRow, now: datetime) -> str:
    return canonical_json([*json.loads(row.intervals), [now, None, row.traffic_basis_points]])


def _row(session: Session, shop_id: ShopId, experiment_id: int, *, lock: bool = True) -> ExperimentRow:
    found = select(ExperimentRow).where(ExperimentRow.shop_id == shop_id, ExperimentRow.experiment_id == experiment_id)
    row = session.scalars(found.with_for_update() if lock else found).first()
    if row is None:
        raise NotFound("no such experiment")
    return row


def _experiment(row: ExperimentRow) -> Experiment:
    arms = tuple(ArmPlan(**arm) for arm in json.loads(row.arms))
    running = RunningExperiment(
        experiment_id=row.experiment_id,
        kind=row.kind,
        offer_id=row.offer_id,
        phase=row.phase,
        salt=row.salt,
        arms=arms,
        group=None if row.slot is None else GroupSlot(**json.loads(row.slot)),
        traffic_basis_points=row.traffic_basis_points,
        paused_arms=tuple(json.loads(row.paused_arms)),
    )
    # Intervals written before traffic could be widened do not tell it.
    spans = [
        (start, end, *(traffic or [row.traffic_basis_points])) for start, end, *traffic in json.loads(row.intervals)
    ]
    intervals = tuple((parse_time(start), None if end is None else parse_time(end)) for start, end, _ in spans)
    return Experiment(
        name=row.name,
        state=row.state,
        plan=_plan(json.loads(row.plan)),
        running=running,
        intervals=intervals,
        traffics=tuple(traffic for _, _, traffic in spans),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        reason=row.reason,
    )


def _plan(document: dict[str, Any]) -> ExperimentPlan:
    return ExperimentPlan(**document | {"arms": tuple(Arm(**arm) for arm in document["arms"])})
