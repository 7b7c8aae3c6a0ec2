"""Queries of lifecycle sends and of the merchant's switch."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Row, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, DecisionId, NotFound, OfferId, OrderId, ProductId, ShopId
from shopify_upsell.database import dialect_insert
from shopify_upsell.sends.learned import Tried
from shopify_upsell.sends.plan import Plan, Told
from shopify_upsell.sends.sent import (
    ANSWERED_WITHIN,
    HANDED_OVER,
    PLANNED,
    WAITING,
    Ending,
    PlannedSend,
)
from shopify_upsell.sends.tables import SendRow, SendSettingRow

REPEATED_FOR = timedelta(days=1)
"""How long what was handed over is told again to a caller who has not said what became of it. Afterwards it counts as
sent: most callers never say."""

KEPT_FOR = timedelta(days=400)
"""How long the log is learned from. Our choice: the last window ends after 270 days and a purchase counts for 14 more,
so no pair is planned twice for one order; and a year's seasons are seen once."""

FORGOTTEN_AT_ONCE = 2_000

_TABLE = SendRow.__table__


@dataclass(frozen=True, slots=True)
class SendSetting:
    """The merchant's switch. `source`: whose API key may fetch sends; None: only the shop's staff may."""

    is_on: bool = False
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a decision made of a send that was due. `due_at`: when it is looked at again."""

    send_id: int
    decision_id: DecisionId
    state: str
    due_at: datetime
    reason: str | None = None
    offer_id: OfferId | None = None
    offered_product_id: ProductId | None = None
    pitched_at: datetime | None = None
    ended_at: datetime | None = None


def setting_of(session: Session, shop_id: ShopId) -> SendSetting:
    """The merchant's switch; off where they never touched it."""
    row = session.execute(select(SendSettingRow.__table__).where(SendSettingRow.shop_id == shop_id)).one_or_none()
    return SendSetting() if row is None else SendSetting(row.is_on, row.source)


def save_setting(session: Session, shop_id: ShopId, setting: SendSetting, *, now: datetime) -> None:
    """Keep the merchant's switch."""
    values = asdict(setting) | {"updated_at": now}
    insert = dialect_insert(session)(SendSettingRow).values(shop_id=shop_id, **values)
    session.execute(insert.on_conflict_do_update(index_elements=["shop_id"], set_=values))


def add_plans(session: Session, shop_id: ShopId, plans: Sequence[Plan], *, now: datetime) -> int:
    """Keep plans. A customer who has an open send by now keeps that one. Returns how many are new."""
    count = 0
    for plan in plans:
        values = asdict(plan) | {"eligible": ",".join(map(str, plan.eligible)), "send_window": plan.window}
        del values["window"]
        row = dialect_insert(session)(_TABLE).values(
            shop_id=shop_id, planned_at=now, state=PLANNED, is_holdout=False, **values
        )
        once = row.on_conflict_do_nothing(
            index_elements=["shop_id", "customer_id"], index_where=SendRow.ended_at.is_(None)
        )
        count += _changed(session, once)
    return count


def open_sends(session: Session, shop_id: ShopId, *, after: CustomerId, limit: int) -> list[PlannedSend]:
    """Sends that have not ended, by customer: some after the one named."""
    mine = (_TABLE.c.shop_id == shop_id, _TABLE.c.customer_id > after, _TABLE.c.ended_at.is_(None))
    return _sends(session, select(_TABLE).where(*mine).order_by(_TABLE.c.customer_id).limit(limit))


def end_sends(session: Session, shop_id: ShopId, endings: Sequence[Ending], *, now: datetime) -> int:
    """Close sends that are still open. Returns how many were."""
    count = 0
    for one in endings:
        values = {"state": one.state, "bought_at": one.bought_at, "ended_at": now}
        values |= {"reason": one.reason} if one.reason is not None else {}
        is_open = (SendRow.shop_id == shop_id, SendRow.send_id == one.send_id, SendRow.ended_at.is_(None))
        count += _changed(session, update(SendRow).where(*is_open).values(**values))
    return count


def told_of(session: Session, shop_id: ShopId, customer_ids: Sequence[CustomerId]) -> dict[CustomerId, set[Told]]:
    """What each customer was ever planned to hear of."""
    columns = (_TABLE.c.customer_id, _TABLE.c.anchor_order_id, _TABLE.c.anchor_product_id)
    rows = select(*columns, _TABLE.c.companion_product_id, _TABLE.c.offered_product_id).where(
        _TABLE.c.shop_id == shop_id, _TABLE.c.customer_id.in_(customer_ids)
    )
    found: dict[CustomerId, set[Told]] = {}
    for customer, order, anchor, planned, offered in session.execute(rows):
        for product in (planned, offered):
            if product is not None:
                told: Told = (OrderId(order), ProductId(anchor), ProductId(product))
                found.setdefault(CustomerId(customer), set()).add(told)
    return found


def tried_counts(session: Session, shop_id: ShopId, *, now: datetime) -> list[Tried]:
    """Count sends that were handed over or withheld and whose fourteen days are over, and how many led to a purchase.

    One that the mail tool could not send is no pitch and is left out.
    """
    row = _TABLE.c
    by = (row.anchor_product_id, row.offered_product_id, row.relation, row.send_window, row.is_holdout)
    pitched = (row.shop_id == shop_id, row.pitched_at <= now - ANSWERED_WITHIN, row.state != "failed")
    bought = func.sum(case((row.bought_at.is_not(None), 1), else_=0))
    rows = select(*by, func.count(), bought).where(*pitched, row.offered_product_id.is_not(None)).group_by(*by)
    return [
        Tried((ProductId(anchor), ProductId(offered)), relation, window, is_holdout, int(tried), int(n))
        for anchor, offered, relation, window, is_holdout, tried, n in session.execute(rows)
    ]


