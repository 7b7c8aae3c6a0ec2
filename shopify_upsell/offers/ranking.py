"""Which candidate first: by what is expected to be taken, from association alone.

Pure. Price, margin and stock are no features: a candidate carries none of them. "The most expensive thing that
could be sold" is not a question this module can answer.
"""

from collections.abc import Iterable

from shopify_upsell.offers.candidate import Candidate


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Best first. Ties go to fewer items, the older offer, the merchant's order, then the smaller product id."""
    return sorted(candidates, key=_place)


def _place(candidate: Candidate) -> tuple[float, int, int, int, tuple[int, ...]]:
    products = tuple(item.product_id for item in candidate.items)
    return (-candidate.score, len(candidate.items), candidate.offer.offer_id, candidate.position, products)
