"""The feed of lifecycle sends: a mail tool fetches what is due and says what became of it.

`GET /api/v1/sends/due` and `POST /api/v1/sends/<id>/outcome`, proved by the shop's staff as the merchant API is, or by
the API key whose source the merchant named. We write to nobody ourselves. `docs/sends.md` is its manual.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask import request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate
from werkzeug.exceptions import TooManyRequests

from shopify_upsell.admin.api.offer_schemas import Strict
from shopify_upsell.admin.api.proof import Caller, MerchantServices, caller, guard, staff_caller, writing
from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, PARAMETER, write_email_token
from shopify_upsell.attribution.token import OfferClaim
from shopify_upsell.core import ProofRefused, gid
from shopify_upsell.customers.api_key_store import source_of_key
from shopify_upsell.customers.api_keys import read_bearer
from shopify_upsell.database import bind_shop
from shopify_upsell.keyring import Keyring, SigningKey
from shopify_upsell.limits import RateLimiter, network_of
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import OfferItem
from shopify_upsell.offers.texts import reason_of
from shopify_upsell.reports.changes import Editor
from shopify_upsell.sends.handing_over import OUTCOMES, HandedOver, Page, SendDesk, answer_for
from shopify_upsell.sends.store import Verdict, setting_of
from shopify_upsell.shops.store import Shop, get_shop

PREFIX = "/api/v1/sends"

LARGEST_PAGE = 100

LINK_LIFE = timedelta(days=30)
"""How long a link may be clicked and counted: as long as a credit may be earned. Our choice."""


@dataclass(frozen=True)
class SendServices:
    """Parts the feed works with."""

    merchant: MerchantServices
    desk: SendDesk
    keyring: Keyring
    limiter: RateLimiter


class DueQuery(Strict):
    """Which sends to look at. `after`: the `next_after` of the page before. `locale`: the language of reasons."""

    after = fields.Integer(load_default=0, validate=validate.Range(0))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, LARGEST_PAGE))
    locale = fields.String(load_default=None, validate=validate.Length(2, 12))


class OutcomeBody(Strict):
    """What became of a send."""

    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))


class SendItemJson(Schema):
    """One product of the offer. `url` carries the signed token by which a click is known."""

    product_id = fields.String()
    variant_id = fields.String()
    title = fields.String()
    variant_title = fields.String()
    quantity = fields.Integer()
    price = fields.Dict()
    url = fields.String()


class SendJson(Schema):
    """One send to make: whom to, about what, and why. No name and no address: the mail tool knows those."""

    send_id = fields.String()
    customer_id = fields.String()
    anchor_product_id = fields.String()
    decision_id = fields.String()
    offer_id = fields.String()
    kind = fields.String()
    due_at = fields.String()
    send_before = fields.String()
    reason = fields.Dict()
    total = fields.Dict()
    discount_basis_points = fields.Integer()
    items = fields.List(fields.Nested(SendItemJson))


class HeldJson(Schema):
    """One send that did not pass. `next_at` null: its window is over."""

    send_id = fields.String()
    reason = fields.String()
    next_at = fields.String(allow_none=True)


class DueJson(Schema):
    """A page of sends. It may be short and not the last: `next_after` null is the end."""

    sends = fields.List(fields.Nested(SendJson))
    held = fields.List(fields.Nested(HeldJson))
    next_after = fields.String(allow_none=True)


class OutcomeJson(Schema):
    """The send as it stands after the word."""

    send_id = fields.String()
    state = fields.String()


def make_blueprint(services: SendServices) -> Blueprint:
    """Routes under `/api/v1/sends`."""
    blueprint = Blueprint("sends_feed", __name__, url_prefix=PREFIX, description="Lifecycle sends for a mail tool")
    guard(blueprint, services.merchant, prove=_prover(services))

    @blueprint.get("/due")
    @blueprint.arguments(DueQuery, location="query", unknown=RAISE)
    @blueprint.response(200, DueJson)
    def due_sends(query: dict[str, Any]) -> dict[str, Any]:
        """Decide on what is due and hand over what passes; the same again until it is answered for, for a day."""
        shop, now = caller().shop, caller().now
        page = services.desk.due(shop, after=query["after"], limit=query["limit"], now=now)
        key = services.keyring.signing_keys(EMAIL_LINK_PURPOSE, shop.shop_id)[0]
        return _page(page, _Writer(shop, key, query["locale"]))

    @blueprint.post("/<int:send_id>/outcome")
    @blueprint.arguments(OutcomeBody)
    @blueprint.response(200, OutcomeJson)
    def tell_outcome(body: dict[str, str], send_id: int) -> dict[str, str]:
        """Say that a send went out, or that it could not be sent."""
        with writing(services.merchant) as session:
            send = answer_for(session, caller().shop_id, send_id, body["outcome"], now=caller().now)
        return {"send_id": str(send.send_id), "state": send.state}

    return blueprint


def _prover(services: SendServices) -> Callable[[MerchantServices], Caller]:
    """Staff prove themselves as ever; a mail tool by its key."""

    def prove(merchant: MerchantServices) -> Caller:
        # Before the database is asked: guessing keys must stay cheap for us.
        address = request.headers.get("X-Forwarded-For", request.remote_addr or "").split(",")[0].strip()
        if not services.limiter.allows(f"sends|{network_of(address)}"):
            raise TooManyRequests("too many requests: wait a second")
        if request.headers.get("Authorization", "").startswith("Bearer wpk_"):
            return _tool_caller(merchant)
        return staff_caller(merchant)

    return prove


def _tool_caller(merchant: MerchantServices) -> Caller:
    """The tool whose key it is. Raises: ProofRefused unless the merchant named its source for sends."""
    key = read_bearer(request.headers.get("Authorization"))
    with merchant.database.read() as session:
        bind_shop(session, key.shop_id)
        source = source_of_key(session, key.shop_id, key)
        shop = get_shop(session, key.shop_id)
        if shop.state != "installed" or setting_of(session, key.shop_id).source != source:
            raise ProofRefused("the request carries no valid key")
    return Caller(shop, Editor(None, merchant.clock()), merchant.holdout_basis_points)


@dataclass(frozen=True)
class _Writer:
    """Writes sends of one shop as JSON."""

    shop: Shop
    key: SigningKey
    locale: str | None

    def send(self, one: HandedOver) -> dict[str, Any]:
        offer = one.offer
        return {
            "send_id": str(one.send.send_id),
            "customer_id": gid("Customer", one.send.customer_id),
            "anchor_product_id": gid("Product", one.send.anchor_product_id),
            "decision_id": one.served.decision_id,
            "offer_id": str(offer.offer_id),
            "kind": offer.kind,
            "due_at": one.send.due_at.isoformat(),
            "send_before": one.send.closes_at.isoformat(),
            "reason": {"code": offer.reason_code, "text": reason_of(offer.reason_code, self.locale)},
            "total": _money(offer.total),
            "discount_basis_points": offer.discount_basis_points,
            "items": [self._item(one, item) for item in offer.items],
        }

    def _item(self, one: HandedOver, item: OfferItem) -> dict[str, Any]:
        query = urlencode({"variant": item.variant_id, PARAMETER: write_email_token(self._claim(one, item), self.key)})
        return {
            "product_id": gid("Product", item.product_id),
            "variant_id": gid("ProductVariant", item.variant_id),
            "title": item.title,
            "variant_title": item.variant_title,
            "quantity": item.quantity,
            "price": _money(item.price),
            "url": f"https://{self.shop.storefront_host or self.shop.domain}/products/{item.handle}?{query}",
        }

    def _claim(self, one: HandedOver, item: OfferItem) -> OfferClaim:
        """The same claim whenever the send is told again, so that the link stays the same too."""
        return OfferClaim(
            shop_id=self.shop.shop_id,
            decision_id=one.served.decision_id,
            offer_id=one.offer.offer_id,
            variant_id=item.variant_id,
            max_quantity=item.quantity,
            expires_at=one.served.decided_at + LINK_LIFE,
            nonce=one.served.decision_id[:12],
            book=one.offer.kind,
            placement=one.served.placement,
            replaced_unit_minor_units=one.offer.replaced_unit_minor_units or None,
        )


def _page(page: Page, writer: _Writer) -> dict[str, Any]:
    return {
        "sends": [writer.send(one) for one in page.handed_over],
        "held": [_held(one) for one in page.held],
        "next_after": str(page.next_after) if page.next_after is not None else None,
    }


def _held(one: Verdict) -> dict[str, Any]:
    next_at = one.due_at.isoformat() if one.ended_at is None else None
    return {"send_id": str(one.send_id), "reason": one.reason, "next_at": next_at}


def _money(money: Money) -> dict[str, Any]:
    return {"minor_units": money.minor_units, "currency": money.currency}
