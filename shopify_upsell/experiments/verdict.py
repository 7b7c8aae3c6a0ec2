"""What a merchant is told about an arm: one code, one sentence, and whether the experiment should stop.

Comes in: the alarms, the looks and the numbers. Goes out: a verdict. Doubt comes first: a broken ratio hides every
result, a guardrail outweighs a win, and "not enough data" is an answer of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.kinds import CONTROL

BLOCKED, PAUSED_GUARDRAIL, PAUSED_STOCK = "blocked_sample_ratio", "paused_guardrail", "paused_stock"
NOT_ENOUGH_DATA, RUNNING = "not_enough_data", "running"
BETTER, WORSE, NO_EFFECT = "better", "worse", "no_measurable_effect"

WORDS: Mapping[str, str] = {
    BLOCKED: "The arms do not hold the shares they were given. Results are hidden until the cause is found.",
    PAUSED_GUARDRAIL: "The arm is paused: it does more harm elsewhere than was agreed.",
    PAUSED_STOCK: "All arms are paused: an arm cannot be delivered, and the other would win by default.",
    NOT_ENOUGH_DATA: "There is not enough data to say anything yet.",
    RUNNING: "Cannot tell yet. The experiment goes on.",
    BETTER: "Better than control.",
    WORSE: "Worse than control.",
    NO_EFFECT: "No measurable effect: the planned number of units did not show a difference.",
}
"""What each code says to a merchant."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the whole experiment stands.

    `look_count`: looks taken. `is_over`: no look will follow, because the plan was fulfilled or its time has run out.
    """

    has_ratio_alarm: bool
    out_of_stock: tuple[str, ...]
    look_count: int
    is_over: bool
    alpha: float


@dataclass(frozen=True, slots=True)
class ArmEvidence:
    """What is known of one arm against control.

    Units: `estimate` of the primary metric's difference, above 0 is better; `sequential_p` after Holm where there are
    several arms. `pausing`: the guardrails that pause it.
    """

    estimate: float
    sequential_p: float
    pausing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to say and do. `reasons` names the guardrails or arms behind it."""

    code: str
    stops: bool
    shows_results: bool
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        return WORDS[self.code]


def verdict_of(progress: Progress, evidence: ArmEvidence) -> Verdict:
    """Judge one arm.

    Raises: InvalidInput when the p value is not a probability.
    """
    if not 0 <= evidence.sequential_p <= 1:
        raise InvalidInput("a p value lies between 0 and 1")
    if progress.has_ratio_alarm:
        return Verdict(BLOCKED, stops=True, shows_results=False)
    if evidence.pausing:
        return Verdict(PAUSED_GUARDRAIL, stops=True, shows_results=True, reasons=evidence.pausing)
    if progress.out_of_stock:
        return Verdict(PAUSED_STOCK, stops=False, shows_results=True, reasons=progress.out_of_stock)
    if progress.look_count == 0:
        return Verdict(NOT_ENOUGH_DATA, stops=progress.is_over, shows_results=False)
    return _measured(progress, evidence)


def recommended_arm(verdicts: Mapping[str, Verdict], estimates: Mapping[str, float]) -> str | None:
    """Name the arm to go on with: the best of those proved better, control when all is over, None while it is open.

    Nothing is recommended while an arm is blocked or waits for stock: its comparison may change.

    Shape: arm to verdict and to estimate, control left out of both.
    """
    if any(verdict.code in (BLOCKED, PAUSED_STOCK) for verdict in verdicts.values()):
        return None
    better = [arm for arm, verdict in verdicts.items() if verdict.code == BETTER]
    if better:
        return max(better, key=lambda arm: (estimates[arm], arm))
    is_settled = bool(verdicts) and all(v.stops and v.code != NOT_ENOUGH_DATA for v in verdicts.values())
    return CONTROL if is_settled else None


def _measured(progress: Progress, evidence: ArmEvidence) -> Verdict:
    if evidence.sequential_p <= progress.alpha and evidence.estimate != 0:
        return Verdict(BETTER if evidence.estimate > 0 else WORSE, stops=True, shows_results=True)
    return Verdict(NO_EFFECT if progress.is_over else RUNNING, stops=progress.is_over, shows_results=True)
