"""`shopify-upsell matrix cohorts`: of the buyers of one product, the share who later bought another, by tenure."""

import json
from dataclasses import asdict
from datetime import UTC

import click

from shopify_upsell.cli.joined import reading
from shopify_upsell.core import LARGEST_ID
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.matrix.cohorts import TENURES_DAYS, shares_of_products
from shopify_upsell.matrix.upkeep import shop_lines

AN_ID = click.IntRange(1, LARGEST_ID)


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--tenure", "tenures", type=click.IntRange(1, 3_650), multiple=True, help="Days; may be given again.")
@click.argument("anchor", type=AN_ID)
@click.argument("target", type=AN_ID)
@click.option("--json", "as_json", is_flag=True)
def cohorts(domain: str, tenures: tuple[int, ...], anchor: int, target: int, as_json: bool) -> None:
    """Of the customers who bought ANCHOR, the share who bought TARGET later, by tenure, with counts and intervals.

    A tenure counts the customers whose first ANCHOR was ordered at least that long ago and who had no TARGET by then.
    """
    now = utc_now()
    with reading(domain) as (_, session, shop):
        lines = shop_lines(session, shop.shop_id, now)
    seconds = int(now.astimezone(UTC).timestamp())
    shares = shares_of_products(lines, anchor, target, now=seconds, tenures_days=tenures or TENURES_DAYS)
    if as_json:
        click.echo(json.dumps([asdict(share) for share in shares]))
        return
    click.echo("tenure    customers  bought  share (95 %)")
    for one in shares:
        bounds = f"{one.share:.3f} ({one.low:.3f}–{one.high:.3f})"
        click.echo(f"{one.tenure_days:>4} days{one.customer_count:>11}{one.bought_count:>8}  {bounds}")
    if not shares:
        click.echo("no customer has been watched for so long")
