"""The post-purchase surface: Shopify's page between payment and thank-you asks with its input token.

The client names an offer of a stored decision and nothing else; variant, quantity and discount come from what we
stored. A changeset is signed for one reference and offer once: asking again gives the same changeset id, which
Shopify applies once.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import g, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from shopify_upsell.attribution.store import Changeset, save_changeset
from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import (
    ConflictingRequest,
    CustomerId,
    InvalidInput,
    NotFound,
    ProductId,
    ProofRefused,
    VariantId,
    parse_gid,
)
from shopify_upsell.database import bind_shop
from shopify_upsell.gateway.verify import PostPurchaseProof, sign_changeset, verify_post_purchase_token
from shopify_upsell.metrics import DECISION_SECONDS
from shopify_upsell.offers.candidate import CartLine, ChosenOffer, Decision, OfferItem
from shopify_upsell.offers.decide import OfferRequest
from shopify_upsell.offers.decisions import Served, read_served
from shopify_upsell.offers.pricing import changeset_discount
from shopify_upsell.offers.terms import AMOUNT, NONE, PERCENTAGE
from shopify_upsell.offers.texts import headline_of
from shopify_upsell.shops.store import Shop, find_shop
from shopify_upsell.surfaces.cross_origin import allow_any_origin
from shopify_upsell.surfaces.rendering import OfferRenderer
from shopify_upsell.surfaces.schemas import (
    OffersAnswer,
    PostPurchaseQuery,
    PostPurchaseTouchBody,
    SignAnswer,
    SignBody,
    TouchAnswer,
)
from shopify_upsell.surfaces.services import SurfaceServices, installed_shop
from shopify_upsell.surfaces.theme_answers import nothing_to_show
from shopify_upsell.surfaces.touching import take_touch

PLACEMENTS = ("post_purchase/offer",)
MOST_OFFERS = 2
"""Source: App Store requirement 5.8.4, at most two consecutive offers (read 2026-10-05)."""
OFFER_LIFE = timedelta(minutes=30)
"""A post-purchase page is open for minutes; a later signature would be somebody else's idea."""
METAFIELD = {"namespace": "wellpaired", "key": "changeset"}


def make_blueprint(services: SurfaceServices) -> Blueprint:
    """Routes under `/ext/post-purchase`."""
    blueprint = Blueprint("post_purchase", __name__, url_prefix="/ext/post-purchase", description="Post-purchase page")
    allow_any_origin(blueprint)

    @blueprint.before_request
    def prove() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise ProofRefused("a Bearer token is required")
        g.proof = verify_post_purchase_token(token, secrets=services.secrets, now=services.clock())

    @blueprint.post("/offers")
    @blueprint.arguments(PostPurchaseQuery)
    @blueprint.response(200, OffersAnswer)
    def offers(query: dict[str, Any]) -> dict[str, object]:
        """Answer what to offer after this purchase; nothing on any failure."""
        _match_reference(g.proof, query["reference_id"])
        try:
            return _answer(services, g.proof, query["locale"])
        except Exception as error:
            return nothing_to_show(error, PLACEMENTS[0])

    @blueprint.post("/sign")
    @blueprint.arguments(SignBody)
    @blueprint.response(200, SignAnswer)
    def sign(body: dict[str, Any]) -> dict[str, str]:
        """Sign the changeset of an accepted offer."""
        _match_reference(g.proof, body["reference_id"])
        with services.database.write() as session:
            shop = _bound_shop(session, g.proof)
            changeset, changes = _accept(session, shop, body, services.clock())
        return {"token": _sign(services, g.proof.reference_id, changeset, changes)}

    @blueprint.post("/events")
    @blueprint.arguments(PostPurchaseTouchBody)
    @blueprint.response(200, TouchAnswer)
    def events(touch: dict[str, Any]) -> dict[str, bool]:
        """Record what the shopper did with a post-purchase offer."""
        _match_reference(g.proof, touch["reference_id"])
        with services.database.write() as session:
            shop = _bound_shop(session, g.proof)
            _own_decision(session, shop, touch)
            return {"recorded": take_touch(session, shop.shop_id, touch, now=services.clock())}

    return blueprint


def display_changes(offer: ChosenOffer) -> list[dict[str, object]]:
    """The changes as the page may show them; what is signed adds the proof of origin."""
    return [_add_variant(offer, item) for item in offer.items]


def _match_reference(proof: PostPurchaseProof, reference_id: str) -> None:
    if reference_id != proof.reference_id:
        raise ProofRefused("the reference is not the token's")


def _bound_shop(session: Session, proof: PostPurchaseProof) -> Shop:
    shop = installed_shop(find_shop(session, proof.shop_domain))
    bind_shop(session, shop.shop_id)
    return shop


def _answer(services: SurfaceServices, proof: PostPurchaseProof, locale: str) -> dict[str, object]:
    if not services.shop_limiter.allows(proof.shop_domain):
        return {"offers": []}
    with DECISION_SECONDS.time():
        shop = services.installed_shop(proof.shop_domain)
        decision = services.desk.serve(shop, _request(shop, proof))
    return {"decision_id": decision.decision_id, "offers": _render(services, decision, locale)}


