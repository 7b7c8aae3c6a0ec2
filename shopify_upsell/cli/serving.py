"""Subcommands that run processes: web, worker, clock, and the dev store."""

import json
import os
import sys
from pathlib import Path

import click

from shopify_upsell.app import create_app, make_worker
from shopify_upsell.cli.joined import joined_parts
from shopify_upsell.core import BadSetting
from shopify_upsell.jobs.wakeup import run_worker
from shopify_upsell.settings import read_settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5050, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Processes; SQLite gains nothing from more than one.")
def web(host: str, port: int, workers: int) -> None:
    """Serve HTTP with granian, as the Procfile does."""
    read_settings(os.environ)  # a wrong setting stops here, with one line, before any process is started
    os.execv(  # noqa: S606 the server replaces this process, so that signals reach it
        sys.executable,
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--host", host, "--port", str(port)),
            *("--workers", str(workers), "--blocking-threads", "64", "--backpressure", "128", "--log-level", "error"),
            *("--workers-kill-timeout", "25", "--respawn-failed-workers"),
            "shopify_upsell.app:create_app_from_environment",
        ],
    )


@click.command()
def worker() -> None:
    """Run background jobs until SIGTERM."""
    _run(with_clock=False)


@click.command()
def clock() -> None:
    """Run background jobs and the schedule until SIGTERM. Any number may run: each slot happens once."""
    _run(with_clock=True)


def _run(*, with_clock: bool) -> None:
    parts = joined_parts()
    run_worker(parts.wakeup, make_worker(parts), parts.database, with_clock=with_clock)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9292, show_default=True)
@click.option("--app-url", required=True, help="Where the app listens.")
@click.option("--seed", default=7, show_default=True, help="The generated store follows from it alone.")
@click.option("--orders", "order_count", default=2500, show_default=True, help="Orders before the install.")
@click.option("--orders-file", type=click.Path(exists=True, path_type=Path), help="Use this order file instead.")
def devstore(host: str, port: int, app_url: str, seed: int, order_count: int, orders_file: Path | None) -> None:
    """Serve the simulated Shopify. Refuses to start in production."""
    from shopify_upsell.devstore.config import DevstoreConfig, DevstoreRefused
    from shopify_upsell.devstore.server import serve

    settings = read_settings(os.environ)
    package = Path(__file__).resolve().parent.parent
    config = DevstoreConfig(
        app_url=app_url,
        api_key=settings.api_key,
        api_secret=settings.api_secrets[0],
        seed=seed,
        order_count=order_count,
        orders_file=orders_file,
        extensions_dir=package.parent / "extensions",
        app_toml=package.parent / "shopify.app.toml",
        schema_path=package / "gateway" / "operations" / "schema.graphql",
    )
    try:
        serve(config, host, port)
    except DevstoreRefused as refused:
        raise BadSetting(str(refused)) from None


@click.command()
def routes() -> None:
    """List every route. The README says who may call each, and with which proof."""
    app = create_app(read_settings(os.environ))
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: r.rule):
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        click.echo(f"{methods:6} {rule.rule}")


@click.command()
def openapi() -> None:
    """Print the OpenAPI description of the surfaces."""
    app = create_app(read_settings(os.environ))
    with app.app_context():
        click.echo(json.dumps(app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict(), indent=2))
