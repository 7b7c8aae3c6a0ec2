"""`shopify-upsell report`: the statement that reconciles what offers earned with the ledger."""

import json
import re

import click

from shopify_upsell.cli.joined import reading
from shopify_upsell.inbox.store import count_by_state, freshness
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.reports.overview import read_overview
from shopify_upsell.reports.statement import Freshness, monthly_statements, statement_text


@click.group()
def report() -> None:
    """Reports of one shop: overview and monthly statement."""


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
