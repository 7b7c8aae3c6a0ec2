"""What is said of a pair that is not to be offered, or is to be offered after all: by learning or by the merchant.

Pure. The merchant's word wins: `lifted` or `pinned` undoes a learned edge, `blocked` stands whatever was learned.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import ProductId

MERCHANT, LEARNED = "merchant", "learned"

BLOCKED, LIFTED, PINNED = "blocked", "lifted", "pinned"
APART = "apart"
MERCHANT_WORDS = (BLOCKED, LIFTED, PINNED)


@dataclass(frozen=True, slots=True)
class PairWord:
    """One word on one directed pair.

    `reason`: `pair` or `kind` (whose counts decided) of a learned edge; `apart` where the two only meet less often in
    one order than by chance; one of `MERCHANT_WORDS` of a merchant's.
    Units: `observed` purchases of the companion by owners of the anchor (`apart`: orders with both) where `expected`
    were due; `upper_bound` on their ratio; `n` orders with the anchor. A learned edge blocks until `review_at`.
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

    @property
    def pair(self) -> tuple[ProductId, ProductId]:
        """Anchor and companion."""
        return self.anchor_product_id, self.companion_product_id


def blocks_in_force(words: Iterable[PairWord], *, now: datetime) -> tuple[PairWord, ...]:
    """The words that block at this moment, one a pair, clearest evidence first."""
    listed = list(words)
    overruled = {word.pair for word in listed if word.source == MERCHANT}
    blocking = [word for word in listed if _blocks(word, overruled, now)]
    return tuple(sorted(blocking, key=lambda word: (word.upper_bound, -word.expected, word.pair)))


def _blocks(word: PairWord, overruled: set[tuple[ProductId, ProductId]], now: datetime) -> bool:
    if word.source == MERCHANT:
        return word.reason == BLOCKED
    return word.pair not in overruled and (word.review_at is None or word.review_at > now)
