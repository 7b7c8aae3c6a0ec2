"""When buyers of one product come for another: counts by days since delivery, tenures, and the window in use.

Comes in: the kept lines of the two products, and when their orders arrived. Goes out: per window who waited and who
bought, the share who later bought by tenure, each with counts and 95 % intervals, and what decisions go by.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, ShopId, gid
from shopify_upsell.ledger.delivered import OrderDelivery
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow, shop_usual_delivery
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow
from shopify_upsell.matrix.timed import TimingWord, prior_word
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.matrix.words_store import merchant_words
from shopify_upsell.reports.customer_figures import Share, share_of
from shopify_upsell.reports.incremental import Missing
from shopify_upsell.reports.pair_figures import Pair, titles_of

if TYPE_CHECKING:
    from shopify_upsell.matrix.cohorts import CohortShare
    from shopify_upsell.matrix.firsts import FirstPurchases


@dataclass(frozen=True, slots=True)
class WaitWindow:
    """Some days since delivery, `first_day` and `last_day` included.

    Units: `hazard` the chance to buy within the window of those still waiting at its start, with a 95 % interval;
    `daily` the same a day.
    """

    first_day: int
    last_day: int
    at_risk: int
    bought: int
    hazard: Share
    daily: float | None
    daily_low: float | None
    daily_high: float | None


@dataclass(frozen=True, slots=True)
class PairTiming:
    """When buyers of the anchor come for the companion, and the window that decisions use. `buyers`: of the anchor."""

    anchor_id: ProductId
    companion_id: ProductId
    titles: tuple[str, str]
    buyers: int
    bought: int
    windows: tuple[WaitWindow, ...]
    in_use: TimingWord
    is_delivery_assumed: bool
    missing: Missing | None

    def to_json(self) -> dict[str, Any]:
        """Plain values with global ids."""
        word = self.in_use
        return {
            "anchor": gid("Product", self.anchor_id),
            "companion": gid("Product", self.companion_id),
            "anchor_title": self.titles[0],
            "companion_title": self.titles[1],
            "buyers": self.buyers,
            "bought": self.bought,
            "windows": [asdict(one) for one in self.windows],
            "window_in_use": {
                "days": list(word.window) if word.window is not None else None,
                "blocked_days": [list(one) for one in word.blocked],
                "source": word.source,
                "level": word.level,
                "n": word.n,
                "interval": list(word.interval),
                "assumed": word.source == "prior",
            },
            "is_delivery_assumed": self.is_delivery_assumed,
            "missing": asdict(self.missing) if self.missing is not None else None,
        }


def pair_cohorts(session: Session, shop_id: ShopId, pair: Pair, *, now: datetime) -> list["CohortShare"]:
    """Of the anchor's buyers, the share who later bought the companion, by tenure, as `matrix cohorts` tells it."""
    from shopify_upsell.matrix.cohorts import cohort_shares

    return cohort_shares(_firsts(session, shop_id, pair, now), 0, 1, now=_seconds(now))


def pair_timing(session: Session, shop_id: ShopId, pair: Pair, *, now: datetime) -> PairTiming:
    """Count who waited and who bought, by days since the anchor was delivered."""
    from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS, count_waiting

    firsts = _firsts(session, shop_id, pair, now)
    waiting = count_waiting(firsts, now=_seconds(now), seed=0)
    anchor, companion = waiting.place_of(0), waiting.place_of(1)
    zeros = [0] * WINDOW_COUNT
    events, risk = zeros, zeros
    if anchor is not None and companion is not None:
        events, risk = waiting.events[anchor, companion].tolist(), waiting.at_risk[anchor, companion].tolist()
    edges = WINDOW_EDGES_DAYS
    windows = tuple(
        _window(edges[place], edges[place + 1] - 1, risk[place], events[place]) for place in range(WINDOW_COUNT)
    )
    titles = titles_of(session, shop_id, pair)
    words = timing_for(session, shop_id, [pair[0]], said=merchant_words(session, shop_id))
    return PairTiming(
        *pair,
        titles=(titles.get(pair[0], ""), titles.get(pair[1], "")),
        buyers=int((firsts.product == 0).sum()),
        bought=sum(events),
        windows=windows,
        in_use=words.get(pair) or prior_word(*pair),
        is_delivery_assumed=shop_usual_delivery(session, shop_id).is_assumed,
        missing=None if sum(events) else Missing("no_purchases", 0, 1),
    )


def _window(first: int, last: int, at_risk: int, bought: int) -> WaitWindow:
    hazard, days = share_of(bought, at_risk), last - first + 1
    each = [
        None if value is None else 1 - (1 - value) ** (1 / days) for value in (hazard.value, hazard.low, hazard.high)
    ]
    return WaitWindow(first, last, at_risk, bought, hazard, *each)


def _firsts(session: Session, shop_id: ShopId, pair: Pair, now: datetime) -> "FirstPurchases":
    """First purchases of the two products, the anchor as product 0 and the companion as 1, in one scan."""
    import numpy as np

    from shopify_upsell.matrix.arrivals import arrivals
    from shopify_upsell.matrix.firsts import FirstPurchases

    first: dict[tuple[int, int], Any] = {}
    for row in session.execute(_sold(shop_id, pair, now)):
        first.setdefault((row.customer_id, pair.index(row.product_id)), row)
    customers = {customer: place for place, customer in enumerate(sorted({key[0] for key in first}))}
    keyed = sorted(first.items(), key=lambda item: (item[0][0], item[1].ordered_at, item[0][1]))
    orders = np.array([row.order_id for _, row in keyed], dtype=np.int64)
    times = np.array([_seconds(row.ordered_at) for _, row in keyed], dtype=np.int64)
    told = {
        row.order_id: OrderDelivery(row.order_id, row.shipped_at, row.delivered_at)
        for _, row in keyed
        if row.shipped_at is not None or row.delivered_at is not None
    }
    usual = shop_usual_delivery(session, shop_id)
    return FirstPurchases(
        customer=np.array([customers[key[0]] for key, _ in keyed], dtype=np.int64),
        product=np.array([key[1] for key, _ in keyed], dtype=np.int64),
        time=times,
        # As baskets have it: nothing is in hand before it is ordered.
        arrived=np.maximum(times, arrivals(orders, times, told.values(), usual)),
        customer_count=len(customers),
        product_count=2,
    )


def _sold(shop_id: ShopId, pair: Pair, now: datetime) -> Any:
    """Kept lines of the two products by known customers, in time."""
    same = (OrderLineRow.shop_id == OrderRow.shop_id) & (OrderLineRow.order_id == OrderRow.order_id)
    arrival = (OrderDeliveryRow.shop_id == OrderRow.shop_id) & (OrderDeliveryRow.order_id == OrderRow.order_id)
    wanted = select(
        OrderRow.customer_id,
        OrderLineRow.product_id,
        OrderRow.order_id,
        OrderRow.ordered_at,
        OrderDeliveryRow.shipped_at,
        OrderDeliveryRow.delivered_at,
    )
    return (
        wanted.select_from(OrderLineRow)
        .join(OrderRow, same)
        .join(OrderDeliveryRow, arrival, isouter=True)
        .where(
            OrderLineRow.shop_id == shop_id,
            OrderLineRow.product_id.in_(pair),
            OrderLineRow.net_quantity > 0,
            ~OrderLineRow.is_gift_card,
            OrderRow.customer_id.is_not(None),
            OrderRow.is_booked,
            KNOWN_ORDER,
            OrderRow.ordered_at <= now.astimezone(UTC),
        )
        .order_by(OrderRow.ordered_at, OrderRow.order_id)
    )


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())
