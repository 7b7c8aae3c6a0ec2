"""The signals API: a helpdesk, a review app or a Shopify Flow action tells what happened to customers of one shop.

`POST /api/v1/signals` with a shop's key as bearer token. All of a request is kept or none of it; telling it again
changes nothing. `docs/signals.md` is its manual.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests, UnprocessableEntity

from shopify_upsell.core import CustomerId, InvalidInput, ProductId, ProofRefused, parse_time
from shopify_upsell.customers.api_key_store import source_of_key
from shopify_upsell.customers.api_keys import ApiKey, read_bearer
from shopify_upsell.customers.derived import DERIVED
from shopify_upsell.customers.product_ratings import REVIEW, rate_products
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals, told_of_another
from shopify_upsell.customers.signals import (
    LONGEST_EXTERNAL_ID,
    LONGEST_REASON,
    LONGEST_SOURCE,
    OWN,
    SHOPIFY,
    require_outside,
)
from shopify_upsell.customers.subjects import customer_subject, visitor_subject
from shopify_upsell.database import bind_shop
from shopify_upsell.errors import error_answer
from shopify_upsell.limits import network_of
from shopify_upsell.shops.store import get_shop
from shopify_upsell.surfaces.schemas import GidField
from shopify_upsell.surfaces.services import SurfaceServices

log = logging.getLogger(__name__)

MOST_SIGNALS = 100
MOST_COMPLAINTS = 20
CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a caller's clock may run."""

RESERVED_SOURCES = (SHOPIFY, OWN, DERIVED)


class MomentField(fields.Field[datetime]):
    """An ISO 8601 time with its zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        try:
            return parse_time(value)
        except InvalidInput as broken:
            raise ValidationError("must be an ISO 8601 time with its zone") from broken


class SignalBody(Schema):
    """One signal. Codes and ids only: there is no field that could carry a name or a message."""

    class Meta:
        unknown = RAISE

    kind = fields.String(required=True)
    customer_id = GidField("Customer", load_default=None)
    visitor_id = fields.String(load_default=None, validate=validate.Regexp(r"[A-Za-z0-9_-]{8,64}\Z"))
    occurred_at = MomentField(required=True)
    external_id = fields.String(
        required=True, validate=validate.Regexp(rf"[A-Za-z0-9._:/-]{{1,{LONGEST_EXTERNAL_ID}}}\Z")
    )
    source = fields.String(
        load_default=None, validate=[validate.Length(1, LONGEST_SOURCE), validate.NoneOf(RESERVED_SOURCES)]
    )
    value = fields.Float(load_default=None, allow_none=True, allow_nan=False)
    order_id = GidField("Order", load_default=None)
    product_id = GidField("Product", load_default=None)
    reason = fields.String(load_default=None, validate=validate.Regexp(rf"[a-z0-9_.-]{{1,{LONGEST_REASON}}}\Z"))

    @post_load
    def check(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Refuse kinds and values that do not exist, and a signal about nobody or about two."""
        try:
            require_outside(data["kind"], data["value"])
        except InvalidInput as broken:
            name, _, said = broken.message.partition(": ")
            raise ValidationError(said, name) from broken
        if (data["customer_id"] is None) == (data["visitor_id"] is None):
            raise ValidationError("exactly one of customer_id and visitor_id", "customer_id")
        return data


class SignalsBody(Schema):
    """The body of `POST /api/v1/signals`."""

    class Meta:
        unknown = RAISE

    signals = fields.List(fields.Nested(SignalBody), required=True, validate=validate.Length(1, MOST_SIGNALS))


class SignalsAnswer(Schema):
    """How many signals were taken, and how many of them changed anything."""

    accepted = fields.Integer(required=True)
    new = fields.Integer(required=True)


