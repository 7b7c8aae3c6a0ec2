"""`shopify-upsell simulate`: replay past orders with an offer that is not live yet, and tell what would have come."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from shopify_upsell.admin.api.offer_schemas import OfferBody
from shopify_upsell.cli.joined import joined_parts, require_shop
from shopify_upsell.core import LARGEST_ID, InvalidInput, OfferId
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.money import Money
from shopify_upsell.offers.kinds.registry import KINDS, VALIDATORS
from shopify_upsell.offers.offer import Offer, OfferDraft, check_draft
from shopify_upsell.offers.simulating import Simulated
from shopify_upsell.offers.store import read_offer
from shopify_upsell.reports.simulate import MOST_MONTHS, Simulation, orders_to_replay, simulated_json
from shopify_upsell.reports.simulate import simulate as replay

WHOLE = 10_000
LARGEST_FILE = 1_000_000


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--offer", "number", type=click.IntRange(1, LARGEST_ID), help="An offer of the shop, in any state.")
@click.option(
    "--draft", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An offer as a JSON file."
)
@click.option("--months", default=6, show_default=True, type=click.IntRange(1, MOST_MONTHS), help="Of 30 days each.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, LARGEST_ID), help="Chooses the sample.")
@click.option(
    "--sample", default=100.0, show_default=True, type=click.FloatRange(0.01, 100), help="Per cent of customers."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate(
    domain: str, number: int | None, file: Path | None, months: int, seed: int, sample: float, form: str
) -> None:
    """Tell how often an offer would have been shown, to whom, when, why not, and what it might have earned.

    Past orders are asked again through the rules that decide live. Nothing is written and nobody is shown anything.
    """
    if (number is None) == (file is None):
        raise click.UsageError("give either --offer or --draft")
    parts = joined_parts()
    with parts.database.read() as session:
        shop = require_shop(session, domain)
        offer = _drafted(file) if file is not None else read_offer(session, shop.shop_id, OfferId(number or 0))
        simulation = Simulation(
            offer=offer,
            now=utc_now(),
            months=months,
            holdout_basis_points=parts.settings.holdout_basis_points,
            seed=seed,
            share_basis_points=round(sample * 100),
        )
        count = orders_to_replay(session, shop, simulation)
        with click.progressbar(length=count, label="replaying orders", file=sys.stderr) as bar:
            found = replay(session, shop, simulation, on_orders=bar.update)
    click.echo(
        json.dumps(_document(found, simulation), default=str, sort_keys=True) if form == "json" else _text(found)
    )


def _drafted(file: Path) -> OfferDraft:
    if file.stat().st_size > LARGEST_FILE:
        raise InvalidInput("the file is too large for an offer")
    try:
        document = json.loads(file.read_text("utf-8"))
    except ValueError as broken:
        raise InvalidInput("the file is no JSON") from broken
    try:
        draft: OfferDraft = OfferBody().load(document)
    except ValidationError as wrong:
        raise InvalidInput(f"the file holds no offer: {wrong.messages}") from wrong
    check_draft(draft, tuple(KINDS))
    VALIDATORS[draft.kind](draft)
    return draft


def _document(found: Simulated, simulation: Simulation) -> dict[str, Any]:
    offer = simulation.offer
    asked = {
        "offer_id": offer.offer_id if isinstance(offer, Offer) else None,
        "from": simulation.since.isoformat(),
        "until": simulation.now.isoformat(),
        "seed": simulation.seed,
        "sample_basis_points": simulation.share_basis_points,
    }
    return asked | simulated_json(found)


def _text(found: Simulated) -> str:
    lines = [
        f"{found.order_count} orders, {found.moment_count} moments at the offer's placements",
        f"shown {found.shown_count} times to {found.customer_count} shoppers; withheld from the holdout "
        f"{found.withheld_count} times",
        f"caps kept it back at {found.cap_pressure:.1%} of the moments",
        *_margin_lines(found),
        "by month: " + (", ".join(f"{month} {count}" for month, count in found.by_month) or "none"),
        "by weekday: " + ", ".join(f"{day} {count}" for day, count in found.by_weekday),
        "why not:",
        *(f"  {one.code}: {one.moment_count}{_example(one.examples)}" for one in found.why_not),
        "could have been shown later, by month: "
        + (", ".join(f"{month} {count}" for month, count in found.next_from) or "none"),
        "what this cannot know:",
        *(f"  {limit}" for limit in found.limits),
    ]
    return "\n".join(lines)


def _margin_lines(found: Simulated) -> list[str]:
    margin = found.margin
    if not margin.card_count or not margin.currency:
        return ["expected margin: nothing to expect"]
    expected = Money(margin.expected_minor_units, margin.currency).to_decimal_string()
    whole = Money(margin.if_all_taken_minor_units, margin.currency).to_decimal_string()
    assumed = ", ".join(margin.assumed)
    return [
        f"expected margin {expected} {margin.currency} (ASSUMED: {assumed}); if every card were taken {whole}",
    ]


def _example(examples: Any) -> str:
    first = next(iter(examples), None)
    if first is None:
        return ""
    product = f", product {first.product_id}" if first.product_id is not None else ""
    return f" (such as {first.at:%Y-%m-%d %H:%M}{product})"
