"""What happens to an order after it was paid: parcels, returns, disputes; and what customers say about marketing.

Bodies are shaped like Shopify's REST resources, with people's data in them on purpose: the app must be seen to drop it.
The switches only tell; the dev store keeps none of it.
"""

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.cart import whole_number
from shopify_upsell.devstore.order_changes import ImpossibleChange
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.webhook_bodies import SHOP_ID, Body, maybe_stamp, stamp
from shopify_upsell.devstore.webhooks import new_event_id

EVENT_STATUSES = (
    "label_purchased", "label_printed", "ready_for_pickup", "confirmed", "in_transit", "out_for_delivery", "delayed",
    "attempted_delivery", "picked_up", "delivered", "failure",
)  # fmt: skip

RETURN_TOPICS = {
    "request": "requested",
    "approve": "open",
    "decline": "declined",
    "reopen": "open",
    "close": "closed",
    "cancel": "canceled",
}
"""Topic by what a merchant or customer does, and the status it leaves."""

NAMING_THE_ORDER_BY_ID = frozenset({"close", "cancel", "reopen"})
"""Return topics whose body is short; the others carry the order as an object."""

DISPUTE_STATUSES = ("needs_response", "under_review", "charge_refunded", "accepted", "won", "lost", "prevented")
CONSENT_STATES = ("subscribed", "unsubscribed", "not_subscribed", "pending", "redacted", "invalid")
CUSTOMER_STATES = ("disabled", "invited", "enabled", "declined")


def fulfillment_body(
    order: Order, fulfillment_id: int, shipped_at: datetime, moved: tuple[str, datetime] | None = None
) -> Body:
    """A parcel, as `fulfillments/*` carry it. `moved`: what the carrier last said, and when."""
    return {
        "id": fulfillment_id,
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{fulfillment_id}",
        "order_id": order.order_id,
        "name": f"#{order.number}.1",
        "status": "success",
        "service": "manual",
        "created_at": stamp(shipped_at),
        "updated_at": stamp(moved[1] if moved else shipped_at),
        "shipment_status": moved[0] if moved else None,
        "tracking_company": "Other",
        "tracking_number": f"TRACK{fulfillment_id}",
        "email": f"shopper-{order.customer_id}@example.com",
        "destination": {"first_name": "Robin", "last_name": "Sample", "address1": "1 Example Street"},
        "line_items": [
            {
                "id": line.line_id,
                "product_id": line.product_id,
                "variant_id": line.variant_id,
                "quantity": line.quantity,
            }
            for line in order.lines
        ],
    }


def fulfillment_event_body(
    order: Order, ids: tuple[int, int], status: str, happened_at: datetime, estimated_at: datetime | None
) -> Body:
    """What a carrier said, as `fulfillment_events/create` carries it. `ids`: of the event, and of the parcel."""
    return {
        "id": ids[0],
        "admin_graphql_api_id": f"gid://shopify/FulfillmentEvent/{ids[0]}",
        "fulfillment_id": ids[1],
        "order_id": order.order_id,
        "shop_id": SHOP_ID,
        "status": status,
        "message": None,
        "happened_at": stamp(happened_at),
        "created_at": stamp(happened_at),
        "updated_at": stamp(happened_at),
        "estimated_delivery_at": maybe_stamp(estimated_at),
        "city": "Exampleton",
        "zip": "12345",
        "address1": "1 Example Street",
    }


def return_body(order: Order, return_id: int, action: str) -> Body:
    """A return, as `returns/*` carry it: it names no time, and some topics only the order's id."""
    plain = {
        "id": return_id,
        "admin_graphql_api_id": f"gid://shopify/Return/{return_id}",
        "status": RETURN_TOPICS[action],
    }
    if action in NAMING_THE_ORDER_BY_ID:
        return {**plain, "order_id": order.order_id}
    named = {"id": order.order_id, "admin_graphql_api_id": f"gid://shopify/Order/{order.order_id}"}
    return {
        **plain,
        "order": named,
        "name": f"#{order.number}-R1",
        "return_line_items": [],
        "total_return_line_items": 1,
    }


def dispute_body(order: Order, dispute_id: int, status: str, now: datetime) -> Body:
    """A dispute, as `disputes/*` carry it."""
    is_over = status not in ("needs_response", "under_review")
    return {
        "id": dispute_id,
        "order_id": order.order_id,
        "type": "chargeback",
        "amount": "11.50",
        "currency": order.currency,
        "reason": "fraudulent",
        "network_reason_code": "4837",
        "status": status,
        "evidence_due_by": None,
        "evidence_sent_on": None,
        "initiated_at": stamp(now),
        "finalized_on": stamp(now) if is_over else None,
    }


def consent_body(customer_id: int, state: str, now: datetime) -> Body:
    """A customer's word about mails, as `customers_email_marketing_consent/update` carries it."""
    consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": stamp(now)}
    email = f"shopper-{customer_id}@example.com"
    return {"customer_id": customer_id, "email_address": email, "email_marketing_consent": consent}


