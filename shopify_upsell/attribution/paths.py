"""The touches that led to one credited line. Pure.

In: what is known of the line, and everything its shopper did. Out: a path for the models to divide over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.attribution.models.path import Path, PathTouch
from shopify_upsell.attribution.touches import Touch, channel_of, concerns
from shopify_upsell.core import DecisionId, LineId, OfferId, ProductId, VariantId, digest_of

LOOKBACK = timedelta(days=30)
"""Touches older than this before the line are no part of its path. Source: reference `measurement.md` part 2.3."""

STEPS = ("impression", "click", "accept")
"""Kinds of touch that lead somewhere, the weakest first; a dismissal leads away."""


@dataclass(frozen=True, slots=True)
class PathQuery:
    """What a path is looked up by. `ended_at`: when the line came to be, for a post-purchase line its acceptance.

    `unit` and `cart_token` name the shopper as the order knows them.
    """

    line_id: LineId
    offer_id: OfferId
    decision_id: DecisionId
    placement: str
    ended_at: datetime
    product_id: ProductId | None = None
    variant_id: VariantId | None = None
    unit: str | None = None
    cart_token: str | None = None

    @property
    def key(self) -> str:
        """Names the query: facts that come later (a customer, a cart) make another query and so another path."""
        about = [self.offer_id, self.decision_id, self.placement, self.ended_at, self.product_id, self.variant_id]
        return digest_of([*about, self.unit, self.cart_token])[:32]


def path_of(query: PathQuery, touches: Sequence[Touch]) -> Path:
    """Choose the touches that led to a line, one for each showing: seen, then clicked, then taken is one meeting.

    A line that nothing is known to have led to has the one touch that its credit names.

    Shape: at least one touch, the earliest first, all before the line and at most 30 days before.
    """
    showings: dict[tuple[str, int], list[Touch]] = {}
    for touch in touches:
        if _leads_to(query, touch):
            showings.setdefault((touch.decision_id, touch.offer_id), []).append(touch)
    met = [_meeting(showing) for showing in showings.values()]
    if not met:
        met = [PathTouch(channel_of(query.placement), "accept", query.ended_at)]
    return Path(tuple(sorted(met, key=lambda it: (it.occurred_at, it.channel, it.kind))), query.ended_at)


def _leads_to(query: PathQuery, touch: Touch) -> bool:
    age = query.ended_at - touch.occurred_at
    return (
        touch.kind in STEPS
        and timedelta(0) < age < LOOKBACK
        and concerns(touch, offer_id=query.offer_id, product_id=query.product_id, variant_id=query.variant_id)
    )


def _meeting(showing: Sequence[Touch]) -> PathTouch:
    """One showing as one touch: the furthest it went, at its latest moment."""
    latest = max(touch.occurred_at for touch in showing)
    furthest = max(showing, key=lambda touch: STEPS.index(touch.kind))
    return PathTouch(min(touch.channel for touch in showing), furthest.kind, latest)
