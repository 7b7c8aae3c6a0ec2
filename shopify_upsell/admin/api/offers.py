"""Offers: list, write, change, pause, check, and let go live."""

from collections.abc import Iterable
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, fields, validate
from sqlalchemy.orm import Session

from shopify_upsell.admin.api.offer_schemas import (
    CheckedOfferJson,
    MerchantOfferJson,
    MerchantOffersJson,
    OfferBody,
    OfferEditBody,
    Strict,
)
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.core import ConflictingRequest, OfferId
from shopify_upsell.offers.launch import CHECKS, Check, failing
from shopify_upsell.offers.launching import check_offer, edit_offer, go_live
from shopify_upsell.offers.offer import OFFER_STATES, Offer, OfferDraft
from shopify_upsell.offers.store import all_offers, pause_offer, read_offer, save_offer
from shopify_upsell.reports.offer_json import offer_json


class OffersQuery(Strict):
    """Which offers to list."""

    state = fields.String(load_default=None, validate=validate.OneOf(OFFER_STATES))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/offers`."""

    @blueprint.get("/offers")
    @blueprint.arguments(OffersQuery, location="query", unknown=RAISE)
    @blueprint.response(200, MerchantOffersJson)
    def list_offers(query: dict[str, Any]) -> dict[str, Any]:
        """List the shop's offers, the oldest first."""
        with reading(services) as session:
            found = all_offers(session, caller().shop_id)
        return {"offers": [offer_json(one) for one in found if query["state"] in (None, one.state)]}

    @blueprint.post("/offers")
    @blueprint.arguments(OfferBody)
    @blueprint.response(201, MerchantOfferJson)
    def create_offer(draft: OfferDraft) -> dict[str, Any]:
        """Write a new offer. It begins as a draft; shoppers see it once it went live."""
        with writing(services) as session:
            made = save_offer(session, caller().shop_id, draft, now=caller().now, needs_purpose=True)
            note(session, "offer", str(made.offer_id), before=None, after=offer_json(made))
        return offer_json(made)

    @blueprint.get("/offers/<int:offer_id>")
    @blueprint.response(200, MerchantOfferJson)
    def show_offer(offer_id: int) -> dict[str, Any]:
        """Read one offer."""
        with reading(services) as session:
            return offer_json(read_offer(session, caller().shop_id, OfferId(offer_id)))

    @blueprint.put("/offers/<int:offer_id>")
    @blueprint.arguments(OfferEditBody)
    @blueprint.response(200, MerchantOfferJson)
    def change_offer(edit: tuple[int, OfferDraft], offer_id: int) -> dict[str, Any]:
        """Replace an offer by a new version of itself. A live one must pass the launch checks as it is written now."""
        version, draft = edit
        with writing(services) as session:
            before = read_offer(session, caller().shop_id, OfferId(offer_id))
            if before.version != version:
                raise ConflictingRequest("the offer was changed meanwhile: read it again", code="stale_version")
            after = edit_offer(session, caller().launch, draft, before)
            _note(session, before, after)
        return offer_json(after)

    @blueprint.post("/offers/<int:offer_id>/pause")
    @blueprint.response(200, MerchantOfferJson)
    def pause(offer_id: int) -> dict[str, Any]:
        """Stop showing an offer from the next decision on."""
        with writing(services) as session:
            before = read_offer(session, caller().shop_id, OfferId(offer_id))
            if before.state != "live":
                raise ConflictingRequest("the offer is not live")
            after = pause_offer(session, caller().shop_id, before.offer_id, now=caller().now)
            _note(session, before, after)
        return offer_json(after)

    _add_launch_routes(blueprint, services)


def _add_launch_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    @blueprint.get("/offers/<int:offer_id>/launch-checks")
    @blueprint.response(200, CheckedOfferJson)
    def launch_checks_of(offer_id: int) -> dict[str, Any]:
        """Say what stands between an offer and going live. Nothing is changed."""
        with reading(services) as session:
            offer = read_offer(session, caller().shop_id, OfferId(offer_id))
            return _checked(offer, check_offer(session, caller().launch, offer))

    @blueprint.post("/offers/<int:offer_id>/go-live")
    @blueprint.response(200, CheckedOfferJson)
    def let_go_live(offer_id: int) -> dict[str, Any]:
        """Let an offer go live if every launch check passes; else each failing check is named and nothing changes."""
        with writing(services) as session:
            before = read_offer(session, caller().shop_id, OfferId(offer_id))
            if before.state == "live":
                raise ConflictingRequest("the offer is live already")
            share = services.holdout_basis_points
            after, checks = go_live(
                session, caller().shop_id, before.offer_id, caller().now, holdout_basis_points=share
            )
            _note(session, before, after)
        return _checked(after, checks)


def _note(session: Session, before: Offer, after: Offer) -> None:
    note(session, "offer", str(after.offer_id), before=offer_json(before), after=offer_json(after))


def _checked(offer: Offer, checks: Iterable[Check]) -> dict[str, Any]:
    listed = list(checks)
    told = [
        {
            "code": one.code,
            "passed": one.passed,
            "is_blocking": one.is_blocking,
            "detail": one.detail,
            "sentence": CHECKS[one.code],
        }
        for one in listed
    ]
    return {"offer": offer_json(offer), "can_go_live": not failing(listed), "checks": told}
