"""`shopify-upsell report`: what came in, what adds up, how customers come back and what they buy together."""

import json
import re
from typing import Any

import click
from sqlalchemy.orm import Session

from shopify_upsell.cli.joined import reading
from shopify_upsell.core import LARGEST_ID, ProductId, ShopId
from shopify_upsell.inbox.store import count_by_state, freshness
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.reports.baseline import read_baseline
from shopify_upsell.reports.customer_figures import customer_figures
from shopify_upsell.reports.freshness import read_freshness
from shopify_upsell.reports.kept import read_kept
from shopify_upsell.reports.overview import read_overview
from shopify_upsell.reports.pair_figures import ATTACH_DAYS, attach_figures, pairs_to_tell, require_pair
from shopify_upsell.reports.statement import Freshness, monthly_statements, statement_text


@click.group()
def report() -> None:
    """Reports of one shop: overview, monthly statement, baseline, customers, pairs, programme."""


@report.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--json", "as_json", is_flag=True)
def overview(domain: str, as_json: bool) -> None:
    """What came in, what was learned, what offers earned."""
    with reading(domain) as (_, session, shop):
        found = read_overview(session, shop.shop_id)
        events = count_by_state(session, shop.shop_id)
    document = found.to_json() | {"events": events}
    if as_json:
        click.echo(json.dumps(document, sort_keys=True))
        return
    for name, value in document.items():
        click.echo(f"{name}: {value}")


@report.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--month", help="A month as YYYY-MM; default: every month.")
@click.option("--json", "as_json", is_flag=True)
def statement(domain: str, month: str | None, as_json: bool) -> None:
    """The monthly statement per currency: gross to net, and who earned it. The residual must be 0."""
    if month is not None and not re.fullmatch(r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])", month):
        raise click.BadParameter("expected YYYY-MM", param_hint="--month")
    with reading(domain) as (_, session, shop):
        newest, waiting = freshness(session, shop.shop_id)
        statements = monthly_statements(session, shop.shop_id, month=month)
    fresh = Freshness(as_of=utc_now(), newest_event_at=newest, waiting_events=waiting)
    if as_json:
        click.echo(json.dumps({"freshness": fresh.to_json(), "statements": [s.to_json() for s in statements]}))
        return
    click.echo(statement_text(statements, fresh))
    if any(found.residual_minor_units for found in statements):
        raise SystemExit(1)


@report.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
def baseline(domain: str) -> None:
    """Where the shop stands, as JSON: customers, order value, who comes back, what is bought together."""
    with reading(domain) as (_, session, shop):
        found = read_baseline(session, shop.shop_id).to_json()
        _say(session, shop.shop_id, {"baseline": found})


@report.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
def retention(domain: str) -> None:
    """How customers come back, as JSON: cohorts, revenue kept year on year, products owned, further purchases."""
    with reading(domain) as (_, session, shop):
        found = customer_figures(read_kept(session, shop.shop_id, now=utc_now())).to_json()
        _say(session, shop.shop_id, {"customers": found})


@report.command(name="attach-rates")
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--window-days", type=click.IntRange(1, 730), default=ATTACH_DAYS, show_default=True)
@click.argument("pair", nargs=2, type=click.IntRange(1, LARGEST_ID), required=False)
def attach_rates(domain: str, window_days: int, pair: tuple[int, int] | None) -> None:
    """Both attach rates of two products, as JSON; by default of live offers' pairs and the most frequent ones."""
    with reading(domain) as (_, session, shop):
        pairs = pairs_to_tell(session, shop.shop_id)
        if pair:
            pairs = [require_pair(session, shop.shop_id, ProductId(pair[0]), ProductId(pair[1]))]
        history = read_kept(session, shop.shop_id, now=utc_now())
        found = attach_figures(session, shop.shop_id, history, pairs, window_days=window_days)
        _say(session, shop.shop_id, {"window_days": window_days, "pairs": [one.to_json() for one in found]})


def _say(session: Session, shop_id: ShopId, document: dict[str, Any]) -> None:
    stamp = read_freshness(session, shop_id, now=utc_now()).to_json()
    click.echo(json.dumps({"freshness": stamp} | document, sort_keys=True))
