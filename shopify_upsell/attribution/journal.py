"""Write the journal of credits: postings are added and never changed, and their sums equal the credits.

A posting is dated twice: with its order (`ordered_at`, the restated view) and with the fact that caused it
(`occurred_at`, the journal's view). Reports must say which of the two they show.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.credit import CREDIT_CLASSES
from shopify_upsell.attribution.postings import Account, Balance, deltas
from shopify_upsell.attribution.tables import CreditPostingRow, PostedFactsRow
from shopify_upsell.core import InvalidInput, OrderId, ShopId, aware, canonical_json, digest_of, parse_time
from shopify_upsell.ledger.tables import OrderEditRow, OrderRow, RefundRow, batches, put_rows

ORDER_TIME, EVENT_TIME = "ordered_at", "occurred_at"

_ACCOUNT = (
    CreditPostingRow.line_id,
    CreditPostingRow.credit_class,
    CreditPostingRow.book,
    CreditPostingRow.offer_id,
    CreditPostingRow.decision_id,
    CreditPostingRow.placement,
    CreditPostingRow.model,
    CreditPostingRow.model_version,
    CreditPostingRow.channel,
    CreditPostingRow.currency,
)

Facts = dict[str, str]
"""When each fact about an order happened, ISO 8601, by the fact's name: `order`, `refund:71`, `edit:91`."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry of the journal. Units: `change` in pieces and minor units, either sign."""

    order_id: OrderId
    sequence: int
    part: int
    account: Account
    change: Balance
    source_key: str
    facts_digest: str
    ordered_at: datetime
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class PostingTotal:
    """Sum of postings of one class, book and channel in one currency. Units: pieces, minor units."""

    currency: str
    credit_class: str
    book: str | None
    channel: str | None
    quantity: int
    amount: int


def post_balances(session: Session, shop_id: ShopId, wanted: Mapping[OrderId, Mapping[Account, Balance]]) -> int:
    """Add what is missing for each order's accounts to hold `wanted`. Returns how many entries were added.

    Whoever calls holds the orders, so of two settlements the later sees what the earlier posted.
    """
    held = balances_of_orders(session, shop_id, wanted.keys())
    changes = {order_id: deltas(balances, held.get(order_id, {})) for order_id, balances in wanted.items()}
    changed = sorted(order_id for order_id, entries in changes.items() if entries)
    if not changed:
        return 0
    facts, posted = _facts(session, shop_id, changed), _posted(session, shop_id, changed)
    fresh = {order_id: _news(facts[order_id], posted.get(order_id, (0, {}))[1]) for order_id in changed}
    latest = max((moment for news in fresh.values() for moment in news.values()), default=None)
    ordered = _ordered_at(session, shop_id, changed)
    entries: list[dict[str, Any]] = []
    for order_id in changed:
        dated = {
            "ordered_at": ordered[order_id],
            "occurred_at": parse_time(max(fresh[order_id].values(), default=latest or max(facts[order_id].values()))),
        }
        about = {
            "source_key": ",".join(sorted(fresh[order_id])) or "claims",
            "facts_digest": digest_of(facts[order_id]),
        }
        sequence = posted.get(order_id, (0, {}))[0] + 1
        for part, (account, change) in enumerate(changes[order_id], start=1):
            key = {"shop_id": shop_id, "order_id": order_id, "sequence": sequence, "part": part}
            entries.append(key | asdict(account) | _values(change) | about | dated)
    put_rows(session, shop_id, CreditPostingRow, entries)
    _remember(session, shop_id, {key: (posted.get(key, (0, {}))[0] + 1, facts[key]) for key in changed})
    return len(entries)


def balances_of_orders(
    session: Session, shop_id: ShopId, order_ids: Collection[OrderId]
) -> dict[OrderId, dict[Account, Balance]]:
    """What the postings of some orders add up to, account by account; accounts that came to nothing are left out."""
    found: dict[OrderId, dict[Account, Balance]] = {}
    sums = (
        func.sum(CreditPostingRow.quantity),
        func.sum(CreditPostingRow.amount_minor_units),
        func.sum(CreditPostingRow.presentment_minor_units),
    )
    for batch in batches(sorted(set(order_ids))):
        rows = (
            select(CreditPostingRow.order_id, *_ACCOUNT, *sums)
            .where(CreditPostingRow.shop_id == shop_id, CreditPostingRow.order_id.in_(batch))
            .group_by(CreditPostingRow.order_id, *_ACCOUNT)
        )
        for row in session.execute(rows):
            *names, quantity, amount, shown = row[1:]
            balance = Balance(int(quantity), int(amount), None if shown is None else int(shown))
            if not balance.is_zero:
                found.setdefault(OrderId(row[0]), {})[Account(*names)] = balance
    return found


