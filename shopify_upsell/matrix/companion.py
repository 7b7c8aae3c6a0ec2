"""A pair's evidence: the counts, and the three ratios that the glossary defines on them.

Pure. Ratios are computed from the counts and never stored, so that they cannot disagree with them.
"""

from dataclasses import dataclass

from shopify_upsell.core import ProductId


@dataclass(frozen=True, slots=True)
class Companion:
    """What is known of one companion product of one anchor.

    Units: counts of distinct booked orders. `basket_count` is all orders, `pair_count` those with both products.
    `score` orders the companions: a rate from 0 to 1, see `packing`. `window`: first and last day after the anchor
    to prefer, None where no rhythm is proved.
    """

    product_id: ProductId
    pair_count: int
    anchor_count: int
    companion_count: int
    basket_count: int
    score: float
    window: tuple[int, int] | None = None

    @property
    def support(self) -> float:
        """Orders with both, of all orders."""
        return self.pair_count / self.basket_count

    @property
    def confidence(self) -> float:
        """Orders with both, of the orders with the anchor."""
        return self.pair_count / self.anchor_count

    @property
    def association_lift(self) -> float:
        """How many times more often both meet than if they were bought independently of each other."""
        return self.pair_count * self.basket_count / (self.anchor_count * self.companion_count)
