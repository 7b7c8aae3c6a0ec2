"""Add up an export again: `python -m shopify_upsell.reports.rebuild DIR` prints what the app's reports say, as JSON.

In: the CSV files that `shopify-upsell export` wrote. Out: the overview's numbers, every month's statement with the
adjustments it takes on, and the journal by class, book and channel. No database, no network, the standard library and
pure modules of ours only: whoever doubts a number can follow it to its rows.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shopify_upsell.attribution.credit import CREDIT_CLASSES, CreditTotal
from shopify_upsell.ledger.booked import LedgerTotal
from shopify_upsell.reports.month import (
    ResidualItem,
    Statement,
    adjustments_due,
    closed_form,
    empty_statement,
    first_open_after,
)
from shopify_upsell.reports.totals import assemble, credited

Row = Mapping[str, str]


@dataclass(frozen=True)
class Export:
    """The files of an export, as rows of text."""

    time_zone: ZoneInfo
    currency: str
    files: Mapping[str, Sequence[Row]]

    def __getitem__(self, name: str) -> Sequence[Row]:
        return self.files[name]


def read_export(folder: Path) -> Export:
    """Read every CSV file of a folder. Raises: FileNotFoundError without `shop.csv`."""
    files = {path.stem: list(_rows(path)) for path in sorted(folder.glob("*.csv"))}
    if "shop" not in files:
        raise FileNotFoundError(folder / "shop.csv")
    (shop,) = files["shop"]
    return Export(_zone(shop["time_zone"]), shop["currency"], files)


def rebuild(export: Export) -> dict[str, Any]:
    """Every number that the reports show, from the files alone."""
    statements = rebuilt_statements(export)
    return {
        "overview": _overview(export),
        "statements": [statement.to_json() for statement in statements],
        "postings": _postings(export["postings"]),
        "decisions": {
            "count": len(export["decisions"]),
            "holdout_count": sum(row["is_holdout"] == "1" for row in export["decisions"]),
            "touchpoints": dict(sorted(Counter(row["kind"] for row in export["touchpoints"]).items())),
        },
    }


def rebuilt_statements(export: Export) -> list[Statement]:
    """Every month's statement, by month and currency. Raises: InvalidInput for a locked one that was altered."""
    computed = _computed(export)
    closed: dict[str, dict[str, Statement]] = {}
    for row in export["locked_statements"]:
        locked_at = datetime.fromisoformat(row["locked_at"])
        statement = closed_form(json.loads(row["document"]), locked_at=locked_at, digest=row["digest"])
        closed.setdefault(row["currency"], {})[row["month"]] = statement
    found: dict[tuple[str, str], Statement] = {}
    for currency in computed.keys() | closed.keys():
        mine, locked = computed.get(currency, {}), closed.get(currency, {})
        for month in mine.keys() | locked.keys() | {first_open_after(earlier, locked) for earlier in locked}:
            due = adjustments_due(month, mine, locked)
            if month in locked:
                found[month, currency] = locked[month]
            elif month in mine or due:
                now = mine.get(month) or empty_statement(month, export.time_zone.key, currency)
                found[month, currency] = replace(now, adjustments=due)
    return [found[key] for key in sorted(found)]


def _computed(export: Export) -> dict[str, dict[str, Statement]]:
    lines, credits = _by_order(export["order_lines"]), _by_order(export["credits"])
    months: dict[tuple[str, str], list[Row]] = {}
    for order in _known_orders(export):
        moment = datetime.fromisoformat(order["ordered_at"]).astimezone(export.time_zone)
        months.setdefault((f"{moment:%Y-%m}", order["currency"]), []).append(order)
    found: dict[str, dict[str, Statement]] = {}
    for (month, currency), orders in months.items():
        ledger = _ledger(currency, orders, lines)
        parts = [part for order in orders for part in credits.get(order["order_id"], ())]
        items = tuple(item for order in orders if (item := _residual(order, lines, credits)) is not None)
        statement = assemble(month, export.time_zone.key, ledger, _credit_totals(parts))
        ordered = tuple(sorted(items, key=lambda item: item.order_id))
        found.setdefault(currency, {})[month] = replace(statement, residual_items=ordered)
    return found


def _ledger(currency: str, orders: Sequence[Row], lines: Mapping[str, Sequence[Row]]) -> LedgerTotal:
    sums = Counter[str]()
    for order in orders:
        is_booked = order["is_booked"] == "1"
        sums["unbooked_count"] += not is_booked
        sums["order_residual"] += int(order["residual_minor_units"])
        for line in lines.get(order["order_id"], ()):
            _add_line(sums, line, is_booked=is_booked)
    names = ("gross", "discounts", "taxes", "gift_cards", "refunds", "edits", "unbooked", "net")
    return LedgerTotal(
        currency=currency,
        order_count=len(orders),
        unbooked_count=sums["unbooked_count"],
        order_residual=sums["order_residual"],
        **{name: sums[name] for name in names},
    )


