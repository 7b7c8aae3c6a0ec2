"""Judge what runs: a look a day where it may be taken, guardrails and ratios at any time, and stop what is settled.

The job writes; reports only read what it noted. So numbers that depend on when somebody looks exist once a day, and
opening a page as often as one likes changes no chance of a false alarm.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import OfferId, ShopId
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.experiments.guardrails import PAUSE
from shopify_upsell.experiments.kinds import CONTROL, is_mature, out_of_stock_arms
from shopify_upsell.experiments.multiplicity import against_control
from shopify_upsell.experiments.sequential import (
    GroupSequentialTest,
    Look,
    Reading,
    sequential_p,
    take_look,
    waits,
)
from shopify_upsell.experiments.verdict import BLOCKED, ArmEvidence, Progress, Verdict, verdict_of
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.store import products_by_id
from shopify_upsell.offers.arms import companions_by_arm
from shopify_upsell.offers.experiment_store import (
    RUNNING,
    Experiment,
    end_experiment,
    experiments_in,
    pause_arm,
    read_experiment,
    set_waiting,
)
from shopify_upsell.offers.store import read_offer
from shopify_upsell.reports.experiment_numbers import (
    ByArm,
    RatioReport,
    guardrail_reports,
    primary_effect,
    primary_measure,
    ratio_report,
)
from shopify_upsell.reports.incremental import is_past_unbalanced
from shopify_upsell.reports.measures import Totals, moments_of
from shopify_upsell.reports.outcome_store import (
    arm_totals,
    put_notes,
    read_notes,
    records_in,
    surface_counts,
)
from shopify_upsell.reports.watched import Watched, watch, watched_from

log = logging.getLogger(__name__)

OUT_OF_STOCK = "out_of_stock"


@dataclass(frozen=True)
class Standing:
    """Where an experiment stands: what was counted and what was noted. Shape: everything by arm, control included."""

    experiment: Experiment
    arms: ByArm
    ratio: RatioReport
    crossed: int
    notes: Mapping[str, Any]
    watched: Watched

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms that are compared with control."""
        return tuple(arm.name for arm in self.experiment.running.arms if arm.name != CONTROL)

    @property
    def is_blocked(self) -> bool:
        """Tell whether results must be hidden: shares are off, or arms were served what their kind may not vary."""
        return self.ratio.is_alarmed or bool(self.notes.get("differences")) or bool(self.notes.get("unbalanced"))

    def test(self, arm: str) -> GroupSequentialTest:
        """The looks taken at one arm."""
        looks = tuple(_look(each) for each in self.notes.get("looks", {}).get(arm, ()))
        started = self.experiment.started_at or self.experiment.created_at
        return GroupSequentialTest(self.experiment.plan.sequential_plan(arm), started, looks)

    def reading(self, arm: str, now: datetime) -> Reading:
        """What has been counted of one arm and control."""
        measure = primary_measure(self.experiment.plan)
        pair = [self.arms[name][measure] for name in (arm, CONTROL) if name in self.arms]
        converters = tuple(each.converters for each in pair) if len(pair) == 2 else (0, 0)
        return Reading(now, sum(each.n for each in pair), converters)


def judge_experiments(session: Session, job: Job) -> None:
    """Job: look at everything that runs in the shop."""
    for experiment in experiments_in(session, job.shop_id, RUNNING):
        judge_experiment(session, job.shop_id, experiment.experiment_id, now=job.now)


def judge_experiment(session: Session, shop_id: ShopId, experiment_id: int, *, now: datetime) -> dict[str, Verdict]:
    """Judge one experiment and act: note a look, pause an arm, wait for stock, or end it. Returns verdicts by arm."""
    experiment = read_experiment(session, shop_id, experiment_id)
    missing = _out_of_stock(session, shop_id, experiment)
    set_waiting(
        session, shop_id, experiment_id, is_waiting=bool(missing), now=now, reason=OUT_OF_STOCK if missing else ""
    )
    standing = standing_of(session, shop_id, experiment_id, now=now)
    standing = replace(standing, watched=_watched(session, shop_id, standing, now))
    notes = dict(standing.notes) | {
        "ratio_peak": standing.ratio.log_bayes_factor,
        OUT_OF_STOCK: list(missing),
        "watched": standing.watched.noted(),
    }
    if not standing.is_blocked:
        notes = _with_looks(standing, notes, now)
    put_notes(session, shop_id, experiment_id, experiment.running.phase, notes)
    standing = standing_of(session, shop_id, experiment_id, now=now)
    found = verdicts(standing)
    _act(session, shop_id, standing, found, now)
    return found


def standing_of(session: Session, shop_id: ShopId, experiment_id: int, *, now: datetime) -> Standing:
    """Read where an experiment stands. Raises: NotFound."""
    experiment = read_experiment(session, shop_id, experiment_id)
    running, plan = experiment.running, experiment.plan
    totals = arm_totals(session, shop_id, experiment_id, running.phase)
    notes = read_notes(session, shop_id, experiment_id, running.phase)
    shares = {arm.name: arm.basis_points / ALL_BASIS_POINTS for arm in running.arms}
    units = {name: one.units for name, one in totals.items()}
    surfaces = surface_counts(session, shop_id, experiment_id, running.phase)
    arms: ByArm = {name: one.moments for name, one in totals.items()}
    if plan.kind == "time_window":
        arms = _mature_arms(session, shop_id, experiment, now)
    return Standing(
        experiment=experiment,
        arms=arms,
        ratio=ratio_report(shares, units, surfaces, peak=float(notes.get("ratio_peak", 0.0))),
        crossed=sum(one.crossed for one in totals.values()),
        notes=notes,
        watched=watched_from(notes.get("watched", {})),
    )


