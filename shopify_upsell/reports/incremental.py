"""From two arms' sums to what a person reads: an effect with its intervals, or what is missing for one. Pure.

One critical value serves test, absolute and relative interval, so they never contradict each other. Where no end is
planned (the holdout) it is that of a confidence sequence, which holds however often somebody looks.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import datetime
from typing import Any

from shopify_upsell.experiments.calibration import (
    Calibration,
    Incremental,
    KappaPrior,
    ShownKappa,
    calibrate,
    shown_kappa,
)
from shopify_upsell.experiments.cuped import APPLIED, UNBALANCED_HISTORY, adjust
from shopify_upsell.experiments.estimators import PER_UNIT, Comparison, Estimate, Metric, compare, estimate
from shopify_upsell.experiments.fieller import Interval, Unbounded
from shopify_upsell.experiments.moments import Moments
from shopify_upsell.experiments.shortage import NotEnoughData, shortage_for_decision

CATEGORY_KAPPA = KappaPrior(mean=0.5, deviation=0.5)
"""What part of attributed revenue is caused, in a shop of which nothing is known. Source: our choice: half, give or
take half; measured shares in the reference worlds lie between a fifth and nine tenths."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What there is too little of: a code of `experiments.shortage`, how much there is, how much there must be."""

    code: str
    seen: int
    needed: int


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric, treated against control. Numbers are None while `missing` says what there is too little of.

    Units: `treated`, `control`, `difference`, `low`, `high` in the metric's own (minor units a unit, or a rate);
    `lift` and its ends as a share of control, None where control may be zero. `critical` in standard errors.
    `adjustment`: what CUPED did, "" where it was not asked.
    """

    metric: str
    treated_units: int
    control_units: int
    treated: float | None = None
    control: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    critical: float | None = None
    standard_error: float | None = None
    adjustment: str = ""
    missing: Missing | None = None

    @property
    def is_measurable(self) -> bool:
        """Tell whether 0 lies outside the interval."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def z(self) -> float:
        """The difference in standard errors; 0 while there is none."""
        return (self.difference or 0.0) / self.standard_error if self.standard_error else 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What offers claim beside what they caused, in one kind of money.

    Units: minor units; `kappa` caused ÷ claimed, shrunk towards the category where the shop's own interval is wider
    than 1; `claimed_over_caused` and its ends None where nothing need have been caused at all.
    """

    claimed: int
    caused: int | None = None
    caused_low: int | None = None
    caused_high: int | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    is_kappa_shrunk: bool = False
    claimed_over_caused: float | None = None
    claimed_over_caused_low: float | None = None
    claimed_over_caused_high: float | None = None
    missing: Missing | None = None

    @property
    def is_measurable(self) -> bool:
        """Tell whether the interval of what was caused leaves 0 out."""
        low, high = self.caused_low, self.caused_high
        return low is not None and high is not None and not low <= 0 <= high


def effect(
    name: str,
    treated: Moments,
    control: Moments,
    metric: Metric = PER_UNIT,
    *,
    critical: float | None = None,
    uses_past: bool = False,
) -> Effect:
    """Compare an arm with control. `uses_past`: take out what customers' pasts explain, where they explain enough."""
    adjustment = ""
    pair: tuple[Estimate | NotEnoughData, ...] = (estimate(treated, metric), estimate(control, metric))
    if uses_past and not any(isinstance(one, NotEnoughData) for one in pair):
        adjusted = adjust((treated, control), metric)
        if not isinstance(adjusted, NotEnoughData):
            pair, adjustment = adjusted.estimates, adjusted.status
    empty = Effect(name, treated.n, control.n, adjustment=adjustment)
    found = compare(pair[0], pair[1], critical=critical)
    return shown_effect(empty, found)


def shown_effect(empty: Effect, found: Comparison | NotEnoughData) -> Effect:
    """Fill an effect's name and sizes with a comparison, or with what is missing for one."""
    return replace(empty, missing=missing_of(found)) if isinstance(found, NotEnoughData) else _filled(empty, found)


def is_past_unbalanced(found: Effect) -> bool:
    """Tell whether the arms differed before they began: no adjustment repairs that, so no result may be shown."""
    return found.adjustment == UNBALANCED_HISTORY


def is_adjusted(found: Effect) -> bool:
    """Tell whether the past was taken out."""
    return found.adjustment == APPLIED


def claim(treated: Moments, control: Moments, *, critical: float, prior: KappaPrior = CATEGORY_KAPPA) -> Claim:
    """Hold what is claimed of the treated arm against what assignment says was caused.

    Shape: y of both is money kept, d of the treated arm attributed money. Units: `critical` in standard errors.
    """
    claimed = treated.total("d")
    alpha = nominal_alpha(critical)
    found = calibrate(treated, control, alpha=alpha)
    if isinstance(found, NotEnoughData):
        return Claim(claimed, missing=missing_of(found))
    return _claim(claimed, found, shown_kappa(found, prior, alpha=alpha))


def nominal_alpha(critical: float) -> float:
    """The two-sided alpha of a test with one look that has this critical value."""
    from scipy.special import ndtr

    return float(2 * ndtr(-critical))


def shortage(arms: Mapping[str, Moments], *, days: int) -> Missing | None:
    """What still forbids saying anything; None when nothing does. Units: `days` full days since the start."""
    found = shortage_for_decision(tuple(arms.values()), days=days)
    return None if found is None else missing_of(found)


def missing_of(found: NotEnoughData) -> Missing:
    """What is missing, to be shown."""
    return Missing(found.code, found.seen, found.needed)


def plain(value: Any) -> Any:
    """A report as JSON values: dataclasses become objects, moments ISO 8601, tuples lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _filled(empty: Effect, found: Comparison) -> Effect:
    relative = found.relative if isinstance(found.relative, Interval) else None
    return replace(
        empty,
        treated=found.treated.value,
        control=found.control.value,
        difference=found.difference,
        low=found.absolute.low,
        high=found.absolute.high,
        lift=None if isinstance(found.lift, Unbounded) else found.lift,
        lift_low=None if relative is None else relative.low,
        lift_high=None if relative is None else relative.high,
        critical=found.critical,
        standard_error=found.standard_error,
    )


def _claim(claimed: int, found: Calibration, shown: ShownKappa) -> Claim:
    caused: Incremental = found.incremental
    inverse = found.claimed_over_caused if isinstance(found.claimed_over_caused, Interval) else None
    return Claim(
        claimed=claimed,
        caused=caused.amount,
        caused_low=caused.low,
        caused_high=caused.high,
        kappa=shown.kappa,
        kappa_low=shown.interval.low,
        kappa_high=shown.interval.high,
        is_kappa_shrunk=shown.is_shrunk,
        claimed_over_caused=1 / found.kappa if inverse is not None and found.kappa > 0 else None,
        claimed_over_caused_low=None if inverse is None else inverse.low,
        claimed_over_caused_high=None if inverse is None else inverse.high,
    )
