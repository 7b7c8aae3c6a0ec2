"""The courtesy budget as rows: one a shopper's name, changed by compare-and-swap, and one a shop with its rules.

A decision reads the states, decides, and writes the new state in the transaction that stores the decision. Whoever
was first has raised the version, so the other finds no row to change and decides again on what is true now. No lock
is held while deciding, on either database. A swap touches the best-known name's row only: states of other names are
read and never written, so any two decisions equal some order of the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, Table, Text, delete, func, literal_column, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import OfferId, ShopId
from shopify_upsell.customers.courtesy import (
    DEFAULT_CAPS,
    NOTHING_SHOWN,
    Caps,
    CourtesyState,
    check_caps,
    merged_state,
    read_caps,
    read_state,
    room,
    spend,
    write_caps,
    write_state,
)
from shopify_upsell.customers.throttle import ThrottleState, read_throttle, write_throttle
from shopify_upsell.database import Base, ExternalId, UtcDateTime, dialect_insert
from shopify_upsell.spelled import SpelledInsert

KEPT_FOR = timedelta(days=31)
"""How long a state is kept after the last card: the longest window and the hour that a window is rounded by."""

WHOLE_SHOP = OfferId(0)
"""Stands for the shop itself where a rule may be about one offer; our offer ids begin above 0."""

SHOP_SUBJECT = "s:"
"""The name under which cards of all shoppers are counted, for a shop that limits them."""


class CourtesyRow(Base):
    """Cards shown under one name. `state` as `courtesy.write_state` writes it; `version` counts its changes."""

    __tablename__ = "courtesy"
    __table_args__ = (Index("ix_courtesy_touched_at", "shop_id", "touched_at"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(Text)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CourtesyRuleRow(Base):
    """How much a shop asks: the merchant's caps (of `offer_id` 0 only) and the throttle of the shop or one offer."""

    __tablename__ = "courtesy_rule"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    offer_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    caps: Mapped[str] = mapped_column(Text, default="")
    throttle: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True)
class Courtesy:
    """What a decision needs of a shopper: `own` is the state that is charged, `merged` the one that is judged by."""

    own: CourtesyState
    merged: CourtesyState


@dataclass(frozen=True, slots=True)
class CourtesyRules:
    """What a shop asks of itself. Throttles by offer; `WHOLE_SHOP` for the shop."""

    caps: Caps
    throttles: Mapping[OfferId, ThrottleState]


@dataclass(frozen=True, slots=True)
class Swap:
    """One state to be replaced, if it is still the one that was read."""

    subject: str
    before: CourtesyState
    after: CourtesyState


def read_states(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> Courtesy:
    """Read what a shopper was shown under all their names, the best known first. Somebody without a name has no past.

    Such a shopper's cards can be counted by nobody; their surfaces keep a count in the browser session.
    """
    if not subjects:
        return Courtesy(NOTHING_SHOWN, NOTHING_SHOWN)
    rows = session.execute(
        select(CourtesyRow.subject, CourtesyRow.state, CourtesyRow.version).where(
            CourtesyRow.shop_id == shop_id, CourtesyRow.subject.in_(subjects)
        )
    )
    held = {row.subject: read_state(row.state, row.version) for row in rows}
    states = [held.get(subject, NOTHING_SHOWN) for subject in subjects]
    return Courtesy(states[0], merged_state(states))


TABLE = cast("Table", CourtesyRow.__table__)


def _if_unchanged(statement: Any) -> Any:
    """A state takes the place of the very one that it follows, or begins."""
    fresh = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["shop_id", "subject"],
        set_={"version": fresh.version, "state": fresh.state, "touched_at": fresh.touched_at},
        where=TABLE.c.version == fresh.version - literal_column("1"),
    )


SWAP = SpelledInsert(TABLE, _if_unchanged)
"""Runs for all cards that are shown."""


class SwapsCollided(Exception):
    """Of several swaps not all were made, and which is not known: the transaction must not be committed."""


def swap_state(session: Session, shop_id: ShopId, swap: Swap, *, now: datetime) -> bool:
    """Swap one state; tell whether it was made."""
    return SWAP.put(session, [_row(shop_id, swap, now)]) == 1


def swap_states(session: Session, shop_id: ShopId, swaps: Sequence[Swap], *, now: datetime) -> None:
    """Swap the states of different subjects together. Raises: SwapsCollided.

    In the order of their names, so that two transactions never wait for each other in a ring.
    """
    rows = [_row(shop_id, swap, now) for swap in sorted(swaps, key=lambda swap: swap.subject)]
    if SWAP.put(session, rows) < len(rows):
        raise SwapsCollided


