"""Where shoppers say how much they want to be asked: from the storefront's cards and from their customer account.

A word said here holds at the next decision on every surface. The storefront's signature proves the shop, and names
the customer only as Shopify's session does; so a word is kept for whoever the request names, and what is answered is
a level and nothing else.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint
from marshmallow import EXCLUDE, RAISE, Schema, fields, pre_load, validate
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, OfferId, ProofRefused, RetryLater, ShopId
from shopify_upsell.customers.courtesy_store import WHOLE_SHOP
from shopify_upsell.customers.preferences import LEVELS
from shopify_upsell.customers.preferences_store import preference_of, save_preference
from shopify_upsell.customers.subjects import subjects_of
from shopify_upsell.customers.throttle_store import count_refused
from shopify_upsell.database import bind_shop
from shopify_upsell.gateway.verify import verify_app_proxy, verify_extension_token
from shopify_upsell.limits import network_of
from shopify_upsell.shops.store import find_shop
from shopify_upsell.surfaces.cross_origin import allow_any_origin
from shopify_upsell.surfaces.services import SurfaceServices, installed_shop

PARAMETERS = frozenset({"visitor"})
VISITOR_ID = r"[A-Za-z0-9_-]{8,64}\Z"


class WhoQuery(Schema):
    """The query of the storefront's routes, after its signature was verified."""

    class Meta:
        unknown = EXCLUDE

    visitor = fields.String(load_default=None, validate=validate.Regexp(VISITOR_ID))

    @pre_load
    def drop_blanks(self, data: dict[str, str], **_options: Any) -> dict[str, str]:
        """A parameter sent empty was not sent."""
        return {key: value for key, value in data.items() if value != ""}


class LevelBody(Schema):
    """What a shopper says. `offer_id`: the card whose link led here, if one did."""

    class Meta:
        unknown = RAISE

    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    offer_id = fields.Integer(load_default=0, validate=validate.Range(0, 2**63 - 1))


class LevelAnswer(Schema):
    """The level in force, and all there are, from most to least."""

    level = fields.String(required=True)
    levels = fields.List(fields.String(), required=True)


def make_proxy_blueprint(services: SurfaceServices) -> Blueprint:
    """`/proxy/preferences`, where Shopify forwards `/apps/wellpaired/preferences` of the storefront."""
    blueprint = Blueprint(
        "preferences", __name__, url_prefix="/proxy/preferences", description="A shopper's word, by app proxy"
    )

    @blueprint.before_request
    def prove() -> None:
        g.proof = verify_app_proxy(
            request.query_string, secrets=services.secrets, now=services.clock(), allowed=PARAMETERS
        )

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("")
    @blueprint.arguments(WhoQuery, location="query")
    @blueprint.response(200, LevelAnswer)
    def read(query: dict[str, Any]) -> dict[str, object]:
        """Answer how much this shopper wants to be asked."""
        return _level(services, g.proof.shop_domain, subjects_of(g.proof.customer_id, query["visitor"]))

    @blueprint.post("")
    @blueprint.arguments(WhoQuery, location="query")
    @blueprint.arguments(LevelBody)
    @blueprint.response(200, LevelAnswer)
    def write(query: dict[str, Any], body: dict[str, Any]) -> dict[str, object]:
        """Keep how much this shopper wants to be asked."""
        subjects = subjects_of(g.proof.customer_id, query["visitor"])
        return _keep(services, g.proof.shop_domain, subjects, body)

    return blueprint


def make_account_blueprint(services: SurfaceServices) -> Blueprint:
    """`/ext/account/preferences`, for the customer-account extension, whose token names the customer."""
    blueprint = Blueprint(
        "account_preferences", __name__, url_prefix="/ext/account", description="A customer's word, from their account"
    )
    allow_any_origin(blueprint)

    @blueprint.before_request
    def prove() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise ProofRefused("a Bearer token is required")
        g.proof = verify_extension_token(
            token, api_key=services.api_key, secrets=services.secrets, now=services.clock()
        )
        if g.proof.customer_id is None:
            # Checkout extensions carry the same kind of token; without a customer there is nobody to speak.
            raise ProofRefused("the token names no customer")

    @blueprint.get("/preferences")
    @blueprint.response(200, LevelAnswer)
    def read() -> dict[str, object]:
        """Answer how much this customer wants to be asked."""
        return _level(services, g.proof.shop_domain, subjects_of(g.proof.customer_id, None))

    @blueprint.post("/preferences")
    @blueprint.arguments(LevelBody)
    @blueprint.response(200, LevelAnswer)
    def write(body: dict[str, Any]) -> dict[str, object]:
        """Keep how much this customer wants to be asked."""
        return _keep(services, g.proof.shop_domain, subjects_of(g.proof.customer_id, None), body)

    return blueprint


def _level(services: SurfaceServices, shop_domain: str, subjects: Sequence[str]) -> dict[str, object]:
    _stay_within_limits(services, shop_domain)
    with services.database.read() as session:
        shop_id = _bound_shop(session, shop_domain)
        return _answer(preference_of(session, shop_id, subjects))


def _keep(
    services: SurfaceServices, shop_domain: str, subjects: Sequence[str], body: dict[str, Any]
) -> dict[str, object]:
    _stay_within_limits(services, shop_domain)
    if not subjects:
        raise InvalidInput("nobody is named whose word could be kept")
    now, level = services.clock(), str(body["level"])
    with services.database.write() as session:
        shop_id = _bound_shop(session, shop_domain)
        before = preference_of(session, shop_id, subjects)
        save_preference(session, shop_id, subjects, level, now=now)
        if LEVELS.index(level) > LEVELS.index(before):
            # Wanting less than before is the clearest way to say "too much"; the throttle hears it.
            offer_id = OfferId(body["offer_id"]) if body["offer_id"] else WHOLE_SHOP
            count_refused(session, shop_id, offer_id, slot=now.microsecond, now=now)
        return _answer(preference_of(session, shop_id, subjects))


def _bound_shop(session: Session, shop_domain: str) -> ShopId:
    shop = installed_shop(find_shop(session, shop_domain))
    bind_shop(session, shop.shop_id)
    return shop.shop_id


def _answer(level: str) -> dict[str, object]:
    return {"level": level, "levels": list(LEVELS)}


def _stay_within_limits(services: SurfaceServices, shop_domain: str) -> None:
    network = network_of(request.headers.get("X-Forwarded-For", request.remote_addr or "").split(",")[0].strip())
    # The network is asked first: what it is refused must not be taken from the share of the whole shop.
    if not (services.network_limiter.allows(f"{shop_domain}|{network}") and services.shop_limiter.allows(shop_domain)):
        raise RetryLater("too many at once", after=timedelta(seconds=1))
