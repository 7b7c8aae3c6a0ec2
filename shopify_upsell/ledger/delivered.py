"""When an order reached the shopper, and how sure that is.

Pure. In: what carriers and the shop said of shipments. Out: one moment an order, known or estimated. Everything is
folded by rules that do not depend on the order in which news arrives.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from shopify_upsell.core import OrderId
from shopify_upsell.ledger.facts import NEVER, Version

DELIVERED = frozenset({"delivered", "picked_up"})
MOVING = frozenset({"carrier_picked_up", "in_transit", "out_for_delivery", "attempted_delivery", "delayed"})
FAILED = frozenset({"failure", "not_delivered"})
"""Words of Shopify's fulfilment events and shipment statuses. Words that are in none of these move nothing."""

SHIPPED = "success"
UNDONE = frozenset({"cancelled", "error", "failure"})
"""Words of a fulfilment's own status."""

ASSUMED_TO_SHIP, ASSUMED_TRANSIT = timedelta(days=2), timedelta(days=3)
"""What a shop is taken to need until it has shown otherwise. An assumption; every estimate from it is labelled."""

FEWEST_MEASURED = 10
"""Orders behind a median of the shop's own."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """All that is known of one fulfilment; `merged` adds news in any order.

    `version`, `shipped_at`, `is_undone`: by the newest version of the fulfilment. `moved_at`: the first event on the
    way. `delivered_at`: the first event of arrival; `seen_delivered_at`: the first version that said so without one.
    `estimated_at`: the carrier's newest word, said at `estimate_told_at`.
    """

    fulfillment_id: int
    order_id: OrderId
    version: Version = NEVER
    shipped_at: datetime | None = None
    is_undone: bool = False
    moved_at: datetime | None = None
    delivered_at: datetime | None = None
    seen_delivered_at: datetime | None = None
    failed_at: datetime | None = None
    estimated_at: datetime | None = None
    estimate_told_at: datetime | None = None

    def merged(self, other: "Shipment") -> "Shipment":
        """Join two states of knowledge: commutative, and learning the same twice changes nothing."""
        newest = max((self, other), key=lambda one: one.version)
        told = max((self, other), key=lambda one: (_told(one.estimate_told_at), _told(one.estimated_at)))
        return Shipment(
            fulfillment_id=self.fulfillment_id,
            order_id=newest.order_id if newest.version != NEVER else max(self.order_id, other.order_id),
            version=newest.version,
            shipped_at=newest.shipped_at,
            is_undone=newest.is_undone,
            moved_at=_first(self.moved_at, other.moved_at),
            delivered_at=_first(self.delivered_at, other.delivered_at),
            seen_delivered_at=_first(self.seen_delivered_at, other.seen_delivered_at),
            failed_at=_last(self.failed_at, other.failed_at),
            estimated_at=told.estimated_at,
            estimate_told_at=told.estimate_told_at,
        )

    @property
    def left_at(self) -> datetime | None:
        """When it left the shop, by the shop's word, else by the carrier's."""
        return self.shipped_at or self.moved_at

    @property
    def arrived_at(self) -> datetime | None:
        """When it arrived, by the carrier's event, else by the fulfilment's status."""
        return self.delivered_at or self.seen_delivered_at


@dataclass(frozen=True, slots=True)
class OrderDelivery:
    """How far an order has come. `delivered_at`: when the last of its shipments arrived, None while one is out.

    `failed_at`: the last failure of a shipment that has not arrived since.
    """

    order_id: OrderId
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    estimated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsualDelivery:
    """How long a shop's orders usually take: medians. `n`: delivered orders measured.

    `is_assumed`: too few were measured, so these are our assumptions and not the shop's medians.
    """

    to_ship: timedelta = ASSUMED_TO_SHIP
    in_transit: timedelta = ASSUMED_TRANSIT
    altogether: timedelta = ASSUMED_TO_SHIP + ASSUMED_TRANSIT
    n: int = 0
    is_assumed: bool = True


ASSUMED = UsualDelivery()


@dataclass(frozen=True, slots=True)
class Journey:
    """The three moments of one order that medians are made of."""

    ordered_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None


def order_delivery(order_id: OrderId, shipments: Iterable[Shipment]) -> OrderDelivery:
    """Fold an order's shipments; those that the shop undid do not count.

    Shopify tells of shipments only, so an order of which a part was never shipped counts as delivered with the rest.
    """
    known = [one for one in shipments if one.order_id == order_id and not one.is_undone]
    out = [one for one in known if one.arrived_at is None]
    return OrderDelivery(
        order_id=order_id,
        shipped_at=min((one.left_at for one in known if one.left_at), default=None),
        delivered_at=None if out else max((one.arrived_at for one in known if one.arrived_at), default=None),
        failed_at=max((one.failed_at for one in out if one.failed_at), default=None),
        estimated_at=max((one.estimated_at for one in out if one.estimated_at), default=None),
    )


def usual_delivery(journeys: Iterable[Journey]) -> UsualDelivery:
    """Take the medians of a shop's recent orders. Each needs FEWEST_MEASURED orders, else it stays assumed.

    A negative wait (an order file that tells of both in the wrong turn) counts as none.
    """
    listed = list(journeys)
    to_ship = [one.shipped_at - one.ordered_at for one in listed if one.shipped_at]
    transit = [one.delivered_at - one.shipped_at for one in listed if one.shipped_at and one.delivered_at]
    whole = [one.delivered_at - one.ordered_at for one in listed if one.delivered_at]
    ship, way = _median(to_ship, ASSUMED_TO_SHIP), _median(transit, ASSUMED_TRANSIT)
    return UsualDelivery(ship, way, _median(whole, ship + way), len(whole), len(whole) < FEWEST_MEASURED)


def delivered_at(
    ordered_at: datetime, shipped_at: datetime | None, arrived_at: datetime | None, usual: UsualDelivery
) -> tuple[datetime, bool]:
    """Give the moment an order reached the shopper, and whether that is an estimate.

    Known arrival; else shipping and the usual transit; else ordering and the usual whole.
    """
    if arrived_at is not None:
        return arrived_at, False
    if shipped_at is not None:
        return shipped_at + usual.in_transit, True
    return ordered_at + usual.altogether, True


def _median(waits: list[timedelta], assumed: timedelta) -> timedelta:
    if len(waits) < FEWEST_MEASURED:
        return assumed
    return timedelta(seconds=round(median(max(0.0, wait.total_seconds()) for wait in waits)))


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _told(moment: datetime | None) -> datetime:
    return moment or NEVER.at