def claim_due(
    session: Session, shop_id: ShopId, new_id: Callable[[], DecisionId], *, after: int, limit: int, now: datetime
) -> list[PlannedSend]:
    """Sends that are due, or were handed over lately and not answered for; some after the one named, by number.

    Each that waits is given the id its decision will have. Whoever asks again before that is made finds the same id, so
    one send is decided and charged once, whoever dies in between.
    """
    row = _TABLE.c
    waits = and_(row.state.in_(WAITING), row.due_at <= now, row.closes_at > now)
    unanswered = and_(row.state == HANDED_OVER, row.sent_at.is_(None), row.pitched_at > now - REPEATED_FOR)
    is_open = (row.shop_id == shop_id, row.send_id > after, row.ended_at.is_(None), or_(waits, unanswered))
    wanted = select(_TABLE).where(*is_open).order_by(row.send_id).limit(limit).with_for_update()
    found = session.execute(wanted).all()
    for one in found:
        is_claimed = one.claimed_at is not None and one.claimed_at > now - REPEATED_FOR
        if one.state in WAITING and not is_claimed:
            claim = {"decision_id": new_id(), "claimed_at": now}
            session.execute(
                update(SendRow).where(SendRow.shop_id == shop_id, SendRow.send_id == one.send_id).values(**claim)
            )
    numbers = [one.send_id for one in found]
    return _sends(session, select(_TABLE).where(row.shop_id == shop_id, row.send_id.in_(numbers)).order_by(row.send_id))


def put_verdicts(session: Session, shop_id: ShopId, verdicts: Sequence[Verdict]) -> None:
    """Write what decisions made of sends, unless somebody else has written it already."""
    for one in verdicts:
        values = asdict(one) | {"claimed_at": None}
        del values["send_id"], values["decision_id"]
        is_holdout = {"is_holdout": True} if one.state == "withheld" else {}
        mine = (SendRow.shop_id == shop_id, SendRow.send_id == one.send_id, SendRow.decision_id == one.decision_id)
        unwritten = (SendRow.state.in_((*WAITING, HANDED_OVER)), SendRow.ended_at.is_(None))
        session.execute(update(SendRow).where(*mine, *unwritten).values(**values, **is_holdout))


def read_send(session: Session, shop_id: ShopId, send_id: int) -> PlannedSend:
    """One send, held until the transaction ends. Raises: NotFound."""
    wanted = select(_TABLE).where(_TABLE.c.shop_id == shop_id, _TABLE.c.send_id == send_id).with_for_update()
    found = _sends(session, wanted)
    if not found:
        raise NotFound("no such send")
    return found[0]


def note_sent(session: Session, shop_id: ShopId, send_id: int, *, now: datetime) -> None:
    """The mail went out; it is handed over no more."""
    mine = (SendRow.shop_id == shop_id, SendRow.send_id == send_id)
    session.execute(update(SendRow).where(*mine, SendRow.sent_at.is_(None)).values(sent_at=now))


def sends_of(session: Session, shop_id: ShopId, customer_id: CustomerId) -> list[PlannedSend]:
    """Every send of a customer, the oldest first."""
    mine = (_TABLE.c.shop_id == shop_id, _TABLE.c.customer_id == customer_id)
    return _sends(session, select(_TABLE).where(*mine).order_by(_TABLE.c.send_id))


def erase_sends(session: Session, shop_id: ShopId, customer_id: CustomerId) -> int:
    """Forget a customer's sends; how many there were."""
    return _changed(session, delete(SendRow).where(SendRow.shop_id == shop_id, SendRow.customer_id == customer_id))


def forget_old_sends(session: Session, shop_id: ShopId, *, now: datetime) -> int:
    """Delete some of the sends that are over and that nothing learns from any more; how many there were."""
    old = (_TABLE.c.shop_id == shop_id, _TABLE.c.ended_at < now - KEPT_FOR)
    numbers = session.scalars(select(_TABLE.c.send_id).where(*old).limit(FORGOTTEN_AT_ONCE)).all()
    if not numbers:
        return 0
    return _changed(session, delete(SendRow).where(SendRow.shop_id == shop_id, SendRow.send_id.in_(numbers)))


def count_states(session: Session, shop_id: ShopId) -> dict[str, int]:
    """Sends in the log, by state."""
    rows = select(_TABLE.c.state, func.count()).where(_TABLE.c.shop_id == shop_id).group_by(_TABLE.c.state)
    return {state: int(count) for state, count in session.execute(rows)}


_FIELDS = tuple(name for name in PlannedSend.__dataclass_fields__ if name not in ("eligible", "window"))


def _sends(session: Session, wanted: Any) -> list[PlannedSend]:
    return [_send(row) for row in session.execute(wanted)]


def _send(row: Row[Any]) -> PlannedSend:
    windows = tuple(int(part) for part in row.eligible.split(","))
    return PlannedSend(eligible=windows, window=row.send_window, **{name: getattr(row, name) for name in _FIELDS})


def _changed(session: Session, statement: Any) -> int:
    return cast(CursorResult[Any], session.execute(statement)).rowcount
