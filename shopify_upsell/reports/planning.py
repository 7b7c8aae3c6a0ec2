"""Write an experiment down, and say before it starts what it could find in this shop, and how long that would take.

Comes in: what a merchant wants to vary. Goes out: a draft whose metric, size and measuring time follow from its kind
and from how much the shop's own units differ; nonsense is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, OfferId, ShopId
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, Arm
from shopify_upsell.experiments.kinds import CONTROL, ExperimentPlan, common_horizon_days, kind_named, primary_metric
from shopify_upsell.experiments.layers import HOLDOUT_ID
from shopify_upsell.experiments.moments import NO_UNITS, Moments
from shopify_upsell.experiments.power import smallest_lift, units_per_arm, variation
from shopify_upsell.experiments.sequential import PLANNED_ALPHA
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.offers.arms import arm_plans, discounts_differ
from shopify_upsell.offers.experiment_store import Experiment, ExperimentDraft, create_experiment
from shopify_upsell.offers.store import read_offer
from shopify_upsell.reports.experiment_numbers import primary_measure
from shopify_upsell.reports.outcome_store import arm_totals, exposed_between, phases_of

ASSUMED_VARIATION = 5.9
"""Coefficient of variation of revenue per visitor where a shop has no units yet. Source: measurement specification
3.4, a shop where one visitor in forty buys."""

FEWEST_UNITS = 200
"""Units from which a shop's own variation is believed."""

RECENT = timedelta(days=28)

LONGEST_DAYS = 90


@dataclass(frozen=True, slots=True)
class ExperimentRequest:
    """What a merchant wants to know. `patches`: by arm, the fields of the offer that differ; control has none.

    Units: `shares` basis points by arm, equal ones if empty; `lift` the smallest one worth finding, as a share;
    `n_max` None: as many units as that lift needs, or as come in `longest_days`, whichever is less.
    """

    offer_id: OfferId
    kind: str
    name: str
    objective: str
    hypothesis: str
    patches: Mapping[str, Mapping[str, Any]]
    shares: Mapping[str, int] = field(default_factory=dict)
    lift: float = 0.10
    alpha: float = PLANNED_ALPHA
    n_max: int | None = None
    horizon_days: int | None = None
    longest_days: int = LONGEST_DAYS
    group: tuple[str, int, int] | None = None
    traffic_basis_points: int = ALL_BASIS_POINTS


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an experiment could find.

    Units: `coefficient` of variation of the metric between units, `is_assumed` while the shop has too few units of its
    own; `smallest_lift` that it finds four times in five with the planned units, None if that cannot be told;
    `units_needed` in all arms for the lift asked for; `days` until the planned units have come, None if none come.
    """

    primary_metric: str
    planned_units: int
    coefficient: float
    is_assumed: bool
    smallest_lift: float | None
    wanted_lift: float
    units_needed: int
    units_per_day: float
    days: int | None

    @property
    def words(self) -> str:
        """The outlook as sentences."""
        found = "nothing" if self.smallest_lift is None else f"a change of {self.smallest_lift:.0%} or more"
        wait = "no units come at present" if self.days is None else f"about {self.days} days"
        source = "an assumed variation" if self.is_assumed else "this shop's own variation"
        return (
            f"With {self.planned_units} units ({wait}) it can find {found} in {self.primary_metric}, by {source}. "
            f"A change of {self.wanted_lift:.0%} would need {self.units_needed} units."
        )


def plan_experiment(
    session: Session, shop_id: ShopId, request: ExperimentRequest, *, now: datetime
) -> tuple[Experiment, Outlook]:
    """Write a draft and say what it could find. Raises: InvalidInput, NotFound."""
    if not 0 < request.lift <= 10:
        raise InvalidInput("the lift worth finding is above 0, such as 0.1 for ten per cent")
    offer = read_offer(session, shop_id, request.offer_id)
    shares = _shares(request)
    arms = arm_plans(request.kind, offer, shares, request.patches)
    differs = discounts_differ(offer, arms)
    wanted = ExperimentPlan(
        kind=request.kind,
        objective=request.objective,
        hypothesis=request.hypothesis,
        primary_metric=primary_metric(request.kind, discounts_differ=differs),
        arms=tuple(Arm(name, share) for name, share in shares.items()),
        n_max=request.n_max or 200 * len(shares),
        alpha=request.alpha,
        horizon_days=_horizon_days(request),
        longest_days=request.longest_days,
        discounts_differ=differs,
    )
    plan = wanted if request.n_max is not None else _sized(session, shop_id, wanted, request, now)
    draft = ExperimentDraft(request.offer_id, request.name, plan, arms, request.group, request.traffic_basis_points)
    experiment = create_experiment(session, shop_id, draft, now=now)
    return experiment, outlook(session, shop_id, experiment, now=now, lift=request.lift)


def outlook(session: Session, shop_id: ShopId, experiment: Experiment, *, now: datetime, lift: float = 0.10) -> Outlook:
    """Say what an experiment could find, from the shop's own units as far as there are enough."""
    plan = experiment.plan
    coefficient, is_assumed = _variation(session, shop_id, plan)
    smallest = min((arm.basis_points for arm in plan.arms if arm.name != CONTROL), default=0)
    control = next(arm.basis_points for arm in plan.arms if arm.name == CONTROL)
    found = smallest_lift(
        coefficient,
        treated_units=plan.n_max * smallest // ALL_BASIS_POINTS,
        control_units=plan.n_max * control // ALL_BASIS_POINTS,
    )
    slot = experiment.running.group
    part = experiment.running.traffic_basis_points / ALL_BASIS_POINTS
    part *= 1.0 if slot is None else (slot.to_basis_points - slot.from_basis_points) / ALL_BASIS_POINTS
    per_day = _units_per_day(session, shop_id, now) * part
    return Outlook(
        primary_metric=plan.primary_metric,
        planned_units=plan.n_max,
        coefficient=coefficient,
        is_assumed=is_assumed,
        smallest_lift=None if isinstance(found, NotEnoughData) else found,
        wanted_lift=lift,
        units_needed=units_per_arm(coefficient, lift) * len(plan.arms),
        units_per_day=per_day,
        days=ceil(plan.n_max / per_day) if per_day else None,
    )


