"""Record facts of orders: merge them with what is held, value the orders again, write only what differs.

Every delivery ends here, whether it came by webhook, import or reconciliation. What is held afterwards depends on
the set of facts recorded and not on their order, number or pace: an order's newest version wins, a deletion stays,
refunds and edits are kept by id whether or not their order is known yet.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shopify_upsell.core import LineId, OrderId, ShopId
from shopify_upsell.ledger.facts import EditFact, OrderFact, RefundFact
from shopify_upsell.ledger.presentment import presentment_nets
from shopify_upsell.ledger.refund_rows import refund_fact, refund_rows
from shopify_upsell.ledger.revenue import book, unreadable_refunds
from shopify_upsell.ledger.rows import OrderRows, nameless_order, order_fact, order_rows
from shopify_upsell.ledger.store import redacted_customers
from shopify_upsell.ledger.tables import (
    OrderEditRow,
    OrderLineRow,
    OrderRow,
    RefundLineRow,
    RefundRow,
    batches,
    lock_orders,
    put_rows,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """Facts to record together."""

    orders: Sequence[OrderFact] = ()
    refunds: Sequence[RefundFact] = ()
    edits: Sequence[EditFact] = ()
    deleted: frozenset[OrderId] = frozenset()


def joined(told: Sequence[News]) -> News:
    """Everything that several news tell."""
    return News(
        orders=[order for news in told for order in news.orders],
        refunds=[refund for news in told for refund in news.refunds],
        edits=[edit for news in told for edit in news.edits],
        deleted=frozenset(order_id for news in told for order_id in news.deleted),
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording changed.

    `order_ids`: orders we know of which any fact is new. `moved`: orders with a new refund or edit, known or not.
    `lost_tokens`: offer tokens that left their line, which another order may now be credited for.
    """

    order_ids: tuple[OrderId, ...]
    moved: frozenset[OrderId]
    lost_tokens: frozenset[str]


def record(session: Session, shop_id: ShopId, news: News) -> Recorded:
    """Take in facts. Holds the orders concerned until the transaction ends."""
    refunds = [*news.refunds, *(refund for order in news.orders for refund in order.refunds)]
    order_ids = {
        *news.deleted,
        *(order.order_id for order in news.orders),
        *(refund.order_id for refund in refunds),
        *(edit.order_id for edit in news.edits),
    }
    lock_orders(session, shop_id, order_ids)
    moved = _save_refunds(session, shop_id, refunds) | _save_edits(session, shop_id, news.edits)
    return _rebook(session, shop_id, sorted(order_ids | moved), news, moved)


def rebook(session: Session, shop_id: ShopId, order_id: OrderId) -> bool:
    """Value an order again from what is held. Returns whether anything differed, which means it was wrong before."""
    lock_orders(session, shop_id, [order_id])
    return bool(_rebook(session, shop_id, [order_id], News(), set()).order_ids)


def _rebook(
    session: Session, shop_id: ShopId, order_ids: Sequence[OrderId], news: News, moved: set[OrderId]
) -> Recorded:
    changed: set[OrderId] = set()
    lost: set[str] = set()
    for batch in batches(order_ids):
        held = _held_orders(session, shop_id, batch)
        wanted = _wanted_orders(session, shop_id, batch, held, news)
        different = {order_id for order_id, rows in wanted.items() if rows != held.get(order_id)}
        _write(session, shop_id, held, {order_id: wanted[order_id] for order_id in different})
        changed |= different | (moved & wanted.keys())
        lost |= {token for order_id in different for token in _lost_tokens(held.get(order_id), wanted[order_id])}
    return Recorded(tuple(sorted(changed)), frozenset(moved), frozenset(lost))


