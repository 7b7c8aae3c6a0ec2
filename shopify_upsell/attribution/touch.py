"""Record what a shopper did with an offer."""

from sqlalchemy.orm import Session

from shopify_upsell.attribution.store import add_touchpoint
from shopify_upsell.attribution.touches import TOUCHPOINT_KINDS, Touch
from shopify_upsell.core import InvalidInput, ShopId

__all__ = ["Touch", "record_touchpoint"]


def record_touchpoint(session: Session, shop_id: ShopId, touch: Touch) -> bool:
    """Keep a touchpoint once: a second beacon about the same thing is the same thing. Returns False for a repeat.

    Raises: InvalidInput for a kind that is not one of `TOUCHPOINT_KINDS`.
    """
    if touch.kind not in TOUCHPOINT_KINDS:
        raise InvalidInput("not a kind of touchpoint")
    return add_touchpoint(session, shop_id, touch)
