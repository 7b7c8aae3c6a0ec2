"""Customers who are ready, not yet, or on hold, and why. Ids only: no name, mail, phone or address is kept."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from shopify_upsell.admin.api.offer_schemas import GidField, Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, reading
from shopify_upsell.core import CustomerId, gid
from shopify_upsell.customers.readiness import REASONS, STATES
from shopify_upsell.customers.signal_store import ListedCustomer, customers_by_state
from shopify_upsell.customers.subjects import customer_subject

LARGEST_PAGE = 200
SCORE_DIGITS = 4


class CustomersQuery(Strict):
    """Which customers to list. `after`: the `next_after` of the page before."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    after = GidField("Customer", load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, LARGEST_PAGE))


class CustomerJson(Schema):
    """One customer and why they are in their state. `until`: not before, null where nobody knows or they are ready."""

    customer_id = fields.String()
    state = fields.String()
    stage = fields.String()
    score = fields.Float()
    reasons = fields.List(fields.Dict())
    until = fields.String(allow_none=True)


class CustomersJson(Schema):
    """A page of customers. It may be short and not the last: `next_after` null is the end."""

    customers = fields.List(fields.Nested(CustomerJson))
    next_after = fields.String(allow_none=True)


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/customers`."""

    @blueprint.get("/customers")
    @blueprint.arguments(CustomersQuery, location="query", unknown=RAISE)
    @blueprint.response(200, CustomersJson)
    def list_customers(query: dict[str, Any]) -> dict[str, Any]:
        """List customers in one state at this moment."""
        after = customer_subject(CustomerId(query["after"])) if query["after"] is not None else ""
        with reading(services) as session:
            page = customers_by_state(
                session, caller().shop_id, query["state"], now=caller().now, after=after, limit=query["limit"]
            )
        return {"customers": [_told(one) for one in page.customers], "next_after": _gid(page.next_after)}


def _told(one: ListedCustomer) -> dict[str, Any]:
    readiness = one.readiness
    return {
        "customer_id": _gid(one.subject),
        "state": readiness.state,
        "stage": one.stage,
        "score": round(readiness.score, SCORE_DIGITS),
        "reasons": [{"code": code, "sentence": REASONS[code]} for code in readiness.reasons],
        "until": readiness.until.isoformat() if readiness.until is not None else None,
    }


def _gid(subject: str | None) -> str | None:
    return None if not subject else gid("Customer", int(subject.removeprefix("c:")))