def _wanted_orders(
    session: Session, shop_id: ShopId, order_ids: Sequence[OrderId], held: dict[OrderId, OrderRows], news: News
) -> dict[OrderId, OrderRows]:
    """The rows that the facts held and the news give together."""
    told: dict[OrderId, list[OrderFact]] = {}
    for order in news.orders:
        told.setdefault(order.order_id, []).append(order)
    facts: dict[OrderId, OrderFact] = {}
    for order_id in order_ids:
        known = [order_fact(held[order_id])] if order_id in held else []
        if versions := known + told.get(order_id, []):
            facts[order_id] = _merged(versions)
        elif order_id in news.deleted:
            facts[order_id] = nameless_order(order_id)
    forgotten = redacted_customers(session, shop_id, {f.customer_id for f in facts.values() if f.customer_id})
    refunds, edits = _held_refunds(session, shop_id, order_ids), _held_edits(session, shop_id, order_ids)
    wanted = {}
    for order_id, fact in facts.items():
        if fact.customer_id in forgotten:
            fact = replace(fact, customer_id=None)
        is_deleted = order_id in news.deleted or (order_id in held and held[order_id].is_deleted)
        _warn_of_unreadable(shop_id, fact, refunds.get(order_id, []))
        given_back, changes = refunds.get(order_id, []), edits.get(order_id, [])
        booking = book(fact, refunds=given_back, edits=changes, is_deleted=is_deleted)
        shown = presentment_nets(fact, booking, refunds=given_back, edits=changes)
        wanted[order_id] = order_rows(shop_id, fact, booking, is_deleted=is_deleted, presentment=shown)
    return wanted


def _merged(versions: list[OrderFact]) -> OrderFact:
    """The newest version, with the cart and checkout tokens that any version knew.

    Tokens never change, but not every source names them; the greater of two wins so that turn does not matter.
    """
    newest = max(versions, key=lambda fact: fact.version)
    return replace(
        newest,
        cart_token=max((fact.cart_token for fact in versions if fact.cart_token), default=None),
        checkout_token=max((fact.checkout_token for fact in versions if fact.checkout_token), default=None),
        refunds=(),
    )


def _held_orders(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderRows]:
    orders = select(OrderRow.__table__).where(OrderRow.shop_id == shop_id, OrderRow.order_id.in_(order_ids))
    held = {row["order_id"]: dict(row) for row in session.execute(orders).mappings()}
    lines: dict[int, dict[LineId, Any]] = {order_id: {} for order_id in held}
    if held:
        kept = select(OrderLineRow.__table__).where(OrderLineRow.shop_id == shop_id, OrderLineRow.order_id.in_(held))
        for row in session.execute(kept).mappings():
            lines[row["order_id"]][row["line_id"]] = dict(row)
    return {order_id: OrderRows(row, lines[order_id]) for order_id, row in held.items()}


def _write(session: Session, shop_id: ShopId, held: dict[OrderId, OrderRows], wanted: dict[OrderId, OrderRows]) -> None:
    put_rows(session, shop_id, OrderRow, [rows.order for rows in wanted.values()])
    lines = []
    for order_id, rows in wanted.items():
        before = held[order_id].lines if order_id in held else {}
        lines += [line for line_id, line in rows.lines.items() if line != before.get(line_id)]
        if gone := before.keys() - rows.lines.keys():
            session.execute(
                delete(OrderLineRow).where(
                    OrderLineRow.shop_id == shop_id, OrderLineRow.order_id == order_id, OrderLineRow.line_id.in_(gone)
                )
            )
    put_rows(session, shop_id, OrderLineRow, lines)


def _lost_tokens(held: OrderRows | None, wanted: OrderRows) -> set[str]:
    if held is None:
        return set()
    before = {line["offer_token"] for line in held.lines.values() if line["offer_token"]}
    return before - {line["offer_token"] for line in wanted.lines.values()}


def _save_refunds(session: Session, shop_id: ShopId, refunds: Iterable[RefundFact]) -> set[OrderId]:
    """Keep each refund once, the greater digest of two contents. Returns the orders concerned by what is new."""
    newest: dict[int, RefundFact] = {}
    for refund in refunds:
        if refund.refund_id not in newest or refund.digest > newest[refund.refund_id].digest:
            newest[refund.refund_id] = refund
    moved: set[OrderId] = set()
    for batch in batches(sorted(newest)):
        held = select(RefundRow.refund_id, RefundRow.order_id, RefundRow.content_digest).where(
            RefundRow.shop_id == shop_id, RefundRow.refund_id.in_(batch)
        )
        known = {row.refund_id: row for row in session.execute(held)}
        fresh = [newest[key] for key in batch if key not in known or newest[key].digest > known[key].content_digest]
        moved |= {refund.order_id for refund in fresh}
        moved |= {OrderId(known[refund.refund_id].order_id) for refund in fresh if refund.refund_id in known}
        _put_refunds(session, shop_id, fresh)
    return moved