def postings_of_order(session: Session, shop_id: ShopId, order_id: OrderId) -> list[Posting]:
    """The journal of one order, in the order it was written."""
    rows = (
        select(CreditPostingRow.__table__)
        .where(CreditPostingRow.shop_id == shop_id, CreditPostingRow.order_id == order_id)
        .order_by(CreditPostingRow.sequence, CreditPostingRow.part)
    )
    return [
        Posting(
            order_id=OrderId(row.order_id),
            sequence=row.sequence,
            part=row.part,
            account=Account(*(getattr(row, column.key) for column in _ACCOUNT)),
            change=Balance(row.quantity, row.amount_minor_units, row.presentment_minor_units),
            source_key=row.source_key,
            facts_digest=row.facts_digest,
            ordered_at=row.ordered_at,
            occurred_at=row.occurred_at,
        )
        for row in session.execute(rows)
    ]


def posting_totals(
    session: Session,
    shop_id: ShopId,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    dated: str = ORDER_TIME,
) -> list[PostingTotal]:
    """Sums of postings by class, book and channel, dated `ordered_at` (restated) or `occurred_at` (as it happened).

    Raises: InvalidInput for another way of dating.
    """
    if dated not in (ORDER_TIME, EVENT_TIME):
        raise InvalidInput("postings are dated ordered_at or occurred_at")
    # An order's own date may be corrected after it was posted, so the restated view asks the order.
    moment = OrderRow.ordered_at if dated == ORDER_TIME else CreditPostingRow.occurred_at
    same = (OrderRow.shop_id == CreditPostingRow.shop_id) & (OrderRow.order_id == CreditPostingRow.order_id)
    conditions: list[Any] = [CreditPostingRow.shop_id == shop_id]
    conditions += [moment >= since] if since is not None else []
    conditions += [moment < until] if until is not None else []
    group = (
        CreditPostingRow.currency, CreditPostingRow.credit_class, CreditPostingRow.book, CreditPostingRow.channel,
    )  # fmt: skip
    sums = (func.sum(CreditPostingRow.quantity), func.sum(CreditPostingRow.amount_minor_units))
    rows = session.execute(select(*group, *sums).join(OrderRow, same).where(*conditions).group_by(*group))
    totals = [PostingTotal(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows]
    places = {name: index for index, name in enumerate(CREDIT_CLASSES)}
    return sorted(totals, key=lambda it: (it.currency, places[it.credit_class], it.book or "", it.channel or ""))


def orders_without_postings(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> set[OrderId]:
    """Those of the orders that were never posted: settled before there was a journal, or never worth anything."""
    return set(order_ids) - _posted(session, shop_id, order_ids).keys()


def _values(change: Balance) -> dict[str, Any]:
    return {
        "quantity": change.quantity,
        "amount_minor_units": change.amount,
        "presentment_minor_units": change.presentment,
    }


def _news(facts: Facts, before: Facts) -> Facts:
    return {name: moment for name, moment in facts.items() if before.get(name) != moment}


def _facts(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, Facts]:
    found: dict[OrderId, Facts] = {order_id: {} for order_id in order_ids}
    named = (
        (OrderRow, OrderRow.version_at, None),
        (RefundRow, RefundRow.refunded_at, RefundRow.refund_id),
        (OrderEditRow, OrderEditRow.committed_at, OrderEditRow.edit_id),
    )
    for table, moment, number in named:
        kind = {OrderRow: "order", RefundRow: "refund", OrderEditRow: "edit"}[table]
        for batch in batches(sorted(set(order_ids))):
            columns = (table.order_id, moment, *(() if number is None else (number,)))
            rows = select(*columns).where(table.shop_id == shop_id, table.order_id.in_(batch))
            for row in session.execute(rows):
                name = kind if number is None else f"{kind}:{row[2]}"
                found[OrderId(row[0])][name] = aware(row[1]).isoformat()
    return found


def _posted(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, tuple[int, Facts]]:
    found: dict[OrderId, tuple[int, Facts]] = {}
    for batch in batches(sorted(set(order_ids))):
        rows = select(PostedFactsRow.__table__).where(
            PostedFactsRow.shop_id == shop_id, PostedFactsRow.order_id.in_(batch)
        )
        for row in session.execute(rows):
            found[OrderId(row.order_id)] = (row.sequence, json.loads(row.facts))
    return found


def _remember(session: Session, shop_id: ShopId, posted: Mapping[OrderId, tuple[int, Facts]]) -> None:
    rows = [
        {"shop_id": shop_id, "order_id": order_id, "sequence": sequence, "facts": canonical_json(facts)}
        for order_id, (sequence, facts) in sorted(posted.items())
    ]
    put_rows(session, shop_id, PostedFactsRow, rows)


def _ordered_at(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> dict[OrderId, datetime]:
    found: dict[OrderId, datetime] = {}
    for batch in batches(sorted(set(order_ids))):
        rows = select(OrderRow.order_id, OrderRow.ordered_at).where(
            OrderRow.shop_id == shop_id, OrderRow.order_id.in_(batch)
        )
        found.update({OrderId(row.order_id): row.ordered_at for row in session.execute(rows)})
    return found
