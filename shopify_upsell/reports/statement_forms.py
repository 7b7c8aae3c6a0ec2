"""Statements as text, CSV and a page to print. Pure. The page needs nothing from anywhere else."""

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape

from shopify_upsell.money import Money
from shopify_upsell.reports.month import LINES, Freshness, Statement

Entry = tuple[str, str, int]
"""Section, label, minor units."""

CSV_HEAD = ("month", "currency", "time_zone", "section", "label", "minor_units", "amount", "status", "digest")

STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; page-break-inside: avoid; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #767676; text-align: left; font-weight: 400; }
td { text-align: right; font-variant-numeric: tabular-nums; }
thead th, tr.total th, tr.total td { font-weight: 600; }
thead th:last-child { text-align: right; }
code { overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } }
"""


def entries(statement: Statement) -> Iterator[Entry]:
    """Every line of a statement: from gross to net, who earned it, what is not explained, what changed before."""
    for label, name, sign in LINES:
        yield "ledger", label, sign * getattr(statement, name)
    for book in statement.books:
        yield "credits", f"directly by {book.book}", book.amount_minor_units
    for book in statement.assisted_books:
        yield "credits", f"assisted by {book.book or 'an offer'}", book.amount_minor_units
    yield "credits", "unattributed", statement.unattributed_minor_units
    yield "credits", "refunded beyond lines", statement.order_residual_credit_minor_units
    yield "residual", "Not explained", statement.residual_minor_units
    for item in statement.residual_items:
        yield "residual", f"order {item.order_id}", item.residual_minor_units
    for part in statement.adjustments:
        yield "adjustments", f"change of {part.month}, locked", part.ledger_minor_units
    if statement.adjustments:
        yield "adjustments", "Net revenue with changes", statement.closing_minor_units


def statement_text(statements: Sequence[Statement], freshness: Freshness) -> str:
    """The statements as a table for people."""
    parts = [_table(statement) for statement in statements] or ["No orders in this period.\n"]
    return "\n".join([*parts, f"{_stamp(freshness)}; {freshness.waiting_events} waiting."])


def statement_csv(statements: Sequence[Statement]) -> str:
    """One row a line of every statement: minor units for machines, the amount for people."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for statement in statements:
        about = (statement.month, statement.currency, statement.time_zone)
        status = ("locked" if statement.is_locked else "open", statement.digest or "")
        for section, label, minor_units in entries(statement):
            writer.writerow([*about, section, label, minor_units, _amount(minor_units, statement), *status])
    return text.getvalue()


def statement_html(statements: Sequence[Statement], freshness: Freshness, *, shop: str) -> str:
    """A page to read or print: one table a month and currency, no script, nothing loaded."""
    tables = "\n".join(_html_table(statement) for statement in statements) or "<p>No orders in this period.</p>"
    title = f"Statement of {escape(shop)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{tables}\n"
        f"<p>{escape(_stamp(freshness))}; {freshness.waiting_events} waiting. Months by the time an order was placed; "
        "net revenue without tax, shipping and gift cards. Assisted lines are not counted as earned.</p>\n"
        "</main>\n</body>\n</html>\n"
    )


def _html_table(statement: Statement) -> str:
    rows = "\n".join(
        f'<tr{_emphasis(section, label)}><th scope="row">{escape(label)}</th>'
        f"<td>{escape(_amount(minor_units, statement))}</td></tr>"
        for section, label, minor_units in entries(statement)
    )
    locked = ""
    if statement.is_locked:
        locked = f"<p>Locked {escape(statement.locked_at or '')}, SHA-256 <code>{statement.digest}</code></p>\n"
    return (
        f"<table>\n<caption>{escape(_head(statement))}</caption>\n"
        f'<thead><tr><th scope="col">Line</th><th scope="col">{statement.currency}</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n{locked}"
    )


def _emphasis(section: str, label: str) -> str:
    is_total = label.startswith("Net revenue") or (section == "residual" and label == "Not explained")
    return ' class="total"' if is_total else ""


def _table(statement: Statement) -> str:
    rows = [_head(statement)]
    for _section, label, minor_units in entries(statement):
        shown = f"  {label}" if label.startswith(("directly", "assisted", "order ")) else label
        rows.append(f"  {shown:<36}{_amount(minor_units, statement):>18}")
    if statement.is_locked:
        rows.append(f"  Locked {statement.locked_at}, SHA-256 {statement.digest}")
    return "\n".join(rows) + "\n"


def _head(statement: Statement) -> str:
    counts = f"{statement.order_count} orders, {statement.unbooked_count} of them not booked"
    return f"{statement.month} {statement.currency} ({statement.time_zone}): {counts}"


def _amount(minor_units: int, statement: Statement) -> str:
    return Money(minor_units, statement.currency).to_decimal_string()


def _stamp(freshness: Freshness) -> str:
    newest = freshness.newest_event_at
    seen = f"{newest:%Y-%m-%d %H:%M:%S} UTC" if newest else "never"
    return f"As of {freshness.as_of:%Y-%m-%d %H:%M:%S} UTC; newest delivery handled {seen}"
