"""What is held of one customer, gathered for the merchant to hand over: ids, amounts and times, for no more is kept."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import Credit
from shopify_upsell.attribution.store import credits_of_orders, touches_of
from shopify_upsell.core import Announcement, CustomerId, OrderId, ShopId, canonical_json, gid
from shopify_upsell.customers.courtesy import HOUR
from shopify_upsell.customers.courtesy_store import read_states
from shopify_upsell.customers.dismissals_store import dismissals_of
from shopify_upsell.customers.preferences_store import preference_of
from shopify_upsell.customers.profile_store import profiles_of
from shopify_upsell.customers.signal_store import signals_of_subject
from shopify_upsell.customers.store import suppressions_of
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.store import BookedLine, BookedOrder, booked_orders, order_ids_of_customer
from shopify_upsell.sends.store import sends_of
from shopify_upsell.shops.store import complete_privacy_request


def answer_data_request(session: Session, job: Job) -> Sequence[Announcement]:
    """Keep the export with the request, where the merchant finds it."""
    customer_id = CustomerId(int(job.payload["subject_id"]))
    named = [OrderId(int(order_id)) for order_id in job.payload.get("order_ids", ())]
    export = canonical_json(customer_export(session, job.shop_id, customer_id, now=job.now, order_ids=named))
    kind, request_key = str(job.payload["kind"]), str(job.payload["request_key"])
    complete_privacy_request(session, job.shop_id, kind, request_key, completed_at=job.now, export=export)
    return ()


def customer_export(
    session: Session, shop_id: ShopId, customer_id: CustomerId, *, now: datetime, order_ids: Sequence[OrderId] = ()
) -> dict[str, Any]:
    """What is held of a customer: orders, what they did with the offers credited, their wishes, and their signals.

    `order_ids`: orders that Shopify names as theirs. One that is linked to somebody else is left out.
    """
    linked = order_ids_of_customer(session, shop_id, customer_id)
    orders = {
        key: order
        for key, order in booked_orders(session, shop_id, {*linked, *order_ids}).items()
        if order.customer_id in (None, customer_id)
    }
    credits = credits_of_orders(session, shop_id, orders.keys())
    decisions = {part.decision_id for parts in credits.values() for part in parts if part.decision_id is not None}
    return {
        "customer_id": gid("Customer", customer_id),
        "orders": [_order(order, credits.get(key, [])) for key, order in sorted(orders.items())],
        "touchpoints": [
            {
                "decision_id": touch.decision_id,
                "offer_id": str(touch.offer_id),
                "kind": touch.kind,
                "placement": touch.placement,
                "occurred_at": touch.occurred_at,
            }
            for touch in touches_of(session, shop_id, decisions)
        ],
        "wishes": [
            {"product_id": gid("Product", wish.product_id), "reason": wish.reason, "until": wish.until}
            for wish in suppressions_of(session, shop_id, [customer_subject(customer_id)], now=now)
        ],
        "planned_sends": [asdict(one) for one in sends_of(session, shop_id, customer_id)],
        **_personal(session, shop_id, customer_subject(customer_id), now),
    }


def _personal(session: Session, shop_id: ShopId, subject: str, now: datetime) -> dict[str, Any]:
    """What is kept under the customer's name apart from orders: their word, what they waved away, how they fared."""
    profile = profiles_of(session, shop_id, [subject]).get(subject)
    return {
        "preference": preference_of(session, shop_id, [subject]),
        "dismissals": [
            {"about": asdict(one.scope), "last_at": one.last_at, "until": one.until}
            for one in dismissals_of(session, shop_id, [subject], now=now)
        ],
        "cards_shown": [
            {"hour": datetime.fromtimestamp(hour * HOUR, UTC), "offer_id": str(offer_id), "cards": cards}
            for hour, offer_id, cards in read_states(session, shop_id, [subject]).own.shown
        ],
        "signals": [asdict(one) for one in signals_of_subject(session, shop_id, subject)],
        "profile": None if profile is None else asdict(profile),
    }


def _order(order: BookedOrder, credits: Sequence[Credit]) -> dict[str, Any]:
    return {
        "order_id": gid("Order", order.order_id),
        "ordered_at": order.ordered_at,
        "currency": order.currency,
        "cart_token": order.cart_token,
        "checkout_token": order.checkout_token,
        "lines": [_line(line) for line in order.lines],
        "credited_to": [
            {
                "line_id": gid("LineItem", part.line_id),
                "offer_id": str(part.offer_id),
                "decision_id": part.decision_id,
                "amount_minor_units": part.amount,
            }
            for part in credits
            if part.offer_id is not None
        ],
    }


def _line(line: BookedLine) -> dict[str, Any]:
    return {
        "line_id": gid("LineItem", line.line_id),
        "product_id": gid("Product", line.product_id) if line.product_id is not None else None,
        "variant_id": gid("ProductVariant", line.variant_id) if line.variant_id is not None else None,
        "quantity": line.quantity,
        "net_minor_units": line.net_minor_units,
        "carries_offer_token": line.offer_token is not None,
    }