def make_blueprint(services: SurfaceServices) -> Blueprint:
    """The one route under `/api/v1`."""
    blueprint = Blueprint("signals_api", __name__, url_prefix="/api/v1", description="Signals from other systems")

    @blueprint.before_request
    def prove() -> None:
        key = read_bearer(request.headers.get("Authorization"))
        # Before the database is asked: guessing keys must stay cheap for us. Afterwards the shop has its own share.
        caller = network_of(request.headers.get("X-Forwarded-For", request.remote_addr or "").split(",")[0].strip())
        _take(services.network_limiter.allows(f"signals|{caller}"))
        with services.database.read() as session:
            g.source = _proven_source(session, key)
        _take(services.shop_limiter.allows(f"signals|{key.shop_id}"))
        g.shop_id = key.shop_id

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(UnprocessableEntity)
    def unreadable(error: UnprocessableEntity) -> Response:
        return error_answer(422, "invalid_signals", _by_index(getattr(error, "data", {}).get("messages", {})))

    @blueprint.post("/signals")
    @blueprint.arguments(SignalsBody)
    @blueprint.response(200, SignalsAnswer)
    def signals(body: dict[str, Any]) -> dict[str, int]:
        """Keep signals about customers or visitors of the key's shop: all of them, or none."""
        now = services.clock()
        told = _signals(body["signals"], g.source, now)
        with services.database.write() as session:
            bind_shop(session, g.shop_id)
            _refuse(told_of_another(session, g.shop_id, told), "external_id: names a signal of another customer")
            new = record_signals(session, g.shop_id, told, now)
            if reviewed := {
                ProductId(one.product_id) for one in told if one.kind == REVIEW and one.product_id is not None
            }:
                rate_products(session, g.shop_id, reviewed)
        log.info("signals_told", extra={"shop_id": g.shop_id, "signal_count": len(told), "new_count": new})
        return {"accepted": len(told), "new": new}

    return blueprint


def _take(is_allowed: bool) -> None:
    if not is_allowed:
        raise TooManyRequests("too many requests: wait a second")


def _proven_source(session: Session, key: ApiKey) -> str:
    """Who speaks with the key. A key of a shop that is not there is refused like a wrong one."""
    bind_shop(session, key.shop_id)
    source = source_of_key(session, key.shop_id, key)
    if get_shop(session, key.shop_id).state != "installed":
        raise ProofRefused("the request carries no valid key")
    return source


def _signals(bodies: list[Mapping[str, Any]], source: str, now: datetime) -> list[Signal]:
    """Signals of the bodies. Raises: InvalidInput when one claims to happen in the future."""
    early = [at for at, body in enumerate(bodies) if body["occurred_at"] > now + CLOCK_SKEW]
    _refuse(early, "occurred_at: is in the future")
    return [_signal(body, source) for body in bodies]


def _refuse(places: Sequence[int], complaint: str) -> None:
    if places:
        complaints = [f"signals[{at}].{complaint}" for at in places[:MOST_COMPLAINTS]]
        raise InvalidInput("; ".join(complaints), code="invalid_signals")


def _signal(body: Mapping[str, Any], source: str) -> Signal:
    customer_id = body["customer_id"]
    is_known = customer_id is not None
    return Signal(
        kind=body["kind"],
        subject=customer_subject(CustomerId(customer_id)) if is_known else visitor_subject(body["visitor_id"]),
        occurred_at=body["occurred_at"],
        source=body["source"] or source,
        external_id=body["external_id"],
        value=body["value"],
        order_id=body["order_id"],
        product_id=body["product_id"],
        reason=body["reason"],
    )


def _by_index(messages: Any) -> str:
    """Say what is wrong and where: `signals[3].value: must be 1 to 5`. What was sent is never repeated."""
    complaints: list[str] = []

    def walk(at: str, found: Any) -> None:
        if isinstance(found, Mapping):
            for name in sorted(found, key=lambda one: (isinstance(one, str), one)):
                walk(f"{at}[{name}]" if isinstance(name, int) else f"{at}.{name}".lstrip("."), found[name])
        else:
            complaints.extend(f"{at}: {text}" for text in (found if isinstance(found, list) else [found]))

    walk("", messages.get("json", messages) if isinstance(messages, Mapping) else {})
    more = f"; and {len(complaints) - MOST_COMPLAINTS} more" if len(complaints) > MOST_COMPLAINTS else ""
    return "; ".join(complaints[:MOST_COMPLAINTS]) + more or "not valid"
