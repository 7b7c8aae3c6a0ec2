"""Was what was taken also kept? An offer that is regretted too often pauses itself.

Pure. In: lines taken from an offer and what became of them, and the same for other lines of the same orders. Out:
the rate of regret, its bound, the limit, and whether to pause. Refund, undo, cancelled order and complaint count
alike and each line once: every one says that the shopper would rather not have been asked.
"""

from dataclasses import dataclass

from shopify_upsell.experiments.exceedance import lower_bound

REFUNDED, UNDONE, CANCELLED = "refunded", "undone", "cancelled"
WAYS_BACK = (REFUNDED, UNDONE, CANCELLED)
"""How a line can be given back. `undone`: taken off the order by an edit before it was sent."""

COMPLAINTS = ("ticket", "return", "low_review")
"""What a shopper may say about a line without giving it back."""

ALPHA = 0.025
"""Chance that an offer is ever paused although it is regretted no more than the limit. Source: the guardrails' 97.5 %
one-sided bound, valid at every look, since an offer has no last day."""

ORDINARY_LIMIT = 0.10
"""The limit in a shop where little is given back. Source: product rule, "default 10 %"."""

TIMES_ORDINARY = 2.0
"""Where more is given back of everything, an offer may be regretted this much more. Source: product rule, "2x"."""

FEWEST_TAKEN = 20
"""Lines taken before anything is said of an offer. Source: product rule."""

FEWEST_ORDINARY = 100
"""Other lines below which the ordinary rate is not trusted and the limit stays where it is."""


@dataclass(frozen=True, slots=True)
class RegretCounts:
    """Lines taken from an offer and regretted; other lines of the same orders, and those given back of them."""

    taken_count: int
    regretted_count: int
    ordinary_count: int = 0
    ordinary_back_count: int = 0


@dataclass(frozen=True, slots=True)
class RegretVerdict:
    """What the counts say. Units: rates 0 to 1; `at_least` is the lower end of the confidence sequence."""

    counts: RegretCounts
    rate: float
    at_least: float
    limit: float
    should_pause: bool


def regret_of(counts: RegretCounts) -> RegretVerdict:
    """Judge one offer. The same counts always give the same verdict.

    A line taken a moment ago counts as kept until it is not, which can delay a pause but never cause one.
    Raises: ValueError for counts that contradict each other.
    """
    rate = counts.regretted_count / counts.taken_count if counts.taken_count else 0.0
    at_least = lower_bound(counts.taken_count, counts.regretted_count, alpha=ALPHA)
    limit = limit_of(counts)
    return RegretVerdict(
        counts=counts,
        rate=rate,
        at_least=at_least,
        limit=limit,
        should_pause=counts.taken_count >= FEWEST_TAKEN and at_least > limit,
    )


def should_pause(counts: RegretCounts) -> bool:
    """Tell whether an offer is regretted so often that it may no longer be shown."""
    return regret_of(counts).should_pause


def limit_of(counts: RegretCounts) -> float:
    """10 %, or twice what is given back of the other lines of the same orders, whichever is more.

    The same orders: who returns a whole order, and when, is then the same on both sides.
    """
    if counts.ordinary_count < FEWEST_ORDINARY:
        return ORDINARY_LIMIT
    return max(ORDINARY_LIMIT, TIMES_ORDINARY * counts.ordinary_back_count / counts.ordinary_count)