def customer_body(customer_id: int, state: str, now: datetime) -> Body:
    """A customer, as `customers/update` carries it."""
    return {
        "id": customer_id,
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer_id}",
        "email": f"shopper-{customer_id}@example.com",
        "first_name": "Robin",
        "last_name": "Sample",
        "state": state,
        "verified_email": True,
        "created_at": stamp(now),
        "updated_at": stamp(now),
    }


class _AftercareViews:
    """What carriers, banks, merchants and customers would do."""

    def __init__(self, shop: DevShop) -> None:
        self.shop = shop
        self.shipped_at: dict[int, datetime] = {}

    def ship(self, order_id: int) -> ResponseReturnValue:
        """Hand a parcel to the carrier."""
        with self.shop.lock:
            parcel_id, now = self.shop.new_id(), self.shop.config.clock()
            order = self.shop.orders[order_id]
            self.shipped_at[parcel_id] = now
            self.shop.announce("fulfillments/create", fulfillment_body(order, parcel_id, now))
        return jsonify(fulfillment_id=parcel_id)

    def track(self, order_id: int) -> ResponseReturnValue:
        """Let the carrier say where a parcel is and, if `estimated_delivery_at` is given, when it will arrive."""
        body = _body()
        status, estimate = _one_of(body, "status", EVENT_STATUSES), body.get("estimated_delivery_at")
        estimated_at = datetime.fromisoformat(str(estimate)) if estimate else None
        with self.shop.lock:
            order, now = self.shop.orders[order_id], self.shop.config.clock()
            parcel_id, event_id, said = _number(body, "fulfillment_id"), new_event_id(), self.shop.new_id()
            told = fulfillment_event_body(order, (said, parcel_id), status, now, estimated_at)
            self.shop.announce("fulfillment_events/create", told, event_id)
            moved = fulfillment_body(order, parcel_id, self.shipped_at[parcel_id], (status, now))
            self.shop.announce("fulfillments/update", moved, event_id)
        return jsonify(fulfillment_id=parcel_id, fulfillment_event_id=said)

    def give_back(self, order_id: int) -> ResponseReturnValue:
        """Ask for a return, or go on with the one that `return_id` names."""
        body = _body()
        action = _one_of(body, "action", tuple(RETURN_TOPICS))
        with self.shop.lock:
            return_id = _number(body, "return_id") if "return_id" in body else self.shop.new_id()
            self.shop.announce(f"returns/{action}", return_body(self.shop.orders[order_id], return_id, action))
        return jsonify(return_id=return_id)

    def dispute(self, order_id: int) -> ResponseReturnValue:
        """Let a bank dispute the payment, or decide the dispute that `dispute_id` names."""
        body = _body()
        status = _one_of(body, "status", DISPUTE_STATUSES)
        with self.shop.lock:
            is_new = "dispute_id" not in body
            dispute_id = self.shop.new_id() if is_new else _number(body, "dispute_id")
            told = dispute_body(self.shop.orders[order_id], dispute_id, status, self.shop.config.clock())
            self.shop.announce("disputes/create" if is_new else "disputes/update", told)
        return jsonify(dispute_id=dispute_id)

    def consent(self, customer_id: int) -> ResponseReturnValue:
        """Let a customer agree to mails, or no longer."""
        state = _one_of(_body(), "state", CONSENT_STATES)
        told = consent_body(customer_id, state, self.shop.config.clock())
        self.shop.announce("customers_email_marketing_consent/update", told)
        return jsonify(customer_id=customer_id)

    def account(self, customer_id: int) -> ResponseReturnValue:
        """Make a new customer, with an account or without."""
        state = _one_of(_body(), "state", CUSTOMER_STATES)
        self.shop.announce("customers/update", customer_body(customer_id, state, self.shop.config.clock()))
        return jsonify(customer_id=customer_id)


def add_aftercare_switches(views: Blueprint, shop: DevShop) -> None:
    """Add the routes for what comes after an order to the switches."""
    aftercare = _AftercareViews(shop)
    order = "/orders/<int:order_id>"
    views.add_url_rule(f"{order}/ship", view_func=aftercare.ship, methods=["POST"])
    views.add_url_rule(f"{order}/track", view_func=aftercare.track, methods=["POST"])
    views.add_url_rule(f"{order}/return", view_func=aftercare.give_back, methods=["POST"])
    views.add_url_rule(f"{order}/dispute", view_func=aftercare.dispute, methods=["POST"])
    views.add_url_rule("/customers/<int:customer_id>/consent", view_func=aftercare.consent, methods=["POST"])
    views.add_url_rule("/customers/<int:customer_id>/account", view_func=aftercare.account, methods=["POST"])


def _body() -> Mapping[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _one_of(body: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    value = str(body.get(name, allowed[0]))
    if value not in allowed:
        raise ImpossibleChange(f"{name} must be one of {', '.join(allowed)}")
    return value


def _number(body: Mapping[str, object], name: str) -> int:
    return whole_number(body.get(name), f"{name} must be a number", status=422)
