"""Many comparisons, few surprises: adjust p values so that asking more questions does not find more luck.

Comes in: one p value a question. Goes out: adjusted values, comparable with the same alpha or q as before. Primary
comparisons use Holm, secondary ones and segments Benjamini-Hochberg, guardrails none: a false alarm there is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shopify_upsell.core import InvalidInput

FALSE_DISCOVERY_RATE = 0.10
"""Share of false ones among the secondary findings that we put up with."""


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust so that any false finding at all has probability alpha at most.

    Shape: one value a question, the result in the same order. Units: probabilities; holds for dependent tests too.
    Raises: InvalidInput when a value is not a probability.
    Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    order = _ascending(p_values)
    adjusted, least = [0.0] * len(order), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = least
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust so that among the findings at most a share q is false on average.

    Shape: one value a question, the result in the same order. Units: probabilities, to be compared with q; holds for
    independent tests and for those that err together.
    Raises: InvalidInput when a value is not a probability.
    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57.
    """
    order = _ascending(p_values)
    adjusted, most = [0.0] * len(order), 1.0
    for rank in range(len(order), 0, -1):
        place = order[rank - 1]
        most = min(most, p_values[place] * len(order) / rank)
        adjusted[place] = most
    return tuple(adjusted)


def against_control(p_by_arm: Mapping[str, float]) -> dict[str, float]:
    """Adjust the comparisons of several arms with one control, by Holm.

    Shape: the arm's name to its sequential p value, control left out; the result in the same order.
    Raises: InvalidInput when a value is not a probability.
    """
    return dict(zip(p_by_arm, holm(tuple(p_by_arm.values())), strict=True))


def findings(p_by_question: Mapping[str, float], rate: float = FALSE_DISCOVERY_RATE) -> tuple[str, ...]:
    """Name the secondary metrics or segments that stand out after Benjamini-Hochberg, in the order given.

    Raises: InvalidInput when a value is not a probability.
    """
    adjusted = benjamini_hochberg(tuple(p_by_question.values()))
    return tuple(name for name, value in zip(p_by_question, adjusted, strict=True) if value <= rate)


def _ascending(p_values: Sequence[float]) -> list[int]:
    if any(not 0 <= p <= 1 for p in p_values):
        raise InvalidInput("a p value lies between 0 and 1")
    return sorted(range(len(p_values)), key=lambda place: p_values[place])
