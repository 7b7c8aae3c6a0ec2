"""Queries of causes: touchpoints, signed changesets, credits. The tables are in `tables`."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import ASSISTED, CREDIT_CLASSES, DIRECT, Credit, CreditTotal
from shopify_upsell.attribution.tables import ChangesetRow, CreditRow, TouchpointRow, touch_from
from shopify_upsell.attribution.touches import TOUCHPOINT_KINDS, Touch
from shopify_upsell.core import (
    ConflictingRequest,
    DecisionId,
    NotFound,
    OfferId,
    OrderId,
    ProductId,
    ShopId,
    VariantId,
)
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, batches, ordered_within, put_rows

__all__ = ["CREDIT_CLASSES", "TOUCHPOINT_KINDS", "ChangesetRow", "CreditRow", "CreditTotal", "Touch", "TouchpointRow"]


@dataclass(frozen=True, slots=True)
class Changeset:
    """A post-purchase change that we signed: what to add, for which offer, to the purchase of which reference."""

    changeset_id: str
    reference_id: str
    decision_id: DecisionId
    offer_id: OfferId
    offer_kind: str
    variant_id: VariantId
    quantity: int
    signed_at: datetime
    order_id: OrderId | None = None


def add_touchpoint(session: Session, shop_id: ShopId, touch: Touch) -> bool:
    """Keep a touchpoint once. Returns False when it was known."""
    insert = dialect_insert(session)
    values = asdict(touch) | {"product_ids": json.dumps(touch.product_ids) if touch.product_ids else None}
    once = insert(TouchpointRow).values(shop_id=shop_id, **values).on_conflict_do_nothing()
    return session.execute(once.returning(TouchpointRow.touchpoint_id)).scalar_one_or_none() is not None


def touches_of(session: Session, shop_id: ShopId, decision_ids: Collection[DecisionId]) -> list[Touch]:
    """Everything done with the offers of some decisions, in time."""
    found: list[Touch] = []
    for batch in batches(sorted(set(decision_ids))):
        about = (TouchpointRow.shop_id == shop_id, TouchpointRow.decision_id.in_(batch))
        found += [touch_from(row) for row in session.execute(select(TouchpointRow.__table__).where(*about))]
    return sorted(found, key=lambda touch: (touch.occurred_at, touch.decision_id, touch.offer_id, touch.kind))


def save_changeset(session: Session, shop_id: ShopId, changeset: Changeset) -> Changeset:
    """Keep a changeset; for the same reference and offer, return the one kept first, so that it is signed again alike.

    Raises: ConflictingRequest when the one kept first would change the order in another way.
    """
    insert = dialect_insert(session)
    session.execute(insert(ChangesetRow).values(shop_id=shop_id, **asdict(changeset)).on_conflict_do_nothing())
    kept = session.execute(
        select(ChangesetRow.__table__).where(
            ChangesetRow.shop_id == shop_id,
            ChangesetRow.reference_id == changeset.reference_id,
            ChangesetRow.offer_id == changeset.offer_id,
        )
    ).one_or_none()
    if kept is None:
        raise ConflictingRequest("this changeset id was used for another purchase")
    first = _changeset(kept)
    ours = replace(changeset, changeset_id=first.changeset_id, signed_at=first.signed_at, order_id=first.order_id)
    if ours != first:
        raise ConflictingRequest("this offer was accepted before, with other contents")
    return first


def find_changeset(session: Session, shop_id: ShopId, changeset_id: str) -> Changeset | None:
    """The changeset with this id; None when we signed no such thing for this shop."""
    row = session.execute(
        select(ChangesetRow.__table__).where(ChangesetRow.shop_id == shop_id, ChangesetRow.changeset_id == changeset_id)
    ).one_or_none()
    return None if row is None else _changeset(row)


def confirm_changeset(session: Session, shop_id: ShopId, order_id: OrderId, changeset_id: str) -> bool:
    """Tie a changeset to the order that Shopify says carries it. Returns False when that was known.

    Raises: NotFound for a changeset we did not sign, ConflictingRequest when it belongs to another order.
    """
    changeset = find_changeset(session, shop_id, changeset_id)
    if changeset is None:
        raise NotFound("no such changeset")
    if changeset.order_id not in (None, order_id):
        raise ConflictingRequest("the changeset belongs to another order")
    ours = update(ChangesetRow).where(ChangesetRow.shop_id == shop_id, ChangesetRow.changeset_id == changeset_id)
    session.execute(ours.values(order_id=order_id).execution_options(synchronize_session=False))
    return changeset.order_id is None


def has_untied_changeset(session: Session, shop_id: ShopId, *, since: datetime) -> bool:
    """Tell whether a changeset signed since then belongs to no order yet."""
    waiting = (ChangesetRow.shop_id == shop_id, ChangesetRow.order_id.is_(None), ChangesetRow.signed_at >= since)
    return session.scalar(select(ChangesetRow.changeset_id).where(*waiting).limit(1)) is not None


def changesets_of_order(
    session: Session, shop_id: ShopId, order_id: OrderId, checkout_token: str | None
) -> list[Changeset]:
    """Changesets tied to the order, or signed for its checkout and tied to none, the earliest signed first.

    A reference is observed to be the checkout's token; Shopify does not document it, so a tie by metafield counts more.
    """
    tied = ChangesetRow.order_id == order_id
    if checkout_token is not None:
        tied = or_(tied, (ChangesetRow.reference_id == checkout_token) & ChangesetRow.order_id.is_(None))
    rows = session.execute(
        select(ChangesetRow.__table__)
        .where(ChangesetRow.shop_id == shop_id, tied)
        .order_by(ChangesetRow.signed_at, ChangesetRow.changeset_id)
    )
    return [_changeset(row) for row in rows]


def credits_of_order(session: Session, shop_id: ShopId, order_id: OrderId) -> list[Credit]:
    """The credits of an order by line and class, the residual first."""
    return credits_of_orders(session, shop_id, [order_id]).get(order_id, [])


def credits_of_orders(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, list[Credit]]:
    """Credits by order. Orders without any are absent."""
    found: dict[OrderId, list[Credit]] = {}
    for batch in batches(sorted(set(order_ids))):
        rows = select(CreditRow.__table__).where(CreditRow.shop_id == shop_id, CreditRow.order_id.in_(batch))
        for row in session.execute(rows.order_by(CreditRow.line_id, CreditRow.credit_class)):
            found.setdefault(OrderId(row.order_id), []).append(_credit(row))
    return found


def replace_credits(session: Session, shop_id: ShopId, credits: Mapping[OrderId, Sequence[Credit]]) -> list[OrderId]:
    """Put credits in the place of those held. Returns the orders whose credits differed; nothing else is written."""
    wanted = {key: sorted(parts, key=lambda it: (it.line_id, it.credit_class)) for key, parts in credits.items()}
    held = credits_of_orders(session, shop_id, credits.keys())
    changed = sorted(order_id for order_id, parts in wanted.items() if parts != held.get(order_id, []))
    for orders in batches(changed):
        session.execute(delete(CreditRow).where(CreditRow.shop_id == shop_id, CreditRow.order_id.in_(orders)))
    rows = [_credit_values(shop_id, order_id, credit) for order_id in changed for credit in wanted[order_id]]
    put_rows(session, shop_id, CreditRow, rows)
    return changed


def credit_totals(
    session: Session, shop_id: ShopId, *, since: datetime | None = None, until: datetime | None = None
) -> list[CreditTotal]:
    """Sums over orders placed from `since` to before `until`, by currency, class and book."""
    same = (OrderRow.shop_id == CreditRow.shop_id) & (OrderRow.order_id == CreditRow.order_id)
    group = (CreditRow.currency, CreditRow.credit_class, CreditRow.book)
    sums = (func.count(), func.sum(CreditRow.quantity), func.sum(CreditRow.amount_minor_units))
    rows = session.execute(
        select(*group, *sums)
        .join(OrderRow, same)
        .where(CreditRow.shop_id == shop_id, *ordered_within(shop_id, since, until))
        .group_by(*group)
    )
    totals = [CreditTotal(row[0], row[1], row[2], int(row[3]), int(row[4]), int(row[5])) for row in rows]
    return sorted(totals, key=lambda total: (total.currency, total.credit_class, total.book or ""))


def cards_shown(
    session: Session, shop_id: ShopId, *, since: datetime, until: datetime
) -> dict[tuple[OfferId, ProductId], int]:
    """Decisions whose card of an offer became visible from `since` to before `until`, by offer and the product added.

    Of several products the last is the one that a card is counted by. Touches that name none are left out.
    """
    row = TouchpointRow
    rows = (
        select(row.offer_id, row.product_ids, func.count(row.decision_id.distinct()))
        .where(row.shop_id == shop_id, row.kind == "impression", row.occurred_at >= since, row.occurred_at < until)
        .where(row.product_ids.is_not(None))
        .group_by(row.offer_id, row.product_ids)
    )
    found: dict[tuple[OfferId, ProductId], int] = {}
    for offer_id, product_ids, count in session.execute(rows):
        card = (OfferId(offer_id), ProductId(json.loads(product_ids or "[0]")[-1]))
        found[card] = found.get(card, 0) + count
    return found


def cards_taken(
    session: Session, shop_id: ShopId, *, since: datetime, until: datetime
) -> dict[tuple[OfferId, ProductId], int]:
    """Decisions that orders from `since` to before `until` are credited to, directly or assisted, by offer and product.

    What was given back altogether was not taken.
    """
    credit, line = CreditRow, OrderLineRow
    same_order = (OrderRow.shop_id == credit.shop_id) & (OrderRow.order_id == credit.order_id)
    same_line = (line.shop_id == credit.shop_id) & (line.order_id == credit.order_id) & (line.line_id == credit.line_id)
    rows = (
        select(credit.offer_id, line.product_id, func.count(credit.decision_id.distinct()))
        .join(OrderRow, same_order)
        .join(line, same_line)
        .where(credit.shop_id == shop_id, *ordered_within(shop_id, since, until))
        .where(credit.credit_class.in_((DIRECT, ASSISTED)), credit.quantity > 0, line.net_quantity > 0)
        .where(credit.offer_id.is_not(None), line.product_id.is_not(None))
        .group_by(credit.offer_id, line.product_id)
    )
    return {(OfferId(row[0] or 0), ProductId(row[1] or 0)): row[2] for row in session.execute(rows)}


def _changeset(row: Row[Any]) -> Changeset:
    return Changeset(
        changeset_id=row.changeset_id,
        reference_id=row.reference_id,
        decision_id=row.decision_id,
        offer_id=row.offer_id,
        offer_kind=row.offer_kind,
        variant_id=row.variant_id,
        quantity=row.quantity,
        signed_at=row.signed_at,
        order_id=row.order_id,
    )


def _credit(row: Row[Any]) -> Credit:
    return Credit(
        line_id=row.line_id,
        credit_class=row.credit_class,
        quantity=row.quantity,
        amount=row.amount_minor_units,
        currency=row.currency,
        offer_id=row.offer_id,
        decision_id=row.decision_id,
        book=row.book,
        placement=row.placement,
        reason=row.reason,
    )


def _credit_values(shop_id: ShopId, order_id: OrderId, credit: Credit) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "order_id": order_id,
        "line_id": credit.line_id,
        "credit_class": credit.credit_class,
        "offer_id": credit.offer_id,
        "decision_id": credit.decision_id,
        "book": credit.book,
        "placement": credit.placement,
        "quantity": credit.quantity,
        "amount_minor_units": credit.amount,
        "currency": credit.currency,
        "reason": credit.reason,
    }
