"""Pairs that meet clearly less often than chance would have it: the reason why an automatic offer leaves them out.

Pure. In: the exact counts. Out: per anchor a few words with their evidence, the clearest first. They explain; whether
owners of the one turn away from the other for good is `negative`'s stricter question, which needs customers.
"""

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.negative import upper_ratio
from shopify_upsell.matrix.said import APART, LEARNED, PairWord
from shopify_upsell.matrix.tally import Tally

Reals = NDArray[np.float64]

MOST_APART = 10
"""Pairs kept of one anchor: enough to explain by."""

HIGHEST_BOUND = 1.0
"""Upper bound of the association lift: with it below 1 the pair meets less than by chance, beyond accident."""

FEWEST_EXPECTED = 3.69
"""Meetings that must have been due: with fewer not even none at all proves anything (upper bound of 0, Garwood)."""


def pairs_apart(tally: Tally) -> list[PairWord]:
    """List the pairs that were due to meet and did not, by anchor and then by bound.

    Meetings due are those of independent products, scaled down where baskets are smaller than independence makes them.
    """
    if not tally.basket_count:
        return []
    best = np.lexsort((tally.ids, -tally.sales))
    ids, sales = tally.ids[best], tally.sales[best].astype(np.float64)
    scale = _scale(tally, sales) / tally.basket_count
    found: list[PairWord] = []
    for place, anchor in enumerate(ids.tolist()):
        due = sales[place] * sales * scale
        many = int(np.searchsorted(-due, -FEWEST_EXPECTED, side="right"))
        if not many:
            break
        found += _of_anchor(tally, anchor, ids[:many], due[:many])
    return found


def _scale(tally: Tally, sales: Reals) -> float:
    """Pairs seen over pairs due, at most 1: where most orders hold one product, nothing meets as often as expected."""
    due = (float(sales.sum()) ** 2 - float((sales**2).sum())) / tally.basket_count
    return min(1.0, 2 * float(tally.n.sum()) / due) if due > 0 else 1.0


def _of_anchor(tally: Tally, anchor: int, others: NDArray[np.int64], due: Reals) -> list[PairWord]:
    met = tally.met(anchor, others).astype(np.float64)
    bound = upper_ratio(met, due)
    bound[others == anchor] = np.inf
    order = np.lexsort((others, bound))[:MOST_APART]
    return [
        PairWord(
            anchor_product_id=ProductId(anchor),
            companion_product_id=ProductId(int(others[at])),
            source=LEARNED,
            reason=APART,
            upper_bound=round(float(bound[at]), 4),
            n=tally.sold(anchor),
            review_at=None,
            observed=float(met[at]),
            expected=round(float(due[at]), 2),
        )
        for at in order.tolist()
        if bound[at] < HIGHEST_BOUND
    ]
