"""`shopify-upsell matrix timing`: when buyers of one product come for another, and for how many that is known."""

import json
from dataclasses import asdict

import click

from shopify_upsell.cli.joined import reading
from shopify_upsell.core import LARGEST_ID
from shopify_upsell.customers.opt_out_store import opt_outs
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.matrix.curves import TimingCurve
from shopify_upsell.matrix.upkeep import shop_matrix

AN_ID = click.IntRange(1, LARGEST_ID)
WHOSE = {
    "pair": "this pair's own",
    "kind": "of pairs like this one (its own is not proved)",
    "shop": "the shop's (nothing closer is proved)",
}


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.argument("anchor", type=AN_ID)
@click.argument("companion", type=AN_ID)
@click.option("--json", "as_json", is_flag=True)
def timing(domain: str, anchor: int, companion: int, as_json: bool) -> None:
    """When buyers of ANCHOR first buy COMPANION, by days, with counts and intervals.

    Who gives ANCHOR back or opts out has given up waiting from then on.

    Learns from the shop's orders first, and stores nothing.
    """
    with reading(domain) as (_, session, shop):
        matrix = shop_matrix(session, shop.shop_id, utc_now(), opt_outs)
    curve = matrix.timing(anchor, companion)
    if as_json:
        click.echo(json.dumps(asdict(curve)))
        return
    click.echo(f"The curve is {WHOSE[curve.level]}.")
    click.echo("days        waiting  bought  gave up   a day's share  bought by then (95 %)")
    for place in range(len(curve.hazard)):
        click.echo(_row(curve, place))
    if curve.window is not None:
        click.echo(f"Best on days {curve.window[0]} to {curve.window[1]}.")
    for first, last in curve.blocked:
        click.echo(f"Silent on days {first} to {last}.")


def _row(curve: TimingCurve, place: int) -> str:
    days = f"{curve.edges_days[place]}–{curve.edges_days[place + 1] - 1}"
    bounds = f"{curve.incidence[place]:.3f} ({curve.low[place]:.3f}–{curve.high[place]:.3f})"
    counts = f"{curve.at_risk[place]:>9}{curve.events[place]:>8}{curve.ended[place]:>9}"
    return f"{days:<10}{counts}{curve.hazard[place]:>16.4f}  {bounds}"
