"""What an experiment's sums say: sizes and their ratio, the primary metric, the others, the guardrails. Pure.

Comes in: the arms' statistics and the plan. Goes out: values that a report shows and a judge decides by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from shopify_upsell.experiments.estimators import DIVISORS_PER_UNIT, PER_DIVISOR, PER_UNIT, Metric, estimate
from shopify_upsell.experiments.guardrails import NOT_ENOUGH_DATA, Guardrail, GuardrailReading, judge
from shopify_upsell.experiments.kinds import CONTROL, ExperimentPlan
from shopify_upsell.experiments.kinds import MARGIN as MARGIN_METRIC
from shopify_upsell.experiments.moments import NO_UNITS, Moments
from shopify_upsell.experiments.multiplicity import benjamini_hochberg
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.experiments.srm import RatioCheck, alarmed_platforms, chi_square_p, see_totals
from shopify_upsell.reports.incremental import Effect, effect
from shopify_upsell.reports.measures import (
    ATTACH,
    DISMISSALS,
    MARGIN,
    REFUNDS,
    REPEAT,
    REVENUE,
    WITHOUT_OFFER,
    ByMeasure,
)
from shopify_upsell.reports.watched import NOTHING_WATCHED, Watched

ByArm = Mapping[str, ByMeasure]

SECONDARY: Mapping[str, tuple[str, Metric]] = {
    "net_revenue_per_unit": (REVENUE, PER_UNIT),
    "contribution_margin_per_unit": (MARGIN, PER_UNIT),
    "average_order_value": (REVENUE, PER_DIVISOR),
    "orders_per_unit": (REVENUE, DIVISORS_PER_UNIT),
    "attach_rate": (ATTACH, PER_DIVISOR),
}

GUARDED: Mapping[str, tuple[str, Metric]] = {
    "refund_rate": (REFUNDS, PER_DIVISOR),
    "dismissal_rate": (DISMISSALS, PER_UNIT),
    "order_value_without_offer": (WITHOUT_OFFER, PER_DIVISOR),
    "single_item_revenue": (WITHOUT_OFFER, PER_UNIT),
    "repurchase_90_day_rate": (REPEAT, PER_DIVISOR),
    "checkout_completion_rate": (REPEAT, DIVISORS_PER_UNIT),
}
"""Guardrails that orders and dismissals show, and by which measure; `watched` counts the others.

Who began a checkout is told by no webhook that we ask for; of everybody triggered, in both arms alike, we know who
completed one, and a checkout that breaks shows there. Nothing is divided by what an arm may have changed."""

NOT_MEASURED = "not_measured"


@dataclass(frozen=True, slots=True)
class RatioReport:
    """Whether the arms hold the shares they were given. `p_value` of one look, for display only."""

    counts: Mapping[str, int]
    shares: Mapping[str, float]
    log_bayes_factor: float
    is_alarmed: bool
    alarmed_surfaces: tuple[str, ...]
    p_value: float


@dataclass(frozen=True, slots=True)
class GuardrailReport:
    """One guardrail of one arm. Units: the metric's own, positive is harm; bounds None while nothing is known.

    `needs`: what it takes to measure it, where it is not measured.
    """

    metric: str
    verdict: str
    margin: float
    harm: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    needs: str = ""


@dataclass(frozen=True, slots=True)
class SecondaryEffect:
    """A metric beside the primary one. `stands_out` after Benjamini-Hochberg at q = 0.10."""

    effect: Effect
    stands_out: bool


def primary_measure(plan: ExperimentPlan) -> str:
    """The measure of the plan's primary metric."""
    return MARGIN if plan.primary_metric == MARGIN_METRIC else REVENUE


def ratio_report(
    shares: Mapping[str, float], units: Mapping[str, int], surfaces: Mapping[str, Mapping[str, int]], peak: float = 0.0
) -> RatioReport:
    """Look at the arms' sizes once more. `peak`: the highest log Bayes factor of every look before.

    Shape: `shares` of all arms sum to 1; `surfaces` holds counts by arm of each surface.
    """
    names = tuple(shares)
    start = RatioCheck(tuple(shares.values()), (0,) * len(names), peak)
    check = see_totals(start, [units.get(name, 0) for name in names])
    fresh = RatioCheck(start.shares, start.counts)
    by_surface = {
        surface: see_totals(fresh, [counts.get(name, 0) for name in names]) for surface, counts in surfaces.items()
    }
    alarmed = alarmed_platforms(by_surface)
    return RatioReport(
        counts={name: units.get(name, 0) for name in names},
        shares=dict(shares),
        log_bayes_factor=check.peak if isfinite(check.peak) else 1e9,
        is_alarmed=check.is_alarmed or bool(alarmed),
        alarmed_surfaces=alarmed,
        p_value=chi_square_p(check.counts, check.shares),
    )


