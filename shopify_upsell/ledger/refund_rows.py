"""Between refunds and the columns they are kept in, as `rows` for orders. Pure."""

from collections.abc import Sequence
from typing import Any

from shopify_upsell.core import ShopId
from shopify_upsell.ledger.facts import RefundFact, RefundLineFact, RefundPresentment
from shopify_upsell.ledger.rows import Row


def refund_rows(shop_id: ShopId, refund: RefundFact) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Lay out a refund and its lines as rows."""
    shown = refund.presentment
    about: dict[str, Any] = {"shop_id": shop_id, "refund_id": refund.refund_id}
    row = about | {
        "order_id": refund.order_id,
        "refunded_at": refund.refunded_at,
        "currency": refund.currency,
        "discrepancy": refund.discrepancy,
        "presentment_currency": shown.currency if shown else None,
        "presentment_discrepancy": shown.discrepancy if shown else None,
        "content_digest": refund.digest,
    }
    lines = [
        about
        | {
            "line_id": line.line_id,
            "quantity": line.quantity,
            "subtotal": line.subtotal,
            "tax": line.tax,
            "presentment_subtotal": shown.lines[place].subtotal if shown else None,
            "presentment_tax": shown.lines[place].tax if shown else None,
        }
        for place, line in enumerate(refund.lines)
    ]
    return row, lines


def refund_fact(row: Row, lines: Sequence[Row]) -> RefundFact:
    """Read a refund back from its rows. Shape: `lines` by line id."""
    currency = row["presentment_currency"]
    shown = None
    if currency is not None:
        shown_lines = _lines(lines, "presentment_subtotal", "presentment_tax")
        shown = RefundPresentment(currency, row["presentment_discrepancy"], shown_lines)
    return RefundFact(
        refund_id=row["refund_id"],
        order_id=row["order_id"],
        refunded_at=row["refunded_at"],
        currency=row["currency"],
        discrepancy=row["discrepancy"],
        lines=_lines(lines, "subtotal", "tax"),
        presentment=shown,
    )


def _lines(rows: Sequence[Row], subtotal: str, tax: str) -> tuple[RefundLineFact, ...]:
    return tuple(RefundLineFact(row["line_id"], row["quantity"], row[subtotal], row[tax]) for row in rows)
