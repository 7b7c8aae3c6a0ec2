"""The theme surface: storefront blocks ask through Shopify's app proxy. Any failure answers an empty offer list.

A signature here proves that a request came through Shopify for this shop, not that anyone authorised it: any
visitor can obtain one. So nothing of another person is ever answered, and events only touch stored decisions.
"""

import json
import logging
from typing import Any

import orjson
from flask import Response, g, jsonify, request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnprocessableEntity

from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, read_email_click
from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import InvalidInput, ShopId, UpsellError
from shopify_upsell.database import bind_shop
from shopify_upsell.errors import answer_http_error
from shopify_upsell.gateway.verify import ProxyProof, verify_app_proxy
from shopify_upsell.limits import network_of
from shopify_upsell.metrics import DECISION_SECONDS, DECISIONS
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.shops.store import find_shop
from shopify_upsell.surfaces.rendering import OfferRenderer
from shopify_upsell.surfaces.schemas import ClickBody, OffersAnswer, OffersQuery, TouchAnswer, TouchBody
from shopify_upsell.surfaces.services import SurfaceServices, installed_shop
from shopify_upsell.surfaces.touching import take_click, take_touch

log = logging.getLogger(__name__)

PLACEMENTS = ("theme/product_page", "theme/cart")
PARAMETERS = frozenset(
    {
        "placement", "product", "cart", "cart_token", "visitor", "locale", "currency", "limit", "page", "path",
        "market", "country", "business", "codes",
    }
)  # fmt: skip


class ProvedParser(FlaskParser):
    """Reads the query out of what the signature was checked over, so that it is parsed once and in one way."""

    def __init__(self) -> None:
        super().__init__()
        # The schema itself says what becomes of other parameters.
        self.DEFAULT_UNKNOWN_BY_LOCATION = {**self.DEFAULT_UNKNOWN_BY_LOCATION, "query": None}

    def load_querystring(self, req: Any, schema: Any) -> Any:
        """The parameters that the visitor sent."""
        return g.proof.parameters


class ProvedBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """Routes whose query is what `verify_app_proxy` read."""

    ARGUMENTS_PARSER = ProvedParser()


def make_blueprint(services: SurfaceServices) -> Blueprint:
    """Routes under `/proxy`, where Shopify forwards `/apps/wellpaired/…` of the storefront."""
    blueprint = ProvedBlueprint("theme", __name__, url_prefix="/proxy", description="Theme app extension, by app proxy")

    @blueprint.before_request
    def prove() -> None:
        g.proof = verify_app_proxy(
            request.query_string, secrets=services.secrets, now=services.clock(), allowed=PARAMETERS
        )

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(UnprocessableEntity)
    def unreadable(error: UnprocessableEntity) -> Response:
        return jsonify({"offers": []}) if request.method == "GET" else answer_http_error(error)

    @blueprint.get("/offers")
    @blueprint.arguments(OffersQuery(), location="query")
    @blueprint.response(200, OffersAnswer)
    def offers(query: dict[str, Any]) -> Response:
        """Answer what to show at a placement, with the decision it came from."""
        try:
            answer = _answer(services, g.proof, query)
        except Exception as error:
            # Never a visitor's own word: figures keep every label they were ever given.
            answer = nothing_to_show(error, query["placement"] if query["placement"] in PLACEMENTS else "theme/unknown")
        # Written as it is, past the schema: the renderer's tests hold the two together, and this is the busiest route.
        return Response(_written(answer), mimetype="application/json")

    @blueprint.post("/events")
    @blueprint.arguments(TouchBody())
    @blueprint.response(200, TouchAnswer)
    def events(touch: dict[str, Any]) -> dict[str, bool]:
        """Record what the shopper did with an offer; said twice, kept once."""
        with services.database.write() as session:
            shop = installed_shop(find_shop(session, g.proof.shop_domain))
            bind_shop(session, shop.shop_id)
            return {"recorded": take_touch(session, shop.shop_id, touch, now=services.clock())}

    @blueprint.post("/clicks")
    @blueprint.arguments(ClickBody())
    @blueprint.response(200, TouchAnswer)
    def clicks(body: dict[str, str]) -> dict[str, bool]:
        """Record that somebody followed a link of an e-mail; said twice, kept once."""
        now = services.clock()
        with services.database.write() as session:
            shop = installed_shop(find_shop(session, g.proof.shop_domain))
            bind_shop(session, shop.shop_id)
            keys = services.keyring.signing_keys(EMAIL_LINK_PURPOSE, shop.shop_id)
            claim = read_email_click(body["token"], keys, shop_id=shop.shop_id, now=now)
            return {"recorded": take_click(session, shop.shop_id, claim, now=now)}

    return blueprint


def _written(answer: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:  # half a surrogate pair in a title, which the standard writer escapes
        return json.dumps(answer).encode()


def nothing_to_show(error: Exception, placement: str) -> dict[str, object]:
    """The answer when deciding failed: a shop page never breaks because of us, and a person can look it up."""
    level = logging.INFO if isinstance(error, UpsellError) else logging.ERROR
    fields = {"placement": placement[:40], "error": type(error).__name__}
    log.log(level, "offers_unavailable", extra=fields, exc_info=error if level == logging.ERROR else None)
    DECISIONS.labels(placement.split("/")[0][:20], "failed").inc()
    return {"offers": []}


def _answer(services: SurfaceServices, proof: ProxyProof, query: dict[str, Any]) -> dict[str, object]:
    if query["placement"] not in PLACEMENTS:
        raise InvalidInput("unknown placement")
    if not _is_within_limits(services, proof):
        DECISIONS.labels("theme", "limited").inc()
        return {"offers": []}
    with DECISION_SECONDS.time():
        decision = _decide(services, proof, query)
    key = services.keyring.signing_keys(TOKEN_PURPOSE, decision.shop_id)[0]
    renderer = OfferRenderer(decision, locale=query["locale"], key=key, new_nonce=services.new_nonce)
    return {"decision_id": decision.decision_id, "offers": renderer.offers()}


def _decide(services: SurfaceServices, proof: ProxyProof, query: dict[str, Any]) -> Decision:
    shop = services.installed_shop(proof.shop_domain)
    return services.desk.serve(shop, _request(shop.shop_id, proof, query))


def _request(shop_id: ShopId, proof: ProxyProof, query: dict[str, Any]) -> OfferRequest:
    product = query["product"]
    return OfferRequest(
        shop_id=shop_id,
        placement=query["placement"],
        anchor_product_ids=(product,) if product is not None else (),
        cart=query["cart"],
        customer_id=proof.customer_id,
        visitor_id=query["visitor"],
        cart_token=query["cart_token"],
        currency=query["currency"],
        limit=query["limit"],
        reference_id=None,
        page=query["page"],
        path=query["path"],
        market=query["market"],
        country=query["country"],
        is_b2b=query["business"],
        codes=query["codes"],
    )


def _is_within_limits(services: SurfaceServices, proof: ProxyProof) -> bool:
    network = network_of(request.headers.get("X-Forwarded-For", request.remote_addr or "").split(",")[0].strip())
    # The network is asked first: what it is refused must not be taken from the share of the whole shop.
    return services.network_limiter.allows(f"{proof.shop_domain}|{network}") and services.shop_limiter.allows(
        proof.shop_domain
    )
