"""`shopify-upsell statement` and `export`: what offers earned, reconciled, locked, and open to be added up again."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy.orm import Session

from shopify_upsell.cli.joined import joined_parts, require_shop
from shopify_upsell.inbox.store import freshness
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.reports.export import FORMS, write_export
from shopify_upsell.reports.month import Freshness, Statement
from shopify_upsell.reports.statement import lock_statements, monthly_statements
from shopify_upsell.reports.statement_forms import statement_csv, statement_html
from shopify_upsell.shops.store import Shop

MONTH = re.compile(r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])")


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--month", required=True, help="A month as YYYY-MM.")
@click.option("--format", "form", type=click.Choice(["json", "csv", "html"]), default="json", show_default=True)
@click.option("--lock", is_flag=True, help="Close the month: later facts become adjustments of the next open month.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Default: standard output.")
def statement(domain: str, month: str, form: str, lock: bool, out: Path | None) -> None:
    """The monthly statement per currency: gross to net, and who earned it. Exit code 1 if it does not add up."""
    if not MONTH.fullmatch(month):
        raise click.BadParameter("expected YYYY-MM", param_hint="--month")
    shop, statements, fresh = _read_or_lock(domain, month, lock=lock)
    text = _written(form, shop, statements, fresh)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    if any(found.residual_minor_units or found.residual_items for found in statements):
        raise SystemExit(1)


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A folder for the files.")
@click.option("--format", "form", type=click.Choice(FORMS), default="csv", show_default=True, help="Parquet: pyarrow.")
def export(domain: str, out: Path, form: str) -> None:
    """All that reports are made of, a file a table: `python -m shopify_upsell.reports.rebuild DIR` adds the CSV up."""
    with joined_parts().database.read() as session:
        shop = require_shop(session, domain)
        counts = write_export(session, shop.shop_id, out, form=form)
    for name, count in counts.items():
        click.echo(f"{name}: {count}")


def _read_or_lock(domain: str, month: str, *, lock: bool) -> tuple[Shop, list[Statement], Freshness]:
    database = joined_parts().database
    with database.write() if lock else database.read() as session:
        return _stated(session, domain, month, lock=lock)


def _stated(session: Session, domain: str, month: str, *, lock: bool) -> tuple[Shop, list[Statement], Freshness]:
    shop, now = require_shop(session, domain), utc_now()
    newest, waiting = freshness(session, shop.shop_id)
    if lock:
        found = lock_statements(session, shop.shop_id, month, now=now)
    else:
        found = monthly_statements(session, shop.shop_id, month=month)
    return shop, found, Freshness(as_of=now, newest_event_at=newest, waiting_events=waiting)


def _written(form: str, shop: Shop, statements: Sequence[Statement], fresh: Freshness) -> str:
    if form == "csv":
        return statement_csv(statements)
    if form == "html":
        return statement_html(statements, fresh, shop=shop.domain)
    document = {"freshness": fresh.to_json(), "statements": [found.to_json() for found in statements]}
    return json.dumps(document, indent=2) + "\n"