def _add_line(sums: Counter[str], line: Row, *, is_booked: bool) -> None:
    gross, discount, tax = (int(line[f"{name}_minor_units"]) for name in ("gross", "discount", "tax"))
    refunded, removed = int(line["refunded_minor_units"]), int(line["removed_minor_units"])
    is_gift_card, value = line["is_gift_card"] == "1", gross - discount - tax
    sums["gross"] += gross
    sums["discounts"] += discount
    sums["taxes"] += tax
    sums["gift_cards"] += value if is_gift_card else 0
    sums["refunds"] += refunded
    sums["edits"] += removed
    sums["unbooked"] += 0 if is_booked or is_gift_card else value - refunded - removed
    sums["net"] += int(line["net_minor_units"])


def _residual(
    order: Row, lines: Mapping[str, Sequence[Row]], credits: Mapping[str, Sequence[Row]]
) -> ResidualItem | None:
    key = order["order_id"]
    ledger = int(order["residual_minor_units"]) + sum(int(line["net_minor_units"]) for line in lines.get(key, ()))
    claimed = sum(int(part["amount_minor_units"]) for part in credits.get(key, ()))
    return None if ledger == claimed else ResidualItem(int(key), ledger, claimed, ledger - claimed)


def _credit_totals(parts: Sequence[Row]) -> list[CreditTotal]:
    sums: dict[tuple[str, str, str], list[int]] = {}
    for part in parts:
        total = sums.setdefault((part["currency"], part["credit_class"], part["book"]), [0, 0, 0])
        for place, number in enumerate((1, int(part["quantity"]), int(part["amount_minor_units"]))):
            total[place] += number
    return [
        CreditTotal(currency, credit_class, book or None, *numbers)
        for (currency, credit_class, book), numbers in sorted(sums.items())
    ]


def _overview(export: Export) -> dict[str, Any]:
    lines, orders = _by_order(export["order_lines"]), _known_orders(export)
    known = {order["order_id"] for order in orders}
    credits = _credit_totals([part for part in export["credits"] if part["order_id"] in known])
    builds = sorted(export["matrix_builds"], key=lambda row: int(row["version"]))
    totals = []
    for currency in sorted({order["currency"] for order in orders}, key=lambda code: (code != export.currency, code)):
        ledger = _ledger(currency, [order for order in orders if order["currency"] == currency], lines)
        by_class = {name: credited(credits, currency, name) for name in CREDIT_CLASSES}
        totals.append(
            {
                "currency": currency,
                "ledger_minor_units": ledger.ledger,
                "credited_minor_units": by_class["direct"],
                "unattributed_minor_units": by_class["unattributed"],
                "residual_minor_units": ledger.ledger - sum(by_class.values()),
            }
        )
    first: dict[str, Any] = totals[0] if totals else {"currency": None}
    return {
        "products": sum(row["is_deleted"] == "0" for row in export["products"]),
        "orders_ingested": len(orders),
        "pairs_learned": int(builds[-1]["pair_count"]) if builds else 0,
        "live_offers": sum(row["state"] == "live" for row in export["offers"]),
        "currency": first["currency"],
        "ledger_minor_units": first.get("ledger_minor_units", 0),
        "credited_minor_units": first.get("credited_minor_units", 0),
        "residual_minor_units": first.get("residual_minor_units", 0),
        "totals": totals,
    }


def _postings(rows: Sequence[Row]) -> list[dict[str, Any]]:
    sums = Counter[tuple[str, ...]]()
    for row in rows:
        sums[row["currency"], row["credit_class"], row["book"], row["channel"]] += int(row["amount_minor_units"])
    names = ("currency", "credit_class", "book", "channel")
    return [dict(zip(names, key, strict=True)) | {"amount_minor_units": sums[key]} for key in sorted(sums)]


def _known_orders(export: Export) -> list[Row]:
    """Orders that Shopify described; of others only the deletion is known, and they have no currency."""
    return [order for order in export["orders"] if order["currency"]]


def _by_order(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["order_id"], []).append(row)
    return found


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def main(words: Sequence[str]) -> int:
    """Print what an export's files add up to. Exit code 1 if a statement does not add up."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m shopify_upsell.reports.rebuild DIR\n")
        return 2
    csv.field_size_limit(sys.maxsize)
    document = rebuild(read_export(Path(words[0])))
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 1 if any(found["residual_minor_units"] for found in document["statements"]) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