def verdicts(standing: Standing) -> dict[str, Verdict]:
    """What is to be said of each arm, by what was noted."""
    plan = standing.experiment.plan
    p_by_arm = {arm: sequential_p(standing.test(arm), _z_values(standing, arm)) for arm in standing.treatments}
    adjusted = against_control(p_by_arm)
    found = {}
    for arm in standing.treatments:
        test = standing.test(arm)
        progress = Progress(
            has_ratio_alarm=standing.is_blocked,
            out_of_stock=tuple(standing.notes.get(OUT_OF_STOCK, ())),
            look_count=len(test.looks),
            is_over=test.is_over,
            alpha=plan.alpha,
        )
        z_values = _z_values(standing, arm)
        estimate = z_values[-1] if z_values else 0.0
        pausing = () if standing.is_blocked else pausing_guardrails(standing, arm)
        found[arm] = verdict_of(progress, ArmEvidence(estimate, adjusted[arm], pausing))
    return found


def pausing_guardrails(standing: Standing, arm: str) -> tuple[str, ...]:
    """Guardrails that broke, now or before: an arm does not come back by itself."""
    reports = guardrail_reports(standing.experiment.plan, standing.arms, arm, standing.watched)
    broken = {one.metric for one in reports if one.verdict == PAUSE}
    return tuple(sorted(broken | set(standing.notes.get("broken", {}).get(arm, ()))))


def waiting_for(standing: Standing, arm: str, now: datetime) -> tuple[str, ...]:
    """Why no look may be taken at an arm now; codes of `sequential.WAITS`."""
    return waits(standing.test(arm), standing.reading(arm, now))


def _with_looks(standing: Standing, notes: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Take the looks that may be taken, and note what was seen at them."""
    looks = {arm: list(taken) for arm, taken in notes.get("looks", {}).items()}
    plan = standing.experiment.plan
    for arm in standing.treatments:
        if arm in standing.experiment.running.paused_arms or waiting_for(standing, arm, now):
            continue
        test = take_look(standing.test(arm), standing.reading(arm, now))
        seen = primary_effect(plan, standing.arms, arm, critical=test.looks[-1].critical)
        if seen.missing is not None:
            continue
        if is_past_unbalanced(seen):
            notes["unbalanced"] = True
        look = asdict(test.looks[-1]) | {"looked_on": test.looks[-1].looked_on.isoformat()}
        looks.setdefault(arm, []).append({"look": look, "z": seen.z, "effect": asdict(seen)})
    broken = {arm: list(found) for arm in standing.treatments if (found := pausing_guardrails(standing, arm))}
    return notes | {"looks": looks, "broken": broken}


def _act(session: Session, shop_id: ShopId, standing: Standing, found: dict[str, Verdict], now: datetime) -> None:
    experiment_id = standing.experiment.experiment_id
    fields = {"shop_id": shop_id, "experiment_id": experiment_id}
    for arm, guardrails in standing.notes.get("broken", {}).items():
        if arm not in standing.experiment.running.paused_arms:
            pause_arm(session, shop_id, experiment_id, arm)
            log.warning("experiment_arm_paused", extra=fields | {"arm": arm, "guardrails": guardrails})
    codes = {verdict.code for verdict in found.values()}
    if not all(verdict.stops for verdict in found.values()):
        return
    end_experiment(
        session, shop_id, experiment_id, now=now, reason=",".join(sorted(codes)), is_decided=BLOCKED not in codes
    )
    log.info("experiment_ended", extra=fields | {"reason": ",".join(sorted(codes))})


def _out_of_stock(session: Session, shop_id: ShopId, experiment: Experiment) -> tuple[str, ...]:
    """Arms that could not be delivered, where that would let another win by default."""
    offer = read_offer(session, shop_id, OfferId(experiment.running.offer_id))
    named = companions_by_arm(offer, experiment.running.arms)
    products = products_by_id(session, shop_id, sorted({one for listed in named.values() for one in listed}))
    has_stock = {
        arm: all(
            number in products
            and not products[number].is_deleted
            and any(variant.is_available for variant in products[number].variants)
            for number in listed
        )
        for arm, listed in named.items()
    }
    return out_of_stock_arms(experiment.plan.kind, has_stock)


def _watched(session: Session, shop_id: ShopId, standing: Standing, now: datetime) -> Watched:
    """What orders do not show, of the same units that are compared."""
    experiment = standing.experiment
    units = {arm: next(iter(measures.values())).n for arm, measures in standing.arms.items() if measures}
    until = _mature_until(experiment, now) if experiment.plan.kind == "time_window" else None
    return watch(session, shop_id, experiment, units, until=until)


def _mature_until(experiment: Experiment, now: datetime) -> datetime:
    """Units first triggered before this moment have their measuring time behind them."""
    return now - timedelta(days=experiment.plan.horizon_days) + timedelta(microseconds=1)


def _mature_arms(session: Session, shop_id: ShopId, experiment: Experiment, now: datetime) -> ByArm:
    """Sums of the units whose measuring time is over: a short window may not win for being short."""
    days = experiment.plan.horizon_days
    until = _mature_until(experiment, now)
    arms: dict[str, list[Totals]] = {}
    for record in records_in(session, shop_id, experiment.experiment_id, experiment.running.phase, until=until):
        if is_mature(record.first_at, now, days):
            arms.setdefault(record.arm, []).append(record.totals)
    return {arm: moments_of(units) for arm, units in arms.items()}


def _z_values(standing: Standing, arm: str) -> list[float]:
    return [float(each["z"]) for each in standing.notes.get("looks", {}).get(arm, ())]


def _look(noted: Mapping[str, Any]) -> Look:
    return Look(**noted["look"] | {"looked_on": date.fromisoformat(noted["look"]["looked_on"])})
