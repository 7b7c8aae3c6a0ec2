"""Which candidate first: by what showing it is expected to bring, see `worth`.

Pure. Price and stock are no features: "the most expensive thing that could be sold" is not a question that this
module can answer.
"""

from collections.abc import Collection, Mapping

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.offers.candidate import Candidate

Pair = tuple[ProductId, ...]


def rank(
    candidates: Collection[Candidate], worths: Mapping[int, float] | None = None, pins: Collection[Pair] = ()
) -> list[Candidate]:
    """Best first. Ties go to fewer items, the older offer, the merchant's order, then the smaller product id.

    What is tried goes before all that is not pinned: behind what has evidence nobody would ever see it.
    `worths` by the candidate's identity (`id`); without them the score says what goes first. `pins`: pairs of anchor
    and companion that the merchant put before all others.
    """
    worth = {id(one): one.score for one in candidates} if worths is None else worths
    return sorted(candidates, key=lambda one: (*_turn(one, pins), -worth[id(one)], *_tie(one)))


def _turn(candidate: Candidate, pins: Collection[Pair]) -> tuple[bool, bool]:
    return not _is_pinned(candidate, pins), candidate.reason_code != COLD_START


def _is_pinned(candidate: Candidate, pins: Collection[Pair]) -> bool:
    if not pins:
        return False
    return any((candidate.anchor_product_id, item.product_id) in pins for item in candidate.items)


def _tie(candidate: Candidate) -> tuple[int, int, int, tuple[int, ...]]:
    products = tuple(item.product_id for item in candidate.items)
    return (len(candidate.items), candidate.offer.offer_id, candidate.position, products)
