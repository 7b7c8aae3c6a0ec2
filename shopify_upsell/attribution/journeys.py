"""What shoppers did around orders: their touches, the frozen paths of credited lines, and journeys to learn from."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import DIRECT
from shopify_upsell.attribution.models.chain import Journey
from shopify_upsell.attribution.models.path import Path, PathTouch
from shopify_upsell.attribution.models.registry import PathWeights
from shopify_upsell.attribution.paths import LOOKBACK, STEPS
from shopify_upsell.attribution.postings import FrozenPath
from shopify_upsell.attribution.tables import CreditPathRow, CreditRow, TouchpointRow, touch_from
from shopify_upsell.attribution.touches import Touch, channel_of
from shopify_upsell.core import DecisionId, LineId, OrderId, ShopId
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.tables import OrderRow, batches, ordered_within

PathKey = tuple[OrderId, LineId, str]


@dataclass(frozen=True, slots=True)
class Shopper:
    """Names that one order knows its shopper by: customer, cart, and the decisions whose tokens it carries."""

    unit: str | None = None
    cart_token: str | None = None
    decision_ids: frozenset[DecisionId] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class CreditedPath:
    """What a line's direct credit is worth now, and the path that led to it. Units: minor units."""

    currency: str
    amount: int
    frozen: FrozenPath


class TouchIndex:
    """Touches found by the names of who made them."""

    def __init__(self, touches: Iterable[Touch]) -> None:
        self._by_unit: dict[str, set[Touch]] = {}
        self._by_cart: dict[str, set[Touch]] = {}
        self._by_decision: dict[str, set[Touch]] = {}
        for touch in touches:
            self._by_decision.setdefault(touch.decision_id, set()).add(touch)
            if touch.unit is not None:
                self._by_unit.setdefault(touch.unit, set()).add(touch)
            if touch.cart_token is not None:
                self._by_cart.setdefault(touch.cart_token, set()).add(touch)

    def of(self, shopper: Shopper) -> list[Touch]:
        """Everything the shopper did. A signed token proves who its decision was made for, so they are the shopper."""
        claimed = {touch for key in shopper.decision_ids for touch in self._by_decision.get(key, ())}
        units = {touch.unit for touch in claimed if touch.unit} | ({shopper.unit} if shopper.unit else set())
        carts = {touch.cart_token for touch in claimed if touch.cart_token}
        carts |= {shopper.cart_token} if shopper.cart_token else set()
        found = set(claimed)
        for unit in units:
            found |= self._by_unit.get(unit, set())
        for cart in carts:
            found |= self._by_cart.get(cart, set())
        return sorted(found, key=lambda it: (it.occurred_at, it.decision_id, it.offer_id, it.variant_id, it.kind))


def touches_around(
    session: Session, shop_id: ShopId, shoppers: Collection[Shopper], *, since: datetime, until: datetime
) -> TouchIndex:
    """Everything that some shoppers did from the lookback before `since` up to `until`, by whatever name."""
    if session.scalar(select(TouchpointRow.touchpoint_id).where(TouchpointRow.shop_id == shop_id).limit(1)) is None:
        return TouchIndex(())
    when = TouchpointRow.occurred_at.between(since - LOOKBACK, until)
    decisions = {key for shopper in shoppers for key in shopper.decision_ids}
    claimed = _found(session, shop_id, TouchpointRow.decision_id, decisions)
    units = {touch.unit for touch in claimed} | {shopper.unit for shopper in shoppers}
    carts = {touch.cart_token for touch in claimed} | {shopper.cart_token for shopper in shoppers}
    touches = set(claimed)
    touches |= _found(session, shop_id, TouchpointRow.unit, {unit for unit in units if unit}, when)
    touches |= _found(session, shop_id, TouchpointRow.cart_token, {cart for cart in carts if cart}, when)
    return TouchIndex(touches)


