"""`shopify-upsell`: the command for operators, developers and the curious. Each subcommand has `--help`."""

import os
import sys
from typing import NoReturn

import click
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from shopify_upsell.cli.decisions import decide
from shopify_upsell.cli.demo import demo
from shopify_upsell.cli.experiments import experiment, programme
from shopify_upsell.cli.imports import import_orders
from shopify_upsell.cli.matrix import matrix
from shopify_upsell.cli.offers import offers
from shopify_upsell.cli.operators import jobs, shops
from shopify_upsell.cli.reports import report
from shopify_upsell.cli.serving import clock, devstore, openapi, routes, web, worker
from shopify_upsell.cli.signals import signals
from shopify_upsell.cli.simulate import simulate
from shopify_upsell.cli.statements import export, statement
from shopify_upsell.core import UpsellError


class Shaped(click.Group):
    """Ends with one line for every foreseen failure, never with a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except UpsellError as failure:
            _complain(failure.message)
        except (OperationalError, ProgrammingError) as failure:
            _complain(f"the database refused: {_first_line(failure)} (is it there, and migrated with alembic?)")
        except TimeoutError:
            _complain("the database is busy: try again in a moment")


def _complain(text: str) -> NoReturn:
    click.echo(f"shopify-upsell: {text}", err=True)
    sys.exit(2)


def _first_line(failure: DBAPIError) -> str:
    return (str(failure.orig).strip() or type(failure).__name__).splitlines()[0]


@click.group(cls=Shaped, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Wellpaired: upsell and cross-sell for Shopify with judgement and proof.

    Settings come from the environment; the README lists every key.
    """
    os.umask(0o077)


for command in (
    clock,
    decide,
    demo,
    devstore,
    experiment,
    export,
    import_orders,
    jobs,
    matrix,
    offers,
    openapi,
    report,
    routes,
    shops,
    signals,
    simulate,
    statement,
    web,
    worker,
):
    cli.add_command(command)
report.add_command(programme)


if __name__ == "__main__":
    cli()
