"""`shopify-upsell offers`: a shop's offers, what stands between a draft and going live, and the step itself."""

import click

from shopify_upsell.cli.joined import joined_parts, reading, require_shop
from shopify_upsell.core import LARGEST_ID, ConflictingRequest, OfferId
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.offers.launch import CHECKS, Check
from shopify_upsell.offers.launching import Launch, check_offer, go_live
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.store import all_offers, pause_offer, read_offer
from shopify_upsell.reports.changes import Editor, log_change
from shopify_upsell.reports.offer_json import offer_json

_SHOP = click.option("--shop", "domain", required=True, help="The shop's myshopify.com domain.")
_OFFER = click.option("--offer", "number", required=True, type=click.IntRange(1, LARGEST_ID), help="The offer's id.")


@click.group()
def offers() -> None:
    """Offers of one shop: list, check, let go live, pause."""


@offers.command("list")
@_SHOP
def list_offers(domain: str) -> None:
    """List every offer: id, state, kind, name, placements."""
    with reading(domain) as (_, session, shop):
        for offer in all_offers(session, shop.shop_id):
            places = ",".join(offer.placements)
            click.echo(f"{offer.offer_id}\t{offer.state}\t{offer.kind}\t{offer.name}\t{places}")


@offers.command()
@_SHOP
@_OFFER
def check(domain: str, number: int) -> None:
    """Run the launch checks; ends with 1 when the offer could not go live."""
    with reading(domain) as (parts, session, shop):
        launch = Launch(shop.shop_id, utc_now(), parts.settings.holdout_basis_points)
        checks = check_offer(session, launch, read_offer(session, shop.shop_id, OfferId(number)))
    _tell(checks)
    if any(one.is_blocking and not one.passed for one in checks):
        raise SystemExit(1)


@offers.command("go-live")
@_SHOP
@_OFFER
def go(domain: str, number: int) -> None:
    """Let an offer go live if every launch check passes; nothing is changed otherwise."""
    parts, now = joined_parts(), utc_now()
    with parts.database.write() as session:
        shop = require_shop(session, domain)
        before = read_offer(session, shop.shop_id, OfferId(number))
        share = parts.settings.holdout_basis_points
        after, checks = go_live(session, shop.shop_id, before.offer_id, now, holdout_basis_points=share)
        about = ("offer", str(number))
        log_change(session, shop.shop_id, Editor(None, now), about, before=offer_json(before), after=offer_json(after))
    _tell(checks)
    click.echo(f"offer {number} is live, version {after.version}")


@offers.command()
@_SHOP
@_OFFER
def pause(domain: str, number: int) -> None:
    """Stop showing an offer from the next decision on."""
    now = utc_now()
    with joined_parts().database.write() as session:
        shop_id = require_shop(session, domain).shop_id
        before = _not_draft(read_offer(session, shop_id, OfferId(number)))
        after = pause_offer(session, shop_id, before.offer_id, now=now)
        about = ("offer", str(number))
        log_change(session, shop_id, Editor(None, now), about, before=offer_json(before), after=offer_json(after))
    click.echo(f"offer {number} is paused")


def _not_draft(offer: Offer) -> Offer:
    if offer.state == "draft":
        raise ConflictingRequest("the offer is a draft: it is shown to nobody")
    return offer


def _tell(checks: tuple[Check, ...]) -> None:
    for one in checks:
        word = "ok" if one.passed else "FAILS" if one.is_blocking else "advice"
        click.echo(f"{word:6}\t{one.code}\t{one.detail or CHECKS[one.code]}")
