"""Did the whole of it help: the holdout against everybody else, beside what offers claim.

Comes in: the sums of a quarter's holdout. Goes out: revenue and margin that offers caused, with intervals that hold at
every look; what they claim; how much of the claim is cause; and whether people come back more. A programme that changes
nothing reads "no measurable effect", however much is attributed to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.experiments.always_valid import EXPECTED_UNITS, critical_value
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.experiments.estimators import DIVISORS_PER_UNIT, PER_DIVISOR
from shopify_upsell.experiments.layers import (
    HOLDOUT,
    HOLDOUT_ID,
    OPEN,
    has_many_crossovers,
    quarter_of,
)
from shopify_upsell.experiments.moments import NO_UNITS
from shopify_upsell.offers.store import read_costs
from shopify_upsell.reports.experiment_numbers import RatioReport, ratio_report
from shopify_upsell.reports.incremental import (
    Claim,
    Effect,
    Missing,
    claim,
    effect,
    is_past_unbalanced,
    plain,
    shortage,
)
from shopify_upsell.reports.measures import ATTACH, CLAIMED, CLAIMED_MARGIN, MARGIN, REVENUE, ByMeasure
from shopify_upsell.reports.outcome_store import (
    ArmTotals,
    arm_totals,
    first_exposed_at,
    phases_of,
    records_in,
    surface_counts,
)
from shopify_upsell.reports.outcomes import quarter_end
from shopify_upsell.reports.remeasuring import BEING_MEASURED, measured_anew
from shopify_upsell.reports.retention import Retention, Watched, retention
from shopify_upsell.reports.worth import has_assumed_goods
from shopify_upsell.shops.store import get_shop

ASSUMPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cost": ("goods_basis_points",),
        "payment_fee": ("fee_basis_points", "fee_minor_units"),
        "shipping": ("extra_shipping_minor_units", "free_shipping_minor_units"),
        "returns": ("goods_lost_basis_points", "handling_minor_units"),
        "app": ("app_basis_points",),
    }
)
"""Parts of a margin that rest on an assumption, by the costs that a merchant may state instead: all of them."""

NO_HOLDOUT, NOT_ENOUGH, BLOCKED = "no_holdout", "not_enough_data", "blocked_sample_ratio"
HELPS, HURTS, NO_EFFECT = "helps", "hurts", "no_measurable_effect"

WORDS: Mapping[str, str] = MappingProxyType(
    {
        NO_HOLDOUT: "Nobody was held out, so nobody can tell what the offers caused.",
        NOT_ENOUGH: "There is not enough data to say anything yet.",
        BLOCKED: "The holdout does not have the share it was given. Results are hidden until the cause is found.",
        HELPS: "The offers earned more than shoppers would have spent without them.",
        HURTS: "Shoppers who saw offers spent less than those who saw none.",
        NO_EFFECT: "No measurable effect: shoppers who saw no offers spent as much, as far as can be told.",
    }
)


@dataclass(frozen=True, slots=True)
class ProgrammeReport:
    """One quarter of a shop's offers.

    Units: effects per triggered unit in minor units of `currency`, or as rates; claims over all units that could see
    offers. `critical` in standard errors, for every interval alike. `assumed`: parts of margins nobody stated.
    """

    quarter: int
    currency: str | None
    verdict: str
    words: str
    warnings: tuple[str, ...]
    units: Mapping[str, int]
    critical: float
    ratio: RatioReport | None
    missing: Missing | None
    revenue: Effect | None
    margin: Effect | None
    orders_per_unit: Effect | None
    order_value: Effect | None
    attach_rate: float | None
    claimed_revenue: Claim | None
    claimed_margin: Claim | None
    retention_of_everyone: Retention | None
    retention_of_customers: Retention | None
    assumed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = plain(self)
        return found


def programme_report(
    session: Session,
    shop_id: ShopId,
    *,
    now: datetime,
    holdout_basis_points: int,
    quarter: int | None = None,
) -> ProgrammeReport:
    """Report a quarter, by default the present one. `holdout_basis_points`: the share that was to be held out."""
    number = quarter_of(now) if quarter is None else quarter
    arms = arm_totals(session, shop_id, HOLDOUT_ID, number)
    base = _empty(number, get_shop(session, shop_id).currency, arms, assumed_parts(session, shop_id))
    base["warnings"] = () if measured_anew(session, shop_id) is None else (BEING_MEASURED,)
    if HOLDOUT not in arms or not holdout_basis_points:
        return _said(base, NO_HOLDOUT if OPEN in arms else NOT_ENOUGH)
    shares = {HOLDOUT: holdout_basis_points / ALL_BASIS_POINTS, OPEN: 1 - holdout_basis_points / ALL_BASIS_POINTS}
    surfaces = surface_counts(session, shop_id, HOLDOUT_ID, number)
    base["ratio"] = ratio_report(shares, base["units"], surfaces)
    base["critical"] = _critical(sum(base["units"].values()), _expected_units(session, shop_id, number))
    base["warnings"] += _warnings(arms)
    if base["ratio"].is_alarmed:
        return _said(base, BLOCKED)
    until = min(now, quarter_end(number))
    moments = {name: one.moments[REVENUE] for name, one in arms.items()}
    base["missing"] = shortage(
        {name: moments.get(name, NO_UNITS) for name in (OPEN, HOLDOUT)}, days=_days(session, shop_id, number, until)
    )
    base["claimed_revenue"] = Claim(_sum(arms, CLAIMED), missing=base["missing"])
    if base["missing"] is not None:
        return _said(base, NOT_ENOUGH)
    base |= _numbers(arms[OPEN].moments, arms[HOLDOUT].moments, base["critical"])
    base |= _retention(session, shop_id, number, until)
    return _said(base, _verdict(base["revenue"], base["margin"]))


def quarters_of(session: Session, shop_id: ShopId) -> list[int]:
    """Quarters of which anything was counted, the latest first."""
    return phases_of(session, shop_id, HOLDOUT_ID)[::-1]


def _verdict(revenue: Effect, margin: Effect) -> str:
    """Margin decides where it can: revenue that costs more than it brings is no help."""
    if is_past_unbalanced(revenue):
        return BLOCKED
    decisive = margin if margin.missing is None else revenue
    if decisive.missing is not None:
        return NOT_ENOUGH
    if not decisive.is_measurable:
        return NO_EFFECT
    return HELPS if (decisive.difference or 0) > 0 else HURTS


def _numbers(treated: ByMeasure, control: ByMeasure, critical: float) -> dict[str, Any]:
    orders = treated[ATTACH].total("d")
    return {
        "revenue": effect(
            "net_revenue_per_unit", treated[REVENUE], control[REVENUE], critical=critical, uses_past=True
        ),
        "margin": effect(
            "contribution_margin_per_unit", treated[MARGIN], control[MARGIN], critical=critical, uses_past=True
        ),
        "orders_per_unit": effect(
            "orders_per_unit", treated[REVENUE], control[REVENUE], DIVISORS_PER_UNIT, critical=critical
        ),
        "order_value": effect(
            "average_order_value", treated[REVENUE], control[REVENUE], PER_DIVISOR, critical=critical
        ),
        "attach_rate": treated[ATTACH].total("y") / orders if orders else None,
        "claimed_revenue": claim(treated[CLAIMED], control[CLAIMED], critical=critical),
        "claimed_margin": claim(treated[CLAIMED_MARGIN], control[CLAIMED_MARGIN], critical=critical),
    }


def _retention(session: Session, shop_id: ShopId, quarter: int, until: datetime) -> dict[str, Retention]:
    everyone, customers = [], []
    for record in records_in(session, shop_id, HOLDOUT_ID, quarter):
        watched = Watched(record.arm, record.counts_from, record.totals.first_ordered_at)
        everyone.append(watched)
        if record.customer_id is not None:
            customers.append(watched)
    return {
        "retention_of_everyone": retention(everyone, until=until),
        "retention_of_customers": retention(customers, until=until),
    }


def _days(session: Session, shop_id: ShopId, quarter: int, until: datetime) -> int:
    """Full days since the quarter's first unit."""
    first = first_exposed_at(session, shop_id, HOLDOUT_ID, quarter)
    return 0 if first is None else max(0, (until - first) // timedelta(days=1))


def _critical(units: int, expected_units: int) -> float:
    return float(critical_value(max(units, 1), expected_units=expected_units))


def _expected_units(session: Session, shop_id: ShopId, quarter: int) -> int:
    """Units to tune the interval for: those of the quarter before, which this quarter's data cannot have moved."""
    earlier = [phase for phase in phases_of(session, shop_id, HOLDOUT_ID) if phase < quarter]
    if not earlier:
        return EXPECTED_UNITS
    return max(100, sum(one.units for one in arm_totals(session, shop_id, HOLDOUT_ID, earlier[-1]).values()))


def _warnings(arms: Mapping[str, ArmTotals]) -> tuple[str, ...]:
    units, crossed = sum(one.units for one in arms.values()), sum(one.crossed for one in arms.values())
    return ("many_crossovers",) if has_many_crossovers(crossed, units) else ()


def _sum(arms: Mapping[str, ArmTotals], measure: str) -> int:
    return arms[OPEN].moments[measure].total("d") if OPEN in arms else 0


def assumed_parts(session: Session, shop_id: ShopId) -> tuple[str, ...]:
    """Parts of the shop's measured margins that neither its merchant nor the catalogue told."""
    known = set(read_costs(session, shop_id).known)
    parts = [part for part, costs in ASSUMPTIONS.items() if not known.issuperset(costs)]
    if "cost" in parts and not has_assumed_goods(session, shop_id):
        parts.remove("cost")
    return tuple(parts)


def _empty(
    quarter: int, currency: str | None, arms: Mapping[str, ArmTotals], assumed: tuple[str, ...]
) -> dict[str, Any]:
    names = ProgrammeReport.__dataclass_fields__
    return dict.fromkeys(names) | {
        "quarter": quarter,
        "currency": currency,
        "warnings": (),
        "critical": 0.0,
        "units": {name: arms[name].units if name in arms else 0 for name in (HOLDOUT, OPEN)},
        "claimed_revenue": Claim(_sum(arms, CLAIMED)),
        "assumed": assumed,
    }


def _said(base: dict[str, Any], verdict: str) -> ProgrammeReport:
    return ProgrammeReport(**base | {"verdict": verdict, "words": WORDS[verdict]})