def _render(services: SurfaceServices, decision: Decision, locale: str) -> list[dict[str, object]]:
    key = services.keyring.signing_keys(TOKEN_PURPOSE, decision.shop_id)[0]
    drawn = OfferRenderer(decision, locale=locale, key=key, new_nonce=services.new_nonce).offers()
    return [entry | {"changes": display_changes(offer)} for entry, offer in zip(drawn, decision.chosen, strict=False)]


def _request(shop: Shop, proof: PostPurchaseProof) -> OfferRequest:
    lines = [_cart_line(line) for line in proof.purchase.get("lineItems", ())]
    customer = proof.purchase.get("customerId")
    return OfferRequest(
        shop_id=shop.shop_id,
        placement=PLACEMENTS[0],
        anchor_product_ids=tuple(dict.fromkeys(line.product_id for line in lines if line.product_id is not None)),
        cart=tuple(lines),
        customer_id=CustomerId(parse_gid(customer, "Customer")) if customer else None,
        visitor_id=None,
        cart_token=None,
        currency=_one_currency(proof),
        limit=MOST_OFFERS,
        reference_id=proof.reference_id,
    )


def _cart_line(line: Any) -> CartLine:
    product = line["product"]
    return CartLine(
        variant_id=VariantId(parse_gid(product["variant"]["id"], "ProductVariant")),
        product_id=ProductId(parse_gid(product["id"], "Product")),
        quantity=int(line["quantity"]),
    )


def _one_currency(proof: PostPurchaseProof) -> str:
    """The currency of the purchase. A discount's currency is undocumented where two are involved, so we pass."""
    total = proof.purchase["totalPriceSet"]
    shop, shown = total["shopMoney"]["currencyCode"], total["presentmentMoney"]["currencyCode"]
    if shop != shown:
        raise InvalidInput("the purchase was made in another currency than the shop's")
    return str(shop)


def _own_decision(session: Session, shop: Shop, body: dict[str, Any]) -> Served:
    decision = read_served(session, shop.shop_id, body["decision_id"])
    if decision.request.reference_id != body["reference_id"] or decision.is_holdout:
        raise NotFound("no such decision")
    return decision


def _accept(
    session: Session, shop: Shop, body: dict[str, Any], now: datetime
) -> tuple[Changeset, list[dict[str, object]]]:
    decision = _own_decision(session, shop, body)
    if now - decision.decided_at > OFFER_LIFE:
        raise ConflictingRequest("the offer has expired", code="offer_expired")
    offer = next((chosen for chosen in decision.chosen if chosen.offer_id == body["offer_id"]), None)
    if offer is None:
        raise NotFound("no such offer in this decision")
    changeset = save_changeset(session, shop.shop_id, _changeset(decision, offer, body["reference_id"], now))
    proof_of_origin: dict[str, object] = {
        "type": "set_metafield",
        **METAFIELD,
        "value": changeset.changeset_id,
        "valueType": "string",
    }
    return changeset, [*display_changes(offer), proof_of_origin]


def _sign(services: SurfaceServices, reference_id: str, changeset: Changeset, changes: list[dict[str, object]]) -> str:
    return sign_changeset(
        api_key=services.api_key,
        secret=services.secrets[0],
        reference_id=reference_id,
        changeset_id=changeset.changeset_id,
        changes=changes,
        now=services.clock(),
    )


def _changeset(decision: Served, offer: ChosenOffer, reference_id: str, now: datetime) -> Changeset:
    item = offer.items[0]
    return Changeset(
        changeset_id=str(uuid.uuid4()),
        reference_id=reference_id,
        decision_id=decision.decision_id,
        offer_id=offer.offer_id,
        offer_kind=offer.kind,
        variant_id=item.variant_id,
        quantity=item.quantity,
        signed_at=now,
        order_id=None,
    )


def _add_variant(offer: ChosenOffer, item: OfferItem) -> dict[str, object]:
    """One change. Its discount makes Shopify charge what the page shows: eligibility has refused what it could not."""
    change: dict[str, object] = {"type": "add_variant", "variantId": item.variant_id, "quantity": item.quantity}
    discount = changeset_discount(offer, _taken_off_by(offer))
    if discount is not None:
        value_type, value = discount
        title = headline_of(offer.kind, PLACEMENTS[0], "en", offer.reason_code)
        change["discount"] = {"value": _json_number(value), "valueType": value_type, "title": title}
    return change


def _taken_off_by(offer: ChosenOffer) -> str:
    """The incentive that lowers the price of a stored offer; a fixed price is an amount off by then."""
    if offer.discount_basis_points:
        return PERCENTAGE
    return AMOUNT if offer.original_total.minor_units > offer.total.minor_units else NONE


def _json_number(text: str) -> int | float:
    """A decimal as JSON has it: written out again, such a short number reads the same digit by digit."""
    return float(text) if "." in text else int(text)
