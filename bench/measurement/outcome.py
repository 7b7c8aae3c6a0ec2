"""What a row of the acceptance table says, and how a share of worlds is held against its gate."""

from __future__ import annotations

import math
from dataclasses import dataclass

MONTE_CARLO_ERRORS = 3.0
"""Standard errors by which the gates widen in a reduced run: the full run has the worlds, the reduced one has not."""


LEFT_OUT = "left out: "
"""How `ours` begins when a row could not run, as where its data are not at hand."""


@dataclass(frozen=True)
class Outcome:
    """One line of the table.

    `peers`: the same figure by the usual method, where it was computed in the same run. A row left out does not fail,
    and is not shown as passed either.
    """

    row: str
    test: str
    gate: str
    ours: str
    passed: bool
    peers: str = ""

    @property
    def verdict(self) -> str:
        """Say how the row went."""
        return "–" if self.ours.startswith(LEFT_OUT) else "pass" if self.passed else "FAIL"


@dataclass(frozen=True)
class Share:
    """How often something happened. Shape: 0 <= hits <= worlds, worlds >= 1."""

    hits: int
    worlds: int

    @property
    def rate(self) -> float:
        """Give the share, 0 to 1."""
        return self.hits / self.worlds

    def error_at(self, rate: float) -> float:
        """Give the Monte-Carlo standard error that the share has when the truth is `rate`."""
        return math.sqrt(max(rate * (1 - rate), 0.0) / self.worlds)

    def is_within(self, low: float, high: float, *, scale: float) -> bool:
        """Hold the share against its gate, both ends included; in a reduced run the gate is widened."""
        slack = MONTE_CARLO_ERRORS if scale < 1 else 0.0
        return low - slack * self.error_at(low) <= self.rate <= high + slack * self.error_at(high)

    def __str__(self) -> str:
        return f"{100 * self.rate:.1f}"


def worlds_at(scale: float, full: int = 4_000, *, least: int = 40) -> int:
    """Give the number of worlds of a run. Units: `scale` 1 is the full run."""
    return max(least, round(full * scale))


def is_near(value: float, target: float, gate: float, *, error: float, scale: float) -> bool:
    """Hold a mean over worlds against its gate; `error` is its Monte-Carlo standard error, used in a reduced run."""
    slack = MONTE_CARLO_ERRORS * error if scale < 1 else 0.0
    return abs(value - target) <= gate + slack