def _row(shop_id: ShopId, swap: Swap, now: datetime) -> dict[str, Any]:
    state = {"version": swap.before.version + 1, "state": write_state(swap.after), "touched_at": now}
    return {"shop_id": shop_id, "subject": swap.subject, **state}


def take_from_shop(session: Session, shop_id: ShopId, card_count: int, caps: Caps, *, now: datetime) -> bool:
    """Take cards from what the shop may show to everybody in 24 hours. False, and nothing taken, when too few are left.

    The shop's row is held until the transaction ends, so decisions that show something follow each other: the price
    of a limit over all shoppers, paid only where a merchant set one.
    """
    if caps.shop_day is None:
        return True
    own = (CourtesyRow.shop_id == shop_id, CourtesyRow.subject == SHOP_SUBJECT)
    insert = dialect_insert(session)
    empty = {"version": 1, "state": write_state(NOTHING_SHOWN), "touched_at": now}
    first = insert(CourtesyRow).values(shop_id=shop_id, subject=SHOP_SUBJECT, **empty)
    session.execute(first.on_conflict_do_nothing(index_elements=["shop_id", "subject"]))
    row = session.execute(select(CourtesyRow.state, CourtesyRow.version).where(*own).with_for_update()).one()
    state = read_state(row.state, row.version)
    a_day = Caps(session=caps.shop_day, day=caps.shop_day, month=caps.shop_day)
    # Only the rolling day counts here: sessions and months of a whole shop mean nothing.
    today = replace(state, session_count=0, shown=_last_day(state, now))
    if room(today, a_day, now=now) < card_count:
        return False
    after = spend(today, [WHOLE_SHOP] * card_count, now=now)
    session.execute(
        update(CourtesyRow)
        .where(*own)
        .values(version=row.version + 1, state=write_state(after), touched_at=now)
        .execution_options(synchronize_session=False)
    )
    return True


def rules_of(session: Session, shop_id: ShopId) -> CourtesyRules:
    """The shop's caps and every throttle that was ever set, in one query."""
    rows = session.execute(
        select(CourtesyRuleRow.offer_id, CourtesyRuleRow.caps, CourtesyRuleRow.throttle)
        .where(CourtesyRuleRow.shop_id == shop_id)
        .order_by(CourtesyRuleRow.offer_id)
    ).all()
    caps = next((read_caps(row.caps) for row in rows if row.offer_id == WHOLE_SHOP), DEFAULT_CAPS)
    return CourtesyRules(caps, {OfferId(row.offer_id): read_throttle(row.throttle) for row in rows if row.throttle})


def save_caps(session: Session, shop_id: ShopId, caps: Caps) -> None:
    """Keep the merchant's caps; they hold from the next decision on. Raises: InvalidInput."""
    _save_rule(session, shop_id, WHOLE_SHOP, caps=write_caps(check_caps(caps)))


def save_throttle(session: Session, shop_id: ShopId, offer_id: OfferId, throttle: ThrottleState) -> None:
    """Keep the throttle of an offer, or of the shop."""
    _save_rule(session, shop_id, offer_id, throttle=write_throttle(throttle))


def forget_old_states(session: Session, shop_id: ShopId, *, now: datetime) -> int:
    """Delete states that no window reaches any more; how many there were."""
    old = (CourtesyRow.shop_id == shop_id, CourtesyRow.touched_at < now - KEPT_FOR)
    return _deleted(session, shop_id, *old)


def erase_states(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget how often a person was asked; how many rows there were."""
    return _deleted(session, shop_id, CourtesyRow.shop_id == shop_id, CourtesyRow.subject == subject)


def _last_day(state: CourtesyState, now: datetime) -> tuple[tuple[int, int, int], ...]:
    earliest = int(now.timestamp()) // 3600 - 24
    return tuple(entry for entry in state.shown if entry[0] >= earliest)


def _save_rule(session: Session, shop_id: ShopId, offer_id: OfferId, **values: str) -> None:
    insert = dialect_insert(session)
    row = {"shop_id": shop_id, "offer_id": offer_id, "caps": "", "throttle": ""} | values
    statement = insert(CourtesyRuleRow).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["shop_id", "offer_id"], set_=values))


def _deleted(session: Session, shop_id: ShopId, *conditions: Any) -> int:
    count = session.scalar(select(func.count()).select_from(CourtesyRow).where(*conditions))
    session.execute(delete(CourtesyRow).where(CourtesyRow.shop_id == shop_id, *conditions))
    return int(count or 0)
