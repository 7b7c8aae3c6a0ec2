"""What is said of a pair that is not to be offered, or is to be offered after all: by learning or by the merchant.

Pure. The merchant's word wins: `lifted` or `pinned` undoes a learned edge, `blocked` stands whatever was learned.
`timed` says when and not whether, so a learned edge stays; a window may come with any other word too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import InvalidInput, ProductId

MERCHANT, LEARNED = "merchant", "learned"

BLOCKED, LIFTED, PINNED, TIMED = "blocked", "lifted", "pinned", "timed"
TAKEN_BACK = "taken_back"
APART = "apart"
MERCHANT_WORDS = (BLOCKED, LIFTED, PINNED, TIMED)

LONGEST_WINDOW_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class PairWord:
    """One word on one directed pair.

    `reason`: `pair` or `kind` (whose counts decided) of a learned edge; `apart` where the two only meet less often in
    one order than by chance; one of `MERCHANT_WORDS` of a merchant's.
    Units: `observed` purchases of the companion by owners of the anchor (`apart`: orders with both) where `expected`
    were due; `upper_bound` on their ratio; `n` orders with the anchor. A learned edge blocks until `review_at`.
    `window`: first and last day after delivery in which the merchant wants the pair offered; None: they did not say.
    """

    anchor_product_id: ProductId
    companion_product_id: ProductId
    source: str
    reason: str
    upper_bound: float
    n: int
    review_at: datetime | None
    observed: float = 0.0
    expected: float = 0.0
    note: str = ""
    window: tuple[int, int] | None = None

    @property
    def pair(self) -> tuple[ProductId, ProductId]:
        """Anchor and companion."""
        return self.anchor_product_id, self.companion_product_id


@dataclass(frozen=True, slots=True)
class SaidOnce:
    """One entry of the merchant's log: a word, or `taken_back`."""

    anchor_product_id: ProductId
    companion_product_id: ProductId
    word: str
    said_at: datetime
    note: str = ""
    window: tuple[int, int] | None = None


def blocks_in_force(words: Iterable[PairWord], *, now: datetime) -> tuple[PairWord, ...]:
    """The words that block at this moment, one a pair, clearest evidence first."""
    listed = list(words)
    overruled = {word.pair for word in listed if word.source == MERCHANT and word.reason != TIMED}
    blocking = [word for word in listed if _blocks(word, overruled, now)]
    return tuple(sorted(blocking, key=lambda word: (word.upper_bound, -word.expected, word.pair)))


def pins_in_force(words: Iterable[PairWord]) -> frozenset[tuple[ProductId, ProductId]]:
    """The pairs that the merchant wants first: among candidates of equal rank a pinned pair comes before the rest."""
    return frozenset(word.pair for word in words if word.source == MERCHANT and word.reason == PINNED)


def check_word(word: PairWord) -> None:
    """Refuse what a merchant cannot say. Raises: InvalidInput."""
    if word.source != MERCHANT or word.reason not in MERCHANT_WORDS:
        raise InvalidInput(f"a merchant says one of {', '.join(MERCHANT_WORDS)}")
    if word.reason == TIMED and word.window is None:
        raise InvalidInput("a word on timing names its first and last day")
    if word.window is not None and not 0 <= word.window[0] <= word.window[1] <= LONGEST_WINDOW_DAYS:
        raise InvalidInput(f"a window is two days from 0 to {LONGEST_WINDOW_DAYS}, the first not after the last")


def _blocks(word: PairWord, overruled: set[tuple[ProductId, ProductId]], now: datetime) -> bool:
    if word.source == MERCHANT:
        return word.reason == BLOCKED
    return word.pair not in overruled and (word.review_at is None or word.review_at > now)
