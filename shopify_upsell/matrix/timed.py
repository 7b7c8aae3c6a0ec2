"""When one product may follow another, as decisions read it: one word a pair, learned, assumed, or the merchant's.

Pure, and free of numpy, because every page that asks for an offer loads it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.said import MERCHANT, PairWord

LEARNED_TIME, PRIOR_TIME, MERCHANT_TIME = "learned", "prior", "merchant"
SOURCES = (LEARNED_TIME, PRIOR_TIME, MERCHANT_TIME)
LEVELS = ("shop", "kind", "pair")

REFILL, CONSUMABLE, ACCESSORY, COMPLEMENT = "refill", "consumable", "accessory", "complement"
RELATIONS = (REFILL, CONSUMABLE, ACCESSORY, COMPLEMENT)
"""What the companion is to the anchor: the same thing again; something used up; a smaller thing of another type; any
other. See `timing_words.relations_of` for how it is told."""

LAST_DAY = 270
"""Last day that learning looks at."""

PRIOR_WINDOWS = {
    REFILL: (20, 90),
    CONSUMABLE: (0, LAST_DAY),
    ACCESSORY: (0, LAST_DAY),
    COMPLEMENT: (7, LAST_DAY),
}
"""First and last day after delivery, until a shop's own orders prove a rhythm. Our assumptions, labelled `prior`
wherever they decide: nobody needs a refill in the first weeks, nobody has tried the first thing in the first week, and
nothing is closed before learning itself stops looking."""

NO_INTERVAL = (0.0, 1.0)

Pair = tuple[ProductId, ProductId]


@dataclass(frozen=True, slots=True)
class TimingWord:
    """When the companion may follow the anchor.

    Units: `window` and `blocked` in whole days after delivery, first and last included; None: any day. `n`: first
    purchases of the companion by owners of the anchor. `interval`: 95 % bounds on the share of owners who have bought
    it by the end of the window. `level`: whose curve it is. `peaks_at_zero`: a day's chance is greatest in the first
    four days, proved at that level.
    """

    anchor_product_id: ProductId
    companion_product_id: ProductId
    level: str
    window: tuple[int, int] | None
    blocked: tuple[tuple[int, int], ...]
    peaks_at_zero: bool
    n: int
    interval: tuple[float, float]
    source: str
    relation: str = COMPLEMENT

    @property
    def pair(self) -> Pair:
        """Anchor and companion."""
        return self.anchor_product_id, self.companion_product_id


def prior_word(anchor_id: ProductId, companion_id: ProductId, relation: str = COMPLEMENT) -> TimingWord:
    """Say what is assumed of a pair. Raises: KeyError for a relation that is none."""
    window = PRIOR_WINDOWS[relation]
    return TimingWord(anchor_id, companion_id, "shop", window, (), False, 0, NO_INTERVAL, PRIOR_TIME, relation)


def with_merchant(words: Mapping[Pair, TimingWord], said: Iterable[PairWord]) -> dict[Pair, TimingWord]:
    """Put the merchant's windows in the place of what is learned or assumed; nothing is blocked inside them."""
    known = dict(words)
    for word in said:
        if word.source == MERCHANT and word.window is not None:
            before = known.get(word.pair) or prior_word(*word.pair)
            known[word.pair] = replace(
                before,
                window=word.window,
                blocked=(),
                peaks_at_zero=word.window[0] == 0,
                interval=NO_INTERVAL,
                source=MERCHANT_TIME,
            )
    return known
