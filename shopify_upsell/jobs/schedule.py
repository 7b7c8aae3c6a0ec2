"""Recurring work: one row a shop and name. Any number of clocks may tick; each slot is enqueued once."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.store import ScheduleRow

SLOTS_A_TICK = 100

RETENTION = "retain_events"
"""The recurring job that outlives an install: what a shop left behind must still age out."""


def set_schedule(session: Session, shop_id: ShopId, name: str, every: timedelta, first_at: datetime) -> None:
    """Have a job of that kind enqueued again and again; asking twice changes nothing but the interval."""
    row = session.get(ScheduleRow, (shop_id, name))
    if row is None:
        every_seconds = int(every.total_seconds())
        session.add(ScheduleRow(shop_id=shop_id, name=name, every_seconds=every_seconds, next_at=first_at))
    else:
        row.every_seconds = int(every.total_seconds())


def stop_schedule(session: Session, shop_id: ShopId, *, but: frozenset[str]) -> None:
    """Enqueue nothing more for the shop, but the jobs named."""
    session.execute(delete(ScheduleRow).where(ScheduleRow.shop_id == shop_id, ScheduleRow.name.not_in(but)))


def bring_forward(session: Session, shop_id: ShopId, name: str, to: datetime) -> None:
    """Let the next slot come no later than the moment; a slot that is due sooner stays."""
    session.execute(
        update(ScheduleRow)
        .where(ScheduleRow.shop_id == shop_id, ScheduleRow.name == name, ScheduleRow.next_at > to)
        .values(next_at=to)
    )


def tick(database: Database, now: datetime) -> int:
    """Enqueue every slot that is due, each once, however many clocks tick. Returns how many this clock won."""
    with database.read() as session:
        due = session.execute(
            select(ScheduleRow.shop_id, ScheduleRow.name, ScheduleRow.every_seconds, ScheduleRow.next_at)
            .where(ScheduleRow.next_at <= now)
            .order_by(ScheduleRow.next_at)
            .limit(SLOTS_A_TICK)
        ).all()
    won = 0
    for number, name, every_seconds, slot in due:
        shop_id, next_at = ShopId(number), now + timedelta(seconds=every_seconds)
        with database.write() as session:
            bind_shop(session, shop_id)
            if _take_slot(session, shop_id, name, slot, next_at):
                enqueue(session, shop_id, JobRequest(name, f"{name}@{slot.isoformat()}"), now)
                won += 1
    return won


def _take_slot(session: Session, shop_id: ShopId, name: str, slot: datetime, next_at: datetime) -> bool:
    taken = session.execute(
        update(ScheduleRow)
        .where(ScheduleRow.shop_id == shop_id, ScheduleRow.name == name, ScheduleRow.next_at == slot)
        .values(next_at=next_at)
    )
    return cast(CursorResult[Any], taken).rowcount == 1