def primary_effect(plan: ExperimentPlan, arms: ByArm, arm: str, *, critical: float | None = None) -> Effect:
    """The plan's primary metric of one arm against control, with the past taken out where that helps."""
    measure = primary_measure(plan)
    treated, control = (arms.get(name, {}).get(measure, NO_UNITS) for name in (arm, CONTROL))
    return effect(plan.primary_metric, treated, control, critical=critical, uses_past=True)


def secondary_effects(plan: ExperimentPlan, arms: ByArm, arm: str) -> tuple[SecondaryEffect, ...]:
    """The other metrics, at a fixed 95 %; they decide nothing."""
    found = []
    for name, (measure, metric) in SECONDARY.items():
        if name != plan.primary_metric:
            pair = [arms.get(each, {}).get(measure, NO_UNITS) for each in (arm, CONTROL)]
            found.append(effect(name, pair[0], pair[1], metric))
    known = [one for one in found if one.missing is None]
    adjusted = dict(zip((one.metric for one in known), benjamini_hochberg([_p(one) for one in known]), strict=True))
    return tuple(SecondaryEffect(one, adjusted.get(one.metric, 1.0) <= 0.10) for one in found)


def guardrail_reports(
    plan: ExperimentPlan, arms: ByArm, arm: str, watched: Watched = NOTHING_WATCHED
) -> tuple[GuardrailReport, ...]:
    """Every guardrail of the plan's kind, one arm against control."""
    found = []
    for rail in plan.guardrails:
        if rail.metric in GUARDED:
            measure, metric = GUARDED[rail.metric]
            pair = [arms.get(name, {}).get(measure, NO_UNITS) for name in (arm, CONTROL)]
        elif rail.metric in watched.needs:
            needs = watched.needs[rail.metric]
            found.append(GuardrailReport(rail.metric, NOT_MEASURED, rail.margin, needs=needs))
            continue
        else:
            pair, metric = [watched.moments(rail.metric, name) for name in (arm, CONTROL)], PER_UNIT
        found.append(_guarded(rail, metric, (pair[0], pair[1]), plan.n_max))
    return tuple(found)


def _guarded(rail: Guardrail, metric: Metric, arms: tuple[Moments, Moments], expected_units: int) -> GuardrailReport:
    treated, control = arms
    pair = _mean_and_variance(treated, metric), _mean_and_variance(control, metric)
    if pair[0] is None or pair[1] is None:
        return GuardrailReport(rail.metric, NOT_ENOUGH_DATA, rail.margin)
    reading = GuardrailReading(
        control=pair[1][0],
        treatment=pair[0][0],
        error=(pair[0][1] + pair[1][1]) ** 0.5,
        units=treated.n + control.n,
        fewest_units=min(treated.n, control.n),
    )
    found = judge(rail, reading, expected_units=expected_units)
    bounds = [bound if isfinite(bound) else None for bound in (found.at_least, found.at_most)]
    return GuardrailReport(rail.metric, found.verdict, found.margin, found.harm, bounds[0], bounds[1])


def _mean_and_variance(arm: Moments, metric: Metric) -> tuple[float, float] | None:
    """An arm's mean and the variance of it; None while there is none.

    A rate that has not moved from 0 (or 1) is not known without error: one more of each kind is added for the error.
    Without it a control in which nobody ever returns anything would hide every harm.
    Source: Agresti and Caffo 2000, The American Statistician 54.
    """
    found = estimate(arm, metric)
    if not isinstance(found, NotEnoughData):
        return found.value, found.variance
    y, d = arm.total(metric.top), arm.n if metric.bottom is None else arm.total(metric.bottom)
    if found.code != "no_variation" or not 0 <= y <= d or not d:
        return None
    share = (y + 1) / (d + 2)
    return y / d, share * (1 - share) / d


def _p(found: Effect) -> float:
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(found.z)))