def _put_refunds(session: Session, shop_id: ShopId, refunds: list[RefundFact]) -> None:
    if not refunds:
        return
    ids = [refund.refund_id for refund in refunds]
    session.execute(delete(RefundLineRow).where(RefundLineRow.shop_id == shop_id, RefundLineRow.refund_id.in_(ids)))
    rows = [refund_rows(shop_id, refund) for refund in refunds]
    put_rows(session, shop_id, RefundRow, [row for row, _ in rows])
    put_rows(session, shop_id, RefundLineRow, [line for _, lines in rows for line in lines])


def _save_edits(session: Session, shop_id: ShopId, edits: Iterable[EditFact]) -> set[OrderId]:
    moved: set[OrderId] = set()
    for edit in sorted(edits, key=lambda it: (it.edit_id, it.digest)):
        known = _read_edits(session, OrderEditRow.shop_id == shop_id, OrderEditRow.edit_id == edit.edit_id)
        if not edit.changes or any(edit.digest <= held.digest for held in known):
            continue
        session.execute(
            delete(OrderEditRow).where(OrderEditRow.shop_id == shop_id, OrderEditRow.edit_id == edit.edit_id)
        )
        about = {"shop_id": shop_id, "edit_id": edit.edit_id, "order_id": edit.order_id}
        rows = [
            {**about, "line_id": line_id, "delta": delta, "committed_at": edit.committed_at}
            for line_id, delta in edit.changes
        ]
        put_rows(session, shop_id, OrderEditRow, rows)
        moved |= {edit.order_id, *(held.order_id for held in known)}
    return moved


def _held_refunds(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> dict[OrderId, list[RefundFact]]:
    held = select(RefundRow.__table__).where(RefundRow.shop_id == shop_id, RefundRow.order_id.in_(order_ids))
    refunds = session.execute(held).mappings().all()
    lines: dict[int, list[Any]] = {}
    for batch in batches([row["refund_id"] for row in refunds]):
        kept = select(RefundLineRow.__table__).where(
            RefundLineRow.shop_id == shop_id, RefundLineRow.refund_id.in_(batch)
        )
        for line in session.execute(kept.order_by(RefundLineRow.line_id)).mappings():
            lines.setdefault(line["refund_id"], []).append(dict(line))
    found: dict[OrderId, list[RefundFact]] = {}
    for row in refunds:
        found.setdefault(row["order_id"], []).append(refund_fact(dict(row), lines.get(row["refund_id"], ())))
    return found


def _held_edits(session: Session, shop_id: ShopId, order_ids: Sequence[OrderId]) -> dict[OrderId, list[EditFact]]:
    found: dict[OrderId, list[EditFact]] = {}
    for edit in _read_edits(session, OrderEditRow.shop_id == shop_id, OrderEditRow.order_id.in_(order_ids)):
        found.setdefault(edit.order_id, []).append(edit)
    return found


def _read_edits(session: Session, *conditions: Any) -> list[EditFact]:
    rows = session.execute(
        select(OrderEditRow.__table__).where(*conditions).order_by(OrderEditRow.edit_id, OrderEditRow.line_id)
    )
    grouped: dict[int, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.edit_id, []).append(row)
    return [
        EditFact(key, parts[0].order_id, parts[0].committed_at, tuple((part.line_id, part.delta) for part in parts))
        for key, parts in grouped.items()
    ]


def _warn_of_unreadable(shop_id: ShopId, order: OrderFact, refunds: list[RefundFact]) -> None:
    for refund_id in unreadable_refunds(order, refunds) if order.currency else ():
        log.warning("refund_unreadable", extra={"shop_id": shop_id, "order_id": order.order_id, "refund_id": refund_id})
