"""How much a shop lets us ask, and how long to wait for more. Pure: takes its clock as numbers.

Source: shopify.dev, "GraphQL Admin API rate limits" (read 2026-11-22): a leaky bucket for each app and shop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=5)
WAIT_UNTOLD = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Throttle:
    """What an answer says about cost. Units: points, and points a second."""

    requested_cost: float
    maximum_available: float
    currently_available: float
    restore_rate: float


@dataclass(slots=True)
class Budget:
    """What one client believes is left, from the last answer it saw."""

    _throttle: Throttle | None = None
    _seen_at: float = 0.0
    _cost_by_operation: dict[str, float] = field(default_factory=dict)

    def note(self, operation_name: str, throttle: Throttle | None, seen_at: float) -> None:
        """Remember an answer. `seen_at`: monotonic seconds."""
        if throttle is not None:
            self._throttle, self._seen_at = throttle, seen_at
            self._cost_by_operation[operation_name] = throttle.requested_cost

    def wait_before(self, operation_name: str, at: float) -> timedelta:
        """How long until the operation fits, if it costs what it cost the last time."""
        known, cost = self._throttle, self._cost_by_operation.get(operation_name)
        if known is None or cost is None:
            return timedelta(0)
        restored = known.currently_available + (at - self._seen_at) * known.restore_rate
        missing = min(cost, known.maximum_available) - min(restored, known.maximum_available)
        return timedelta(seconds=max(0.0, missing / known.restore_rate))


def read_throttle(document: Mapping[str, Any]) -> Throttle | None:
    """Read `extensions.cost` of an answer; None when it is absent or makes no sense."""
    try:
        cost = document["extensions"]["cost"]
        status = cost["throttleStatus"]
        found = Throttle(
            requested_cost=float(cost["requestedQueryCost"]),
            maximum_available=float(status["maximumAvailable"]),
            currently_available=float(status["currentlyAvailable"]),
            restore_rate=float(status["restoreRate"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    figures = (found.requested_cost, found.maximum_available, found.currently_available, found.restore_rate)
    is_sane = all(abs(figure) < 1e9 for figure in figures) and found.restore_rate >= 1
    return found if is_sane else None


def wait_told(throttle: Throttle | None, retry_after: str | None = None) -> timedelta:
    """How long Shopify asks us to wait: its Retry-After, or the time its figures give, within reason."""
    if retry_after is not None:
        wait = _seconds(retry_after)
    elif throttle is not None:
        missing = throttle.requested_cost - throttle.currently_available
        wait = timedelta(seconds=missing / throttle.restore_rate)
    else:
        wait = WAIT_UNTOLD
    return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def _seconds(text: str) -> timedelta:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        return WAIT_UNTOLD