def frozen_paths(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[PathKey, FrozenPath]:
    """Paths that were frozen for lines of some orders."""
    found: dict[PathKey, FrozenPath] = {}
    for batch in batches(sorted(set(order_ids))):
        rows = select(CreditPathRow.__table__).where(
            CreditPathRow.shop_id == shop_id, CreditPathRow.order_id.in_(batch)
        )
        for row in session.execute(rows):
            found[(OrderId(row.order_id), LineId(row.line_id), row.path_key)] = _frozen(row)
    return found


def credited_paths(
    session: Session, shop_id: ShopId, *, since: datetime | None = None, until: datetime | None = None
) -> list[CreditedPath]:
    """Direct credits of orders placed from `since` to before `until`, each with its path, by order and line."""
    same = (OrderRow.shop_id == CreditRow.shop_id) & (OrderRow.order_id == CreditRow.order_id)
    rows = session.execute(
        select(CreditRow.__table__)
        .join(OrderRow, same)
        .where(CreditRow.shop_id == shop_id, CreditRow.credit_class == DIRECT, *ordered_within(shop_id, since, until))
        .order_by(CreditRow.order_id, CreditRow.line_id)
    ).all()
    # A line may have had another path while less was known of its shopper; of one decision's the last key stands.
    paths = frozen_paths(session, shop_id, {row.order_id for row in rows})
    by_line = {(key[0], key[1], paths[key].decision_id): paths[key] for key in sorted(paths)}
    found = [(row, by_line.get((row.order_id, row.line_id, row.decision_id))) for row in rows]
    return [CreditedPath(row.currency, row.amount_minor_units, path) for row, path in found if path is not None]


def freeze_paths(session: Session, shop_id: ShopId, paths: Mapping[PathKey, FrozenPath]) -> None:
    """Keep paths for good. One that was frozen before stays as it is."""
    insert = dialect_insert(session)
    rows = [_row(shop_id, key, frozen) for key, frozen in sorted(paths.items(), key=lambda item: item[0])]
    for batch in batches(rows):
        session.execute(insert(CreditPathRow).on_conflict_do_nothing(), list(batch))


def journeys_since(session: Session, shop_id: ShopId, since: datetime) -> list[Journey]:
    """Every shopper's way through the channels since then, and whether a direct credit came of it.

    A shopper without a name counts by decision. Touches of one decision and channel that follow one another are one
    step; a pause as long as the lookback begins another journey.
    """
    bought = _credited_decisions(session, shop_id)
    rows = session.execute(
        select(TouchpointRow.unit, TouchpointRow.decision_id, TouchpointRow.placement, TouchpointRow.occurred_at)
        .where(TouchpointRow.shop_id == shop_id, TouchpointRow.occurred_at >= since, TouchpointRow.kind.in_(STEPS))
        .order_by(TouchpointRow.occurred_at, TouchpointRow.touchpoint_id)
    )
    counted: dict[tuple[str, ...], list[int]] = {}
    for steps in _ways((row[0], row[1], row[2], row[3]) for row in rows):
        has_bought = any(decision_id in bought for decision_id, _ in steps)
        way = [step for index, step in enumerate(steps) if index == 0 or step != steps[index - 1]]
        counted.setdefault(tuple(channel for _, channel in way), [0, 0])[0 if has_bought else 1] += 1
    return [Journey(channels, *made) for channels, made in sorted(counted.items())]


def forget_touches_of(session: Session, shop_id: ShopId, units: Collection[str]) -> int:
    """Forget who made touches: their names and carts go, the touches stay for counting. Returns how many."""
    owned = (TouchpointRow.shop_id == shop_id, TouchpointRow.unit.in_(sorted(set(units))))
    count = session.scalar(select(func.count()).select_from(TouchpointRow).where(*owned))
    nameless = update(TouchpointRow).where(*owned).values(unit=None, cart_token=None)
    session.execute(nameless.execution_options(synchronize_session=False))
    return int(count or 0)


def _ways(rows: Iterable[tuple[str | None, str, str, datetime]]) -> list[list[tuple[str, str]]]:
    """Steps as (decision, channel), a list for each journey."""
    ways: list[list[tuple[str, str]]] = []
    current: dict[str, tuple[datetime, list[tuple[str, str]]]] = {}
    for unit, decision_id, placement, occurred_at in rows:
        who = unit or f"decision {decision_id}"
        before, steps = current.get(who, (occurred_at, []))
        if not steps or occurred_at - before >= LOOKBACK:
            steps = []
            ways.append(steps)
        steps.append((decision_id, channel_of(placement)))
        current[who] = (occurred_at, steps)
    return ways


def _credited_decisions(session: Session, shop_id: ShopId) -> set[str]:
    rows = select(CreditRow.decision_id).where(
        CreditRow.shop_id == shop_id, CreditRow.credit_class == DIRECT, CreditRow.amount_minor_units > 0
    )
    return {decision_id for decision_id in session.scalars(rows.distinct()) if decision_id is not None}


def _found(session: Session, shop_id: ShopId, column: Any, names: Collection[str], *conditions: Any) -> set[Touch]:
    touches: set[Touch] = set()
    for batch in batches(sorted(names)):
        rows = select(TouchpointRow.__table__).where(TouchpointRow.shop_id == shop_id, column.in_(batch), *conditions)
        touches.update(touch_from(row) for row in session.execute(rows))
    return touches


def _row(shop_id: ShopId, key: PathKey, frozen: FrozenPath) -> dict[str, Any]:
    order_id, line_id, path_key = key
    return {
        "shop_id": shop_id,
        "order_id": order_id,
        "line_id": line_id,
        "path_key": path_key,
        "decision_id": frozen.decision_id,
        "ended_at": frozen.path.ended_at,
        "touches": json.dumps([_written(touch, frozen.path.ended_at) for touch in frozen.path.touches]),
        "model": frozen.weights.model,
        "model_version": frozen.weights.model_version,
        "weights": json.dumps(list(frozen.weights.weights)),
    }


def _written(touch: PathTouch, ended_at: datetime) -> Sequence[Any]:
    return [touch.channel, touch.kind, (ended_at - touch.occurred_at) // timedelta(microseconds=1)]


def _frozen(row: Row[Any]) -> FrozenPath:
    touches = tuple(
        PathTouch(channel, kind, row.ended_at - timedelta(microseconds=before))
        for channel, kind, before in json.loads(row.touches)
    )
    weights = PathWeights(row.model, row.model_version, tuple(json.loads(row.weights)))
    return FrozenPath(Path(touches, row.ended_at), weights, DecisionId(row.decision_id))
