"""The open export: every row that reports are made of, a file a table, as CSV or as Parquet.

Ids, amounts and times; no names, no addresses, no tokens. People appear as digests that are the same in every file of
one shop, so that units of an experiment, their touches and their orders can be joined, and as nothing else.
`shopify_upsell.reports.rebuild` adds the files up again to every number that statements and the overview show.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Integer, Select, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import CreditPostingRow
from shopify_upsell.attribution.touches import channel_of
from shopify_upsell.core import ShopId
from shopify_upsell.database import Base, UtcDateTime
from shopify_upsell.ledger.tables import OrderRow
from shopify_upsell.matrix.tables import MatrixBuildRow
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.store import OfferRow
from shopify_upsell.reports.table_files import Column, Kind, require_parquet, write_parquet
from shopify_upsell.shops.store import get_shop

Plain = Callable[[Any], Any]

ROWS_AT_ONCE = 2_000

CSV, PARQUET = "csv", "parquet"
FORMS = (CSV, PARQUET)
"""What files may be written as. `rebuild` reads CSV; Parquet needs pyarrow."""

STATIONS = (CreditPostingRow, OrderRow, MatrixBuildRow, DecisionRow, OfferRow)
"""A row of each station whose tables leave: importing them is what makes the tables known by name."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file: a table, the columns that leave as they are, and those that are worked out of others.

    `derived`: column of the file -> (column of the table, how to say it). `people`: columns that become digests.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    derived: Mapping[str, tuple[str, Plain]] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)


def _offers_of(answer: str) -> str:
    """Offers that a decision showed or, in the holdout, withheld."""
    document = json.loads(answer)
    chosen = [*document.get("chosen", ()), *document.get("would_have_shown", ())]
    return ";".join(str(offer["offer_id"]) for offer in chosen)


FILES = (
    ExportFile(
        "decisions.csv",
        "decision",
        ("decision_id", "decided_at", "placement", "is_holdout", "offer_count", "engine_version"),
        derived={"offer_ids": ("answer", _offers_of)},
        people={"unit_digest": "unit"},
    ),
    ExportFile(
        "touchpoints.csv",
        "touchpoint",
        ("decision_id", "offer_id", "variant_id", "kind", "placement", "book", "product_ids", "occurred_at"),
        derived={"channel": ("placement", channel_of)},
        people={"unit_digest": "unit"},
    ),
    ExportFile(
        "orders.csv",
        "sales_order",
        (
            "order_id", "ordered_at", "cancelled_at", "is_deleted", "is_test", "is_booked", "financial_status",
            "currency", "presentment_currency", "residual_minor_units", "version_at",
        ),
        people={"customer_digest": "customer_id"},
    ),
    ExportFile(
        "order_lines.csv",
        "order_line",
        (
            "order_id", "line_id", "product_id", "variant_id", "quantity", "net_quantity", "unit_price_minor_units",
            "gross_minor_units", "discount_minor_units", "tax_minor_units", "refunded_minor_units",
            "removed_minor_units", "net_minor_units", "is_gift_card", "presentment_unit_price_minor_units",
            "presentment_discount_minor_units", "presentment_tax_minor_units", "presentment_net_minor_units",
        ),
    ),
    ExportFile(
        "credits.csv",
        "credit",
        (
            "order_id", "line_id", "credit_class", "book", "offer_id", "decision_id", "placement", "quantity",
            "amount_minor_units", "currency", "reason",
        ),
    ),
    ExportFile(
        "postings.csv",
        "credit_posting",
        (
            "order_id", "sequence", "part", "line_id", "credit_class", "book", "offer_id", "decision_id", "placement",
            "model", "model_version", "channel", "currency", "quantity", "amount_minor_units",
            "presentment_minor_units", "source_key", "facts_digest", "ordered_at", "occurred_at",
        ),
    ),
    ExportFile("offers.csv", "offer", ("offer_id", "kind", "state")),
    ExportFile("products.csv", "product", ("product_id", "is_deleted")),
    ExportFile("matrix_builds.csv", "matrix_build", ("version", "learned_at", "pair_count")),
    ExportFile("locked_statements.csv", "locked_statement", ("month", "currency", "locked_at", "digest", "document")),
)  # fmt: skip


