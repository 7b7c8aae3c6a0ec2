"""Lines that an offer may have helped along though its token is not on them. Pure; left out of totals by default.

Assisted is a weaker claim than direct, so it is a class of its own and never adds to what offers are said to earn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.attribution.models.path import ON_SITE
from shopify_upsell.attribution.touches import Touch, concerns, newest
from shopify_upsell.core import DecisionId, OfferId
from shopify_upsell.ledger.booked import BookedLine


@dataclass(frozen=True, slots=True)
class AssistWindows:
    """How long before an order a touch still assists. Source: reference `measurement.md` part 2.2."""

    click: timedelta = timedelta(days=7)
    on_site_view: timedelta = timedelta(hours=24)


WINDOWS = AssistWindows()


@dataclass(frozen=True, slots=True)
class Assist:
    """The touch that a line is said to be assisted by."""

    offer_id: OfferId
    decision_id: DecisionId
    book: str | None
    placement: str


def assist_of(
    line: BookedLine, ordered_at: datetime, touches: Sequence[Touch], windows: AssistWindows = WINDOWS
) -> Assist | None:
    """The latest click on the product within 7 days before the order, else the latest view of it on site within 24 h.

    `touches`: everything the shopper did. An acceptance counts as a click. The window's far end is excluded.
    """
    about = [
        touch
        for touch in touches
        if line.product_id is not None
        and concerns(touch, offer_id=None, product_id=line.product_id, variant_id=line.variant_id)
    ]
    clicks = [touch for touch in about if touch.kind in ("click", "accept")]
    views = [touch for touch in about if touch.kind == "impression" and touch.channel in ON_SITE]
    near = _within(clicks, ordered_at, windows.click) or _within(views, ordered_at, windows.on_site_view)
    if not near:
        return None
    touch = newest(near)
    return Assist(touch.offer_id, touch.decision_id, touch.book, touch.placement)


def _within(touches: Sequence[Touch], ordered_at: datetime, window: timedelta) -> list[Touch]:
    return [touch for touch in touches if timedelta(0) < ordered_at - touch.occurred_at < window]
