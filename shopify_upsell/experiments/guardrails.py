"""What must not get worse while something else gets better: guardrails that may be read at any time and pause an arm.

Comes in: how a guardrail's mean differs between the arms. Goes out: pause, ok, or not enough data. The bound holds at
every look at once, so an arm is paused when the harm is proved, not when it flickers.
Source: one-sided non-inferiority with the confidence sequence of `always_valid`, 97.5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite
from types import MappingProxyType

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.always_valid import EXPECTED_UNITS, one_sided_critical_value

PAUSE, OK, NOT_ENOUGH_DATA = "pause", "ok", "not_enough_data"

ONE_SIDED_ALPHA = 0.025

FEWEST_UNITS = 100
"""Units per arm below which a guardrail says nothing: the bound is asymptotic."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One thing to watch.

    Units: `margin` is the harm we put up with, above 0, in the metric's own units (0.01 is one point of a rate), or,
    where `is_relative`, as a share of control's mean. `falls` tells that lower is worse.
    Raises: InvalidInput when the margin is not positive.
    """

    metric: str
    margin: float
    falls: bool = False
    is_relative: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.margin < inf:
            raise InvalidInput("a guardrail needs a positive margin")


GUARDRAILS: Mapping[str, Guardrail] = MappingProxyType(
    {
        rail.metric: rail
        for rail in (
            Guardrail("refund_rate", 0.01),
            Guardrail("unsubscribe_rate", 0.002),
            Guardrail("dismissal_rate", 0.02),
            Guardrail("support_ticket_rate", 0.005),
            Guardrail("complaint_rate", 0.005),
            Guardrail("checkout_completion_rate", 0.05, falls=True, is_relative=True),
            Guardrail("repurchase_90_day_rate", 0.01, falls=True),
            Guardrail("coverage_rate", 0.05, falls=True),
            Guardrail("order_value_without_offer", 0.02, falls=True, is_relative=True),
            Guardrail("single_item_revenue", 0.02, falls=True, is_relative=True),
            Guardrail("page_load_milliseconds", 100.0),
        )
    }
)
"""Default margins; the merchant may set others. Source: refunds, unsubscribes, dismissals and tickets are the measured
design's, the others our choice."""


@dataclass(frozen=True, slots=True)
class GuardrailReading:
    """One comparison with control.

    Units: means per triggered unit in the metric's own units, `error` of their difference alike; `units` of both arms.
    Shape: `fewest_units` is the smaller arm's count.
    """

    control: float
    treatment: float
    error: float
    units: int
    fewest_units: int


@dataclass(frozen=True, slots=True)
class GuardrailVerdict:
    """What a guardrail says.

    Units: `harm`, its bounds and `margin` in the metric's own units, positive is worse. Each bound alone holds with
    97.5 % at all looks together; infinite while there is not enough data.
    """

    metric: str
    verdict: str
    harm: float
    at_least: float
    at_most: float
    margin: float


def judge(rail: Guardrail, reading: GuardrailReading, *, expected_units: float = EXPECTED_UNITS) -> GuardrailVerdict:
    """Tell whether the harm is proved to exceed the margin (pause), proved to stay below it (ok), or neither.

    Units: `expected_units` of both arms, where a decision is expected; there the bounds are narrowest.
    Raises: InvalidInput when the reading makes no sense.
    """
    _check(reading)
    harm = (reading.control - reading.treatment) if rail.falls else (reading.treatment - reading.control)
    margin = rail.margin * abs(reading.control) if rail.is_relative else rail.margin
    # Where nothing has varied yet, as with a rate that is still zero in both arms, the error of 0 is ignorance.
    if reading.fewest_units < FEWEST_UNITS or reading.error == 0 or margin == 0:
        return GuardrailVerdict(rail.metric, NOT_ENOUGH_DATA, harm, -inf, inf, margin)
    width = _critical(reading.units, expected_units) * reading.error
    at_least, at_most = harm - width, harm + width
    verdict = PAUSE if at_least > margin else OK if at_most < margin else NOT_ENOUGH_DATA
    return GuardrailVerdict(rail.metric, verdict, harm, at_least, at_most, margin)


def paused_by(verdicts: Mapping[str, GuardrailVerdict]) -> tuple[str, ...]:
    """Name the guardrails, sorted, that pause an arm. They are not corrected for each other: one is enough."""
    return tuple(sorted(name for name, verdict in verdicts.items() if verdict.verdict == PAUSE))


@lru_cache(maxsize=4096)
def _critical(units: int, expected_units: float) -> float:
    """Find the bound once for all guardrails that are read at the same count."""
    return float(one_sided_critical_value(units, ONE_SIDED_ALPHA, expected_units=expected_units))


def _check(reading: GuardrailReading) -> None:
    if not all(isfinite(value) for value in (reading.control, reading.treatment, reading.error)) or reading.error < 0:
        raise InvalidInput("a guardrail needs finite means and an error that is not negative")
    if not 0 <= reading.fewest_units <= reading.units:
        raise InvalidInput("the smaller arm cannot have more units than both together")
