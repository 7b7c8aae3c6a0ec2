"""`shopify-upsell import-orders`: an order history from a file, whole or not at all."""

import json
from pathlib import Path

import click

from shopify_upsell.attribution.settle import settle_orders
from shopify_upsell.cli.joined import joined_parts, require_shop
from shopify_upsell.customers.order_signals import refresh_order_signals
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.ledger.importing import ImportReport, read_orders
from shopify_upsell.ledger.importing import import_orders as record_orders
from shopify_upsell.ledger.tables import batches
from shopify_upsell.matrix.recording import count_orders
from shopify_upsell.matrix.upkeep import LEARNING


@click.command("import-orders")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--shop", "domain", required=True, help="The shop's domain, such as one.myshopify.com.")
@click.option("--currency", help="Currency of rows that name none; default: the shop's.")
@click.option("--skip-bad-rows", is_flag=True, help="Import the orders that have no bad row.")
@click.option("--learn/--no-learn", default=True, show_default=True, help="Learn product pairs afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_orders(
    file: Path, domain: str, currency: str | None, skip_bad_rows: bool, learn: bool, as_json: bool
) -> None:
    """Import orders from FILE, a CSV (or .csv.gz) with one row an order line.

    Columns: order_id, ordered_at (ISO 8601 with zone, or unix seconds), customer_id (blank: guest), product_id,
    quantity, unit_price; optional: variant_id, discount (of the line), currency, line_id, product_title,
    financial_status (default paid). Other columns are ignored.

    If any row is bad, nothing is imported and every bad row is listed with its line and cause. Importing the same
    file again changes nothing.
    """
    parts = joined_parts()
    with parts.database.read() as session:
        shop = require_shop(session, domain)
    with click.progressbar(length=file.stat().st_size, label="Importing", hidden=as_json) as bar:

        def progress(position: int) -> None:
            bar.update(max(0, position - bar.pos))

        # Read first, so that no transaction is open while a large file is parsed.
        orders = read_orders(file, currency=currency or shop.currency, progress=progress)
        with parts.database.write() as session:
            require_shop(session, domain)
            report = record_orders(session, shop.shop_id, orders, skip_bad_rows=skip_bad_rows, progress=progress)
            for batch in batches(report.changed_order_ids):
                settle_orders(session, shop.shop_id, batch, parts.keyring)
                refresh_order_signals(session, shop.shop_id, batch)
            count_orders(session, shop.shop_id, report.changed_order_ids)
            if learn and report.changed_order_ids:
                now = utc_now()
                enqueue(session, shop.shop_id, JobRequest(LEARNING, f"{LEARNING}:import@{now.isoformat()}"), now)
    _print(report, as_json=as_json)
    if report.bad_row_count and not skip_bad_rows:
        raise SystemExit(1)


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.to_json()))
        return
    for bad in report.bad_rows:
        click.echo(f"line {bad.line_number}: {bad.cause}", err=True)
    if report.bad_row_count > len(report.bad_rows):
        click.echo(f"… and {report.bad_row_count - len(report.bad_rows)} more bad rows", err=True)
    click.echo(
        f"{report.rows_read} rows read, {report.bad_row_count} bad; {report.orders_imported} orders imported, "
        f"{report.orders_unchanged} already known, {report.orders_skipped} left out"
    )
    if report.bad_row_count and not (report.orders_imported or report.orders_unchanged):
        click.echo("Nothing was imported. Mend the file, or use --skip-bad-rows.", err=True)
