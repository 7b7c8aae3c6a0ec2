"""One experiment as a merchant reads it: who is in it, what was seen at the last look, and what to do.

Reading changes nothing: looks are taken once a day by `judging`, and what is shown is what was seen then. Before the
first look there are sizes and what is still missing, and no result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.experiments.kinds import CONTROL
from shopify_upsell.experiments.layers import has_many_crossovers
from shopify_upsell.experiments.moments import NO_UNITS
from shopify_upsell.experiments.multiplicity import against_control
from shopify_upsell.experiments.sequential import WAITS, sequential_p
from shopify_upsell.experiments.verdict import BLOCKED, Verdict, recommended_arm
from shopify_upsell.offers.experiment_store import RUNNING, experiments_in
from shopify_upsell.reports.experiment_numbers import (
    GuardrailReport,
    RatioReport,
    SecondaryEffect,
    guardrail_reports,
    primary_measure,
    secondary_effects,
)
from shopify_upsell.reports.incremental import Effect, Missing, plain, shortage
from shopify_upsell.reports.judging import Standing, standing_of, verdicts, waiting_for
from shopify_upsell.reports.remeasuring import BEING_MEASURED, measured_anew


@dataclass(frozen=True, slots=True)
class ArmReport:
    """One arm. Units: `share` 0 to 1. `patch`: how its offer differs. Results are None while they are hidden."""

    name: str
    share: float
    units: int
    converters: int
    patch: str
    is_paused: bool
    verdict: str | None = None
    words: str = ""
    reasons: tuple[str, ...] = ()
    look_count: int = 0
    next_look: tuple[str, ...] = ()
    sequential_p: float | None = None
    effect: Effect | None = None
    secondary: tuple[SecondaryEffect, ...] = ()
    guardrails: tuple[GuardrailReport, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """One experiment. `missing`: what there is too little of; `differences`: what arms served unlike, wrongly.

    Units: `days` full days since the start; `crossed` units met in two arms.
    """

    experiment_id: int
    name: str
    kind: str
    offer_id: int
    state: str
    is_waiting: bool
    reason: str
    objective: str
    hypothesis: str
    primary_metric: str
    horizon_days: int
    planned_units: int
    started_at: datetime | None
    ended_at: datetime | None
    days: int
    arms: tuple[ArmReport, ...]
    ratio: RatioReport
    differences: tuple[str, ...]
    crossed: int
    warnings: tuple[str, ...]
    missing: Missing | None
    recommended_arm: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = plain(self)
        return found


def experiment_report(session: Session, shop_id: ShopId, experiment_id: int, *, now: datetime) -> ExperimentReport:
    """Report one experiment. Raises: NotFound."""
    found = _report(standing_of(session, shop_id, experiment_id, now=now), now)
    if measured_anew(session, shop_id) is None:
        return found
    return replace(found, warnings=(*found.warnings, BEING_MEASURED))


def experiment_reports(
    session: Session, shop_id: ShopId, *, now: datetime, only_running: bool = False
) -> tuple[ExperimentReport, ...]:
    """Report every experiment of the shop, the oldest first."""
    found = experiments_in(session, shop_id, *((RUNNING,) if only_running else ()))
    return tuple(experiment_report(session, shop_id, one.experiment_id, now=now) for one in found)


def _report(standing: Standing, now: datetime) -> ExperimentReport:
    experiment, plan = standing.experiment, standing.experiment.plan
    found = verdicts(standing)
    ended = experiment.ended_at or now
    days = max(0, (ended - experiment.started_at) // timedelta(days=1)) if experiment.started_at else 0
    measure = primary_measure(plan)
    sums = {arm.name: standing.arms.get(arm.name, {}).get(measure, NO_UNITS) for arm in experiment.running.arms}
    units = sum(one.n for one in sums.values())
    estimates = {arm: _estimate(standing, arm) for arm in found}
    return ExperimentReport(
        experiment_id=experiment.experiment_id,
        name=experiment.name,
        kind=plan.kind,
        offer_id=experiment.running.offer_id,
        state=experiment.state,
        is_waiting=experiment.is_waiting,
        reason=experiment.reason,
        objective=plan.objective,
        hypothesis=plan.hypothesis,
        primary_metric=plan.primary_metric,
        horizon_days=plan.horizon_days,
        planned_units=plan.n_max,
        started_at=experiment.started_at,
        ended_at=experiment.ended_at,
        days=days,
        arms=tuple(_arm(standing, name, found, now) for name in sums),
        ratio=standing.ratio,
        differences=tuple(standing.notes.get("differences", ())),
        crossed=standing.crossed,
        warnings=("many_crossovers",) if units and has_many_crossovers(min(standing.crossed, units), units) else (),
        missing=shortage(sums, days=days),
        recommended_arm=recommended_arm(found, estimates),
    )


def _arm(standing: Standing, name: str, found: Mapping[str, Verdict], now: datetime) -> ArmReport:
    running, plan = standing.experiment.running, standing.experiment.plan
    arm = running.arm(name)
    sums = standing.arms.get(name, {}).get(primary_measure(plan), NO_UNITS)
    report = ArmReport(
        name=name,
        share=arm.basis_points / 10_000,
        units=sums.n,
        converters=sums.converters,
        patch=arm.patch,
        is_paused=name in running.paused_arms,
    )
    return report if name == CONTROL else _judged(report, standing, found[name], now)


def _judged(report: ArmReport, standing: Standing, verdict: Verdict, now: datetime) -> ArmReport:
    """Add the verdict, and the numbers if they may be shown."""
    name, is_running = report.name, standing.experiment.state == RUNNING
    codes = waiting_for(standing, name, now) if is_running else ()
    reasons = verdict.reasons
    if verdict.code == BLOCKED:
        reasons = (
            *standing.notes.get("differences", ()),
            *(("unbalanced_history",) if standing.notes.get("unbalanced") else ()),
        )
    told = replace(
        report,
        verdict=verdict.code,
        words=verdict.words,
        reasons=tuple(reasons),
        look_count=len(standing.test(name).looks),
        next_look=tuple(WAITS[code] for code in codes),
    )
    if not verdict.shows_results or verdict.code == BLOCKED:
        return told
    p_by_arm = {arm: sequential_p(standing.test(arm), _z_values(standing, arm)) for arm in standing.treatments}
    return replace(
        told,
        sequential_p=against_control(p_by_arm)[name],
        effect=_last_effect(standing, name),
        secondary=secondary_effects(standing.experiment.plan, standing.arms, name),
        guardrails=guardrail_reports(standing.experiment.plan, standing.arms, name, standing.watched),
    )


def _looks(standing: Standing, arm: str) -> list[dict[str, Any]]:
    return list(standing.notes.get("looks", {}).get(arm, ()))


def _z_values(standing: Standing, arm: str) -> list[float]:
    return [float(look["z"]) for look in _looks(standing, arm)]


def _estimate(standing: Standing, arm: str) -> float:
    found = _last_effect(standing, arm)
    return 0.0 if found is None or found.difference is None else found.difference


def _last_effect(standing: Standing, arm: str) -> Effect | None:
    """What was seen at the last look."""
    looks = _looks(standing, arm)
    if not looks:
        return None
    noted = looks[-1]["effect"]
    return Effect(**noted | {"missing": None if noted["missing"] is None else Missing(**noted["missing"])})
