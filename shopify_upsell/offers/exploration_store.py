"""Who may be shown a pair without evidence, and the count that holds such showings below the shop's share, strictly.

A lot per person and day says who may be shown one; it needs no memory. The count is kept in one row a shop and changed
in the transaction that stores the decision, by decisions that show such a card alone: all others pay nothing. The row
is held until that transaction ends, so no number of processes can go beyond the share.

A showing is a card, or a page that stayed empty because nothing but the lot stood against a card without evidence: in a
new shop such pages are all there is, and the share of them is how much it exposes its shoppers to guesses. Showings are
counted from the stored decisions when the next such card comes, so that some may be missing and none is counted twice:
an error towards silence.
"""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId, canonical_json, parse_time
from shopify_upsell.customers.courtesy_store import CourtesyRow
from shopify_upsell.database import dialect_insert
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.matrix.exploring import COLD_START, Exploration, explores
from shopify_upsell.memory import ShortMemory
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.eligibility import NOT_EXPLORED
from shopify_upsell.offers.settings_store import read_settings_of
from shopify_upsell.shops.store import Shop

COUNTED_DAYS = 30

SUBJECT = "s:explored"
"""The name of the row, beside the courtesy budgets of shoppers and that of the whole shop."""

MEMORY, MOST_SHOPS = "offers.explored", 10_000

USED_UP_SECONDS = 5.0
"""How long a process believes that the share is used up. Our choice, as long as a shelf is believed."""

LONGEST_LOOK = timedelta(hours=6)
"""How far back showings are counted at a try: a shopper waits for it."""

NOBODY = Exploration(is_allowed=False, propensity=0.0)


@dataclass(slots=True)
class Explored:
    """Showings of the last days and how many of them tried something: `days` by UTC day. `until`: counted so far."""

    days: dict[str, list[int]] = field(default_factory=dict)
    until: datetime | None = None

    def room(self, day: str, basis_points: int, *, more: int = 0) -> int:
        """Cards that may still try something if so many more showings come along; below 0 when there were too many."""
        shown, tried = self.days.get(day, [0, 0])
        all_shown, all_tried = (
            (sum(counts) for counts in zip(*self.days.values(), strict=True)) if self.days else (0, 0)
        )
        return min(
            (shown + more) * basis_points // ALL_BASIS_POINTS - tried,
            (all_shown + more) * basis_points // ALL_BASIS_POINTS - all_tried,
        )

    def add(self, day: str, *, shown: int = 0, tried: int = 0) -> None:
        """Count showings of a day."""
        counts = self.days.setdefault(day, [0, 0])
        counts[0], counts[1] = counts[0] + shown, counts[1] + tried


def lot_of(session: Session, shop: Shop, unit: str | None, now: datetime, *, basis_points: int) -> Exploration:
    """Whether a person may be shown a pair without evidence today, and the chance of it.

    Nobody may who cannot be recognised again, and for a few seconds nobody where the shop's share is known to be used
    up: the chance is 0 then.
    """
    memory = _memory(session, shop.shop_id)
    is_used_up = memory is not None and memory.find(shop.shop_id, clock=time.monotonic()) is not None
    if unit is None or is_used_up:
        return NOBODY
    return explores(shop.holdout_salt, unit, now, share=basis_points / ALL_BASIS_POINTS)


def may_try(session: Session, shop_id: ShopId, decision: Decision) -> bool:
    """Take what a decision tries from the shop's share, in the transaction that stores it. False: decide again.

    A decision that tries nothing may always be stored and costs nothing here.
    """
    tried = sum(offer.reason_code == COLD_START for offer in decision.chosen)
    if not tried:
        return True
    day, basis_points = _day(decision.decided_at), read_settings_of(session, shop_id).exploration_basis_points
    counts = _held(session, shop_id, decision.decided_at)
    _catch_up(session, shop_id, counts, decision.decided_at)
    cards = len(decision.chosen)
    is_within = counts.room(day, basis_points, more=cards) >= tried
    if is_within:
        counts.add(day, shown=cards, tried=tried)
    _keep(session, shop_id, counts, decision.decided_at)
    memory = _memory(session, shop_id)
    if memory is not None and counts.room(day, basis_points, more=1) < 1:
        memory.keep(shop_id, True, clock=time.monotonic())
    return is_within


def explored(session: Session, shop_id: ShopId) -> Explored:
    """What is counted of the last days."""
    own = (CourtesyRow.shop_id == shop_id, CourtesyRow.subject == SUBJECT)
    return _read(session.scalar(select(CourtesyRow.state).where(*own)))


def _held(session: Session, shop_id: ShopId, now: datetime) -> Explored:
    """The counts, with their row held until the transaction ends."""
    insert = dialect_insert(session)
    empty = {"version": 1, "state": _written(Explored()), "touched_at": now}
    first = insert(CourtesyRow).values(shop_id=shop_id, subject=SUBJECT, **empty)
    session.execute(first.on_conflict_do_nothing(index_elements=["shop_id", "subject"]))
    own = (CourtesyRow.shop_id == shop_id, CourtesyRow.subject == SUBJECT)
    return _read(session.execute(select(CourtesyRow.state).where(*own).with_for_update()).scalar_one())


def _keep(session: Session, shop_id: ShopId, counts: Explored, now: datetime) -> None:
    oldest = _day(now - timedelta(days=COUNTED_DAYS - 1))
    counts.days = {day: held for day, held in counts.days.items() if day >= oldest}
    session.execute(
        update(CourtesyRow)
        .where(CourtesyRow.shop_id == shop_id, CourtesyRow.subject == SUBJECT)
        .values(version=CourtesyRow.version + 1, state=_written(counts), touched_at=now)
        .execution_options(synchronize_session=False)
    )


def _catch_up(session: Session, shop_id: ShopId, counts: Explored, now: datetime) -> None:
    """Count today's showings since the last look. What was decided before it and stored after it is left out.

    Whatever tried something was counted by itself when it was stored.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = max(counts.until or midnight, midnight, now - LONGEST_LOOK)
    if since >= now:
        return
    row = DecisionRow
    stayed_empty = row.answer.like(f'%"code":"{NOT_EXPLORED}"%')
    shown = session.scalar(
        select(func.sum(case((row.offer_count > 0, row.offer_count), else_=1))).where(
            row.shop_id == shop_id,
            row.decided_at > since,
            row.decided_at <= now,
            row.is_holdout.is_(False),
            or_(row.offer_count > 0, stayed_empty),
            row.answer.not_like(f'%"reason_code":"{COLD_START}"%'),
        )
    )
    counts.until = now
    if shown:
        counts.add(_day(now), shown=int(shown))


def _memory(session: Session, shop_id: ShopId) -> ShortMemory[ShopId, bool] | None:
    """The process's memory, if the session has one and is bound to this very shop."""
    memory = session.info.get("memory")
    if memory is None or session.info.get("shop_id") != shop_id:
        return None
    found: ShortMemory[ShopId, bool] = memory.setdefault(MEMORY, ShortMemory(MOST_SHOPS, USED_UP_SECONDS))
    return found


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _written(counts: Explored) -> str:
    until = counts.until.isoformat() if counts.until is not None else None
    return canonical_json({"days": counts.days, "until": until})


def _read(text: str | None) -> Explored:
    if not text:
        return Explored()
    document = json.loads(text)
    return Explored(document["days"], parse_time(document["until"]) if document["until"] is not None else None)
