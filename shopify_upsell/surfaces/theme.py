"""The theme surface: storefront blocks ask through Shopify's app proxy. Any failure answers an empty offer list.

A signature here proves that a request came through Shopify for this shop, not that anyone authorised it: any
visitor can obtain one. So nothing of another person is ever answered, and events only touch stored decisions.
"""

from typing import Any

from flask import Response, g, jsonify, request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnprocessableEntity

from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, read_email_click
from shopify_upsell.database import bind_shop
from shopify_upsell.errors import answer_http_error
from shopify_upsell.shops.store import find_shop
from shopify_upsell.surfaces.schemas import ClickBody, OffersAnswer, OffersQuery, TouchAnswer, TouchBody
from shopify_upsell.surfaces.services import SurfaceServices, installed_shop
from shopify_upsell.surfaces.theme_answers import NEVER_CACHED, ThemeAnswers, caller_of
from shopify_upsell.surfaces.touching import take_click, take_touch


class ProvedParser(FlaskParser):
    """Reads the query out of what the signature was checked over, so that it is parsed once and in one way."""

    def load_querystring(self, req: Any, schema: Any) -> Any:
        """The parameters that the visitor sent."""
        return g.proof.parameters


class ProvedBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """Routes whose query is what `verify_app_proxy` read."""

    ARGUMENTS_PARSER = ProvedParser()


def make_blueprint(services: SurfaceServices) -> Blueprint:
    """Routes under `/proxy`, where Shopify forwards `/apps/wellpaired/…` of the storefront."""
    answers = ThemeAnswers(services)
    blueprint = ProvedBlueprint("theme", __name__, url_prefix="/proxy", description="Theme app extension, by app proxy")

    @blueprint.before_request
    def prove() -> None:
        g.proof = answers.prove(request.query_string)

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = NEVER_CACHED
        return response

    @blueprint.errorhandler(UnprocessableEntity)
    def unreadable(error: UnprocessableEntity) -> Response:
        return jsonify({"offers": []}) if request.method == "GET" else answer_http_error(error)

    @blueprint.get("/offers")
    @blueprint.arguments(OffersQuery(), location="query")
    @blueprint.response(200, OffersAnswer)
    def offers(query: dict[str, Any]) -> Response:
        """Answer what to show at a placement, with the decision it came from. `Express` answers most such requests."""
        return Response(answers.answer(g.proof, query, caller_of(request.environ)), mimetype="application/json")

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
