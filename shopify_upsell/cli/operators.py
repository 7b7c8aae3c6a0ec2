"""`shopify-upsell jobs` and `shopify-upsell shops`: what an operator looks at and mends."""

import json

import click

from shopify_upsell.app import INSTALL_JOBS, make_worker
from shopify_upsell.cli.joined import joined_parts, require_shop
from shopify_upsell.core import LARGEST_ID
from shopify_upsell.jobs.queue import JobRequest, dead_jobs, enqueue, oldest_due, queue_depth, revive
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.shops.directory import all_shops, privacy_requests, register_shop
from shopify_upsell.shops.rotate import rotate_tokens


@click.group()
def jobs() -> None:
    """Background work: status, dead rows, running what is due."""


@jobs.command()
def status() -> None:
    """Rows by state, and how long the oldest due row has waited."""
    now = utc_now()
    with joined_parts().database.read() as session:
        depth, oldest = queue_depth(session), oldest_due(session, now)
    waited = round((now - oldest).total_seconds(), 1) if oldest else 0
    click.echo(json.dumps({"rows": depth, "oldest_due_seconds": waited}))


@jobs.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
def dead(limit: int) -> None:
    """Rows that no retry can help, with their reasons."""
    with joined_parts().database.read() as session:
        for job_id, shop_id, kind, error in dead_jobs(session, limit=limit):
            click.echo(f"{job_id}\tshop {shop_id}\t{kind}\t{error}")


@jobs.command()
@click.argument("job_id", type=click.IntRange(1, LARGEST_ID))
def retry(job_id: int) -> None:
    """Give a dead row a fresh start."""
    with joined_parts().database.write() as session:
        if not revive(session, job_id, utc_now()):
            raise click.ClickException(f"no dead job {job_id}")
    click.echo(f"job {job_id} will run again")


@jobs.command()
def run() -> None:
    """Run everything that is due now, in this process, and stop."""
    click.echo(f"{make_worker(joined_parts()).drain()} jobs had an outcome")


@click.group()
def shops() -> None:
    """Tenants: list, register for imports, read again from Shopify, keys, privacy requests."""


@shops.command("list")
def list_shops() -> None:
    """Every known shop and its state."""
    with joined_parts().database.read() as session:
        for shop in all_shops(session):
            click.echo(f"{shop.domain}\t{shop.state}\t{shop.currency or '-'}")


@shops.command()
@click.argument("domain")
@click.option("--currency", required=True, help="ISO 4217 code of the shop's books.")
def add(domain: str, currency: str) -> None:
    """Register a shop without Shopify, to import and study an order file."""
    parts = joined_parts()
    with parts.database.write() as session:
        shop = register_shop(session, domain, currency, utc_now())
        enqueue(session, shop.shop_id, JobRequest("set_up_offers", "set_up_offers:registered"), utc_now())
    click.echo(f"{shop.domain} registered")


@shops.command()
@click.argument("domain")
def sync(domain: str) -> None:
    """Read shop, products and orders from Shopify again."""
    now = utc_now()
    with joined_parts().database.write() as session:
        shop = require_shop(session, domain)
        for kind in INSTALL_JOBS:
            enqueue(session, shop.shop_id, JobRequest(kind, f"{kind}:sync:{now.isoformat()}", {"is_first": True}), now)
    click.echo(f"{domain} will be read again")


@shops.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt every stored token with the newest of ENCRYPTION_KEYS."""
    parts = joined_parts()
    rotation = rotate_tokens(parts.database, parts.keyring)
    click.echo(
        f"{rotation.resealed_count} tokens encrypted with the newest key, {rotation.unreadable_count} unreadable"
    )
    if rotation.unreadable_count:
        raise SystemExit(1)


@shops.command()
@click.argument("domain")
@click.option("--export", "export_key", help="Print the export that answers this request.")
def privacy(domain: str, export_key: str | None) -> None:
    """Privacy requests of a shop and when they were completed."""
    with joined_parts().database.read() as session:
        shop = require_shop(session, domain)
        for request in privacy_requests(session, shop.shop_id):
            if export_key is None:
                click.echo(f"{request.kind}\t{request.request_key}\t{request.received_at}\t{request.completed_at}")
            elif request.request_key == export_key:
                click.echo(request.export or "{}")