def write_export(session: Session, shop_id: ShopId, folder: Path, *, form: str = CSV) -> dict[str, int]:
    """Write a shop's files into a folder, which is made if need be. Returns rows by file.

    One reading transaction sees one moment, so the files fit each other.

    Raises: InvalidInput for Parquet where pyarrow is not installed; then nothing is written.
    """
    if form == PARQUET:
        return write_parquet_export(session, shop_id, folder)
    folder.mkdir(parents=True, exist_ok=True)
    shop = get_shop(session, shop_id)
    _write(folder / "shop.csv", ["currency", "time_zone"], iter([[shop.currency or "", shop.time_zone or ""]]))
    return {"shop.csv": 1} | {
        file.name: _write(folder / file.name, _head(file), _rows(session, shop_id, file, shop.holdout_salt))
        for file in FILES
    }


def write_parquet_export(session: Session, shop_id: ShopId, folder: Path) -> dict[str, int]:
    """Write the same rows with their types: whole numbers, truths and moments instead of their text."""
    require_parquet()
    folder.mkdir(parents=True, exist_ok=True)
    shop = get_shop(session, shop_id)
    about = (Column("currency", "text"), Column("time_zone", "text"))
    counts = {"shop.parquet": write_parquet(folder / "shop.parquet", about, [(shop.currency, shop.time_zone)])}
    for file in FILES:
        name = f"{Path(file.name).stem}.parquet"
        rows = _typed_rows(session, shop_id, file, shop.holdout_salt)
        counts[name] = write_parquet(folder / name, _typed_head(file), rows)
    return counts


def _typed_head(file: ExportFile) -> list[Column]:
    table = Base.metadata.tables[file.table]
    plain = [Column(name, _kind(table.c[name])) for name in file.columns]
    return plain + [Column(name, "text") for name in (*file.derived, *file.people)]


def _kind(column: Any) -> Kind:
    kinds: tuple[tuple[type, Kind], ...] = ((UtcDateTime, "moment"), (Boolean, "truth"), (Integer, "integer"))
    return next((kind for type_, kind in kinds if isinstance(column.type, type_)), "text")


def _typed_rows(session: Session, shop_id: ShopId, file: ExportFile, salt: str) -> Iterator[list[Any]]:
    says: list[Plain] = [_as_it_is] * len(file.columns) + [_said(how) for _, how in file.derived.values()]
    says += [_digested(salt, source) for source in file.people.values()]
    for row in session.execute(_selected(shop_id, file).execution_options(yield_per=ROWS_AT_ONCE)):
        yield [say(value) for say, value in zip(says, row, strict=True)]


def _as_it_is(value: Any) -> Any:
    return value


def _head(file: ExportFile) -> list[str]:
    return [*file.columns, *file.derived, *file.people]


def _rows(session: Session, shop_id: ShopId, file: ExportFile, salt: str) -> Iterator[list[str]]:
    says = [_text] * len(file.columns) + [_said(how) for _, how in file.derived.values()]
    says += [_digested(salt, source) for source in file.people.values()]
    for row in session.execute(_selected(shop_id, file).execution_options(yield_per=ROWS_AT_ONCE)):
        yield [say(value) for say, value in zip(says, row, strict=True)]


def _selected(shop_id: ShopId, file: ExportFile) -> Select[Any]:
    table = Base.metadata.tables[file.table]
    wanted = [*file.columns, *(source for source, _ in file.derived.values()), *file.people.values()]
    rows = select(*(table.c[name].label(f"c{place}") for place, name in enumerate(wanted)))
    return rows.where(table.c.shop_id == shop_id).order_by(*table.primary_key.columns)


def _write(path: Path, head: list[str], rows: Iterator[list[str]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _said(how: Plain) -> Callable[[Any], str]:
    return lambda value: "" if value is None else _text(how(value))


def _digested(salt: str, source: str) -> Callable[[Any], str]:
    """Name a person by a digest: a customer alike whether an order or a unit names them."""

    def digest(value: Any) -> str:
        if value is None:
            return ""
        who = f"c:{value}" if source == "customer_id" else str(value)
        return hashlib.sha256(f"export\x1f{salt}\x1f{who}".encode()).hexdigest()[:32]

    return digest
