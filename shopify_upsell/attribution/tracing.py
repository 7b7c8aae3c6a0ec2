"""Trace orders back to what their shoppers did: which lines were assisted, and which paths led to credited lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.attribution.assisted import Assist, assist_of
from shopify_upsell.attribution.credit import ASSISTED, DIRECT, Credit, SignedAddition
from shopify_upsell.attribution.journeys import (
    PathKey,
    Shopper,
    TouchIndex,
    freeze_paths,
    frozen_paths,
    touches_around,
)
from shopify_upsell.attribution.models.path import NO_FIT
from shopify_upsell.attribution.models.registry import CREDIT_MODELS, weigh_path
from shopify_upsell.attribution.paths import PathQuery, path_of
from shopify_upsell.attribution.postings import FrozenPath
from shopify_upsell.attribution.refit import fit_at
from shopify_upsell.attribution.touches import Touch
from shopify_upsell.core import DecisionId, LineId, OrderId, ShopId
from shopify_upsell.ledger.booked import BookedOrder

LinePaths = dict[tuple[LineId, str], FrozenPath]
"""Paths by line and class of credit."""


@dataclass(frozen=True)
class Traces:
    """What shoppers did around some orders."""

    shop_id: ShopId
    orders: Mapping[OrderId, BookedOrder]
    shoppers: Mapping[OrderId, Shopper]
    accepted_at: Mapping[OrderId, Mapping[DecisionId, datetime]]
    touches: TouchIndex

    def assists_of(self, order: BookedOrder) -> dict[LineId, Assist]:
        """Lines of an order that a touch may have helped along, whether or not they have a token."""
        done = self._done_by(order.order_id)
        if not done:
            return {}
        found = {line.line_id: assist_of(line, order.ordered_at, done) for line in order.lines}
        return {line_id: assist for line_id, assist in found.items() if assist is not None}

    def frozen_paths(
        self, session: Session, credits: Mapping[OrderId, Sequence[Credit]], model: str
    ) -> dict[OrderId, LinePaths]:
        """The paths of credited lines: those frozen before, and new ones, which are frozen now."""
        queries = {
            (order_id, credit.line_id, credit.credit_class): self._query(self.orders[order_id], credit)
            for order_id, parts in credits.items()
            for credit in parts
            if credit.credit_class in (DIRECT, ASSISTED)
        }
        known = frozen_paths(session, self.shop_id, {order_id for order_id, *_ in queries}) if queries else {}
        new: dict[PathKey, FrozenPath] = {}
        found: dict[OrderId, LinePaths] = {}
        for (order_id, line_id, credit_class), query in queries.items():
            key = (order_id, line_id, query.key)
            if key not in known:
                new[key] = known[key] = self._weighed(session, order_id, query, model)
            found.setdefault(order_id, {})[(line_id, credit_class)] = known[key]
        freeze_paths(session, self.shop_id, new)
        return found

    def _weighed(self, session: Session, order_id: OrderId, query: PathQuery, model: str) -> FrozenPath:
        path = path_of(query, self._done_by(order_id))
        fit = fit_at(session, self.shop_id, model, query.ended_at) if CREDIT_MODELS[model].is_learned else NO_FIT
        return FrozenPath(path, weigh_path(model, path, fit), query.decision_id)

    def _done_by(self, order_id: OrderId) -> list[Touch]:
        return self.touches.of(self.shoppers[order_id])

    def _query(self, order: BookedOrder, credit: Credit) -> PathQuery:
        if credit.offer_id is None or credit.decision_id is None:
            raise ValueError("a credit of ours names its offer and decision")
        line = next(line for line in order.lines if line.line_id == credit.line_id)
        shopper = self.shoppers[order.order_id]
        return PathQuery(
            line_id=line.line_id,
            offer_id=credit.offer_id,
            decision_id=credit.decision_id,
            placement=credit.placement or "",
            # A post-purchase line came to be when it was accepted; what was seen afterwards did not lead to it.
            ended_at=self.accepted_at[order.order_id].get(credit.decision_id, order.ordered_at),
            product_id=line.product_id,
            variant_id=line.variant_id,
            unit=shopper.unit,
            cart_token=shopper.cart_token,
        )


def trace_orders(
    session: Session,
    shop_id: ShopId,
    orders: Mapping[OrderId, BookedOrder],
    additions: Mapping[OrderId, Sequence[SignedAddition]],
    claimed: Mapping[OrderId, frozenset[DecisionId]],
) -> Traces:
    """Read what the shoppers of some orders did before them.

    `claimed`: decisions that an order's tokens prove to be its shopper's; those of its changesets are added.
    """
    accepted_at = {
        order_id: {addition.decision_id: addition.signed_at for addition in additions.get(order_id, ())}
        for order_id in orders
    }
    shoppers = {
        order_id: Shopper(
            unit=None if order.customer_id is None else f"c:{order.customer_id}",
            cart_token=order.cart_token,
            decision_ids=claimed.get(order_id, frozenset()) | accepted_at[order_id].keys(),
        )
        for order_id, order in orders.items()
    }
    ends = [moment for accepted in accepted_at.values() for moment in accepted.values()]
    moments = [order.ordered_at for order in orders.values()]
    touches = TouchIndex(())
    if moments:
        touches = touches_around(
            session, shop_id, list(shoppers.values()), since=min(moments), until=max([*moments, *ends])
        )
    return Traces(shop_id, orders, shoppers, accepted_at, touches)
