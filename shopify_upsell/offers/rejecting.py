"""Refuse a candidate with a code of the vocabulary. Pure; shared by all modules of rules."""

from shopify_upsell.offers.candidate import Candidate, CandidateItem, Rejection
from shopify_upsell.offers.codes import REJECTIONS


def reject(candidate: Candidate, code: str, item: CandidateItem, **detail: str | int | float) -> Rejection:
    """Refuse a candidate over one of its items. Raises: ValueError for a code outside the vocabulary."""
    if code not in REJECTIONS:
        raise ValueError(f"no such rejection: {code}")
    if len(candidate.items) > 1:
        detail["items"] = "+".join(str(one.product_id) for one in candidate.items)
    return Rejection(code, candidate.offer.offer_id, item.product_id, detail)