def _sized(
    session: Session, shop_id: ShopId, plan: ExperimentPlan, request: ExperimentRequest, now: datetime
) -> ExperimentPlan:
    """Plan as many units as the lift needs, or as will come; never fewer than a test needs at all."""
    coefficient, _ = _variation(session, shop_id, plan)
    needed = units_per_arm(coefficient, request.lift) * len(plan.arms)
    coming = int(_units_per_day(session, shop_id, now) * request.longest_days)
    return replace(plan, n_max=max(200 * len(plan.arms), min(needed, coming) if coming else needed))


def _variation(session: Session, shop_id: ShopId, plan: ExperimentPlan) -> tuple[float, bool]:
    """How much the plan's metric differs between the shop's units, and whether that is assumed."""
    pooled: Moments = NO_UNITS
    for quarter in phases_of(session, shop_id, HOLDOUT_ID)[-2:]:
        for one in arm_totals(session, shop_id, HOLDOUT_ID, quarter).values():
            pooled += one.moments[primary_measure(plan)]
    found = variation(pooled) if pooled.n >= FEWEST_UNITS else NotEnoughData("too_few_units", pooled.n, FEWEST_UNITS)
    return (ASSUMED_VARIATION, True) if isinstance(found, NotEnoughData) else (found, False)


def _units_per_day(session: Session, shop_id: ShopId, now: datetime) -> float:
    return exposed_between(session, shop_id, HOLDOUT_ID, now - RECENT, now) / RECENT.days


def _shares(request: ExperimentRequest) -> dict[str, int]:
    if request.shares:
        return dict(request.shares)
    names = (CONTROL, *(name for name in request.patches if name != CONTROL))
    even = ALL_BASIS_POINTS // len(names)
    return dict.fromkeys(names, even) | {CONTROL: ALL_BASIS_POINTS - even * (len(names) - 1)}


def _horizon_days(request: ExperimentRequest) -> int:
    """One measuring time for all arms: for time windows as long as the longest, sixty days at least."""
    if request.horizon_days is not None:
        return request.horizon_days
    if request.kind != "time_window":
        return max(14, kind_named(request.kind).least_horizon_days)
    last_days = [patch["window_days"][1] for patch in request.patches.values() if patch.get("window_days")]
    return common_horizon_days([max(1, int(day)) for day in last_days] or [1])
