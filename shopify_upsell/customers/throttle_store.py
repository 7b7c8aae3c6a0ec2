"""Counts of how shoppers react to cards, by offer and day, for the throttle.

Counted as it happens, in rows that many may write at once: each day of an offer is spread over slots.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import OfferId, ShopId
from shopify_upsell.customers.courtesy_store import WHOLE_SHOP, rules_of, save_throttle
from shopify_upsell.customers.throttle import UNTHROTTLED, DayCount, ThrottleState, lifted
from shopify_upsell.database import Base, ExternalId, dialect_insert

SLOTS = 16
"""Rows a day of one offer is spread over, so that shoppers of a busy shop rarely wait for each other."""

KEPT_DAYS = 150
"""Days of counts kept: the longest look back of the throttle, and a month to look at."""


class ReactionCountRow(Base):
    """A part of one day's reactions to an offer. `offer_id` 0: to being asked at all. `day`: days since 0001-01-01."""

    __tablename__ = "reaction_count"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    offer_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    show_count: Mapped[int] = mapped_column(default=0)
    refusal_count: Mapped[int] = mapped_column(default=0)


def count_shown(session: Session, shop_id: ShopId, offer_id: OfferId, *, slot: int, now: datetime) -> None:
    """Count a card that became visible. `slot`: any number that differs between decisions."""
    _count(session, shop_id, offer_id, slot, now, show_count=1)


def count_refused(session: Session, shop_id: ShopId, offer_id: OfferId, *, slot: int, now: datetime) -> None:
    """Count a card that was waved away or snoozed, or, for `WHOLE_SHOP`, a shopper who wants fewer offers or none."""
    _count(session, shop_id, offer_id, slot, now, refusal_count=1)


def reactions_by_offer(session: Session, shop_id: ShopId) -> Mapping[OfferId, list[DayCount]]:
    """Counts by offer, the earliest day first; under `WHOLE_SHOP` those of all offers together."""
    sums = (func.sum(ReactionCountRow.show_count), func.sum(ReactionCountRow.refusal_count))
    rows = session.execute(
        select(ReactionCountRow.offer_id, ReactionCountRow.day, *sums)
        .where(ReactionCountRow.shop_id == shop_id)
        .group_by(ReactionCountRow.offer_id, ReactionCountRow.day)
        .order_by(ReactionCountRow.day, ReactionCountRow.offer_id)
    )
    found: dict[OfferId, list[DayCount]] = defaultdict(list)
    shop: dict[int, DayCount] = {}
    for offer_id, day, shows, refusals in rows:
        held = shop.get(day, DayCount(day, 0, 0))
        shop[day] = DayCount(day, held.show_count + int(shows), held.refusal_count + int(refusals))
        if offer_id != WHOLE_SHOP:
            found[OfferId(offer_id)].append(DayCount(day, int(shows), int(refusals)))
    found[WHOLE_SHOP] = [shop[day] for day in sorted(shop)]
    return dict(found)


def lift_throttle(
    session: Session, shop_id: ShopId, offer_id: OfferId, *, days: int, note: str, now: datetime
) -> ThrottleState:
    """Give back full caps on the merchant's word, for some days. Raises: InvalidInput."""
    before = rules_of(session, shop_id).throttles.get(offer_id, UNTHROTTLED)
    after = lifted(before, today=day_of(now), days=days, note=note)
    save_throttle(session, shop_id, offer_id, after)
    return after


def forget_old_reactions(session: Session, shop_id: ShopId, *, now: datetime) -> None:
    """Delete counts that no rule looks at any more."""
    oldest = day_of(now) - KEPT_DAYS
    session.execute(delete(ReactionCountRow).where(ReactionCountRow.shop_id == shop_id, ReactionCountRow.day < oldest))


def day_of(now: datetime) -> int:
    """The day of a moment, in UTC: days since 0001-01-01."""
    return now.date().toordinal()


def _count(session: Session, shop_id: ShopId, offer_id: OfferId, slot: int, now: datetime, **added: int) -> None:
    insert = dialect_insert(session)
    key = {"shop_id": shop_id, "offer_id": offer_id, "day": day_of(now), "slot": slot % SLOTS}
    statement = insert(ReactionCountRow).values(key | {"show_count": 0, "refusal_count": 0} | added)
    more = {name: getattr(ReactionCountRow, name) + number for name, number in added.items()}
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=more))
