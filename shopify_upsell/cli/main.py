"""`shopify-upsell`: the command for operators, developers and the curious. Each subcommand has `--help`."""

import os
import sys

import click

from shopify_upsell.cli.decisions import decide
from shopify_upsell.cli.demo import demo
from shopify_upsell.cli.imports import import_orders
from shopify_upsell.cli.operators import jobs, shops
from shopify_upsell.cli.reports import report
from shopify_upsell.cli.serving import clock, devstore, openapi, routes, web, worker
from shopify_upsell.core import UpsellError


class Shaped(click.Group):
    """Ends with one line for every foreseen failure, never with a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except UpsellError as failure:
            click.echo(f"shopify-upsell: {failure.message}", err=True)
            sys.exit(2)


@click.group(cls=Shaped, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Wellpaired: upsell and cross-sell for Shopify with judgement and proof.

    Settings come from the environment; the README lists every key.
    """
    os.umask(0o077)


for command in (clock, decide, demo, devstore, import_orders, jobs, openapi, report, routes, shops, web, worker):
    cli.add_command(command)


if __name__ == "__main__":
    cli()
