"""Table and queries of a shop's own discounts: what was read of them last, and whether that was all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ShopId, canonical_json, parse_time
from shopify_upsell.database import Base, UtcDateTime, dialect_insert
from shopify_upsell.offers.discounts import ActiveDiscount, active_at, without_dates

TRUSTED_FOR = timedelta(hours=48)
"""How long what was read is taken for all there is. Source: our choice; two nights without a reading."""


class ShopDiscountRow(Base):
    """The discounts of a shop. `discounts`: JSON; `is_whole`: they are all that apply by themselves."""

    __tablename__ = "shop_discount"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    discounts: Mapped[str] = mapped_column(Text)
    is_whole: Mapped[bool] = mapped_column(Boolean)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class ShopDiscounts:
    """What a decision may take for true: discounts that run, and whether there are no others."""

    running: tuple[ActiveDiscount, ...] = ()
    are_known: bool = False


def discounts_in_force(session: Session, shop_id: ShopId, *, now: datetime) -> ShopDiscounts:
    """The shop's discounts that run at the moment. Not known: never read, not all read, or read too long ago."""
    row = session.get(ShopDiscountRow, shop_id)
    if row is None:
        return ShopDiscounts()
    running = active_at((_discount(each) for each in json.loads(row.discounts)), now)
    are_known = row.is_whole and now - row.read_at < TRUSTED_FOR
    return ShopDiscounts(tuple(without_dates(one) for one in running), are_known)


def save_discounts(
    session: Session, shop_id: ShopId, discounts: Sequence[ActiveDiscount], *, is_whole: bool, read_at: datetime
) -> None:
    """Keep what was read, unless something that was read later is held."""
    values = {
        "discounts": canonical_json([asdict(one) for one in discounts]),
        "is_whole": is_whole,
        "read_at": read_at,
    }
    insert = dialect_insert(session)(ShopDiscountRow).values(shop_id=shop_id, **values)
    is_newer = ShopDiscountRow.read_at <= read_at
    session.execute(insert.on_conflict_do_update(index_elements=["shop_id"], set_=values, where=is_newer))


def _discount(document: dict[str, Any]) -> ActiveDiscount:
    """A discount as `save_discounts` wrote it."""
    lists = {
        name: tuple(document[name])
        for name in ("combines_with", "product_ids", "variant_ids")
        if document[name] is not None
    }
    moments = {name: parse_time(document[name]) for name in ("starts_at", "ends_at") if document[name] is not None}
    return ActiveDiscount(**document | lists | moments)
