"""How many of the ranked candidates are shown, and that no product appears twice.

Pure. An offer gets one card, so that its id names the card: a dismissal or a signature needs nothing else.
"""

from collections.abc import Iterable

from shopify_upsell.core import OfferId, ProductId
from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.offers.candidate import Candidate, Rejection
from shopify_upsell.offers.rejecting import reject

LIMITS = {"theme/product_page": 3, "theme/cart": 2, "post_purchase/offer": 2}
"""Most cards a placement shows. Source: post-purchase, Shopify's App Store requirement 5.8.4 (read 2026-10-05), at
most two offers in a row; the others our choice."""

LIMIT_ELSEWHERE = 1

LIFECYCLE = "email/lifecycle"
"""Where a merchant's mail tool writes to a customer some time after a delivery; `sends` asks for it."""

SERVED = (*LIMITS, LIFECYCLE)
"""Every placement that this app serves."""


def limit_of(placement: str, asked: int) -> int:
    """The smaller of what the surface asked for and what the placement allows."""
    return max(0, min(asked, LIMITS.get(placement, LIMIT_ELSEWHERE)))


def choose(ranked: Iterable[Candidate], limit: int) -> tuple[list[Candidate], list[Rejection]]:
    """Take the best that fit together, at most one that is a try; say of each of the others why not."""
    chosen: list[Candidate] = []
    rejections: list[Rejection] = []
    used_offers: set[OfferId] = set()
    shown: set[ProductId] = set()
    has_tried = False
    for candidate in ranked:
        is_try = candidate.reason_code == COLD_START
        code = _why_not(candidate, used_offers, shown, is_full=len(chosen) >= limit)
        if code is None and is_try and has_tried:
            code = "not_explored"
        if code is not None:
            rejections.append(reject(candidate, code, candidate.items[-1], score=candidate.score))
            continue
        chosen.append(candidate)
        has_tried = has_tried or is_try
        used_offers.add(candidate.offer.offer_id)
        shown.update(item.product_id for item in candidate.items)
    return chosen, rejections


def _why_not(candidate: Candidate, used_offers: set[OfferId], shown: set[ProductId], *, is_full: bool) -> str | None:
    if candidate.offer.offer_id in used_offers:
        return "outranked"
    if any(item.product_id in shown for item in candidate.items):
        return "repeats_product"
    return "limit_reached" if is_full else None
