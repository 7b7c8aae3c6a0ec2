"""What a merchant wants to reach in a month. For reports alone: nothing that decides reads this table.

Outcomes follow process: a goal that could move a decision would sell harder at the end of a bad month. A test changes
every target and finds all decisions the same to the byte.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import InvalidInput, NotFound, ShopId
from shopify_upsell.database import Base, UtcDateTime, dialect_insert
from shopify_upsell.money import EXPONENTS

MONEY_METRICS = ("upsell_revenue", "contribution", "annualised_customer_value")
"""Goals in minor units of a currency."""

SHARE_METRICS = ("attach_rate", "acceptance_rate", "repeat_rate")
"""Goals in basis points."""

METRICS = (*MONEY_METRICS, *SHARE_METRICS)

LARGEST_GOAL = 2**53 - 1
WHOLE = 10_000


class MerchantTargetRow(Base):
    """One goal of one month. `month`: YYYY-MM; `currency`: empty for shares."""

    __tablename__ = "merchant_target"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    month: Mapped[str] = mapped_column(Text, primary_key=True)
    goal: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Target:
    """A goal. Units: `goal` in minor units of `currency` for money, else basis points and no currency."""

    metric: str
    month: str
    goal: int
    currency: str = ""


def check_target(target: Target) -> Target:
    """Refuse a goal that cannot be reached or measured. Returns it. Raises: InvalidInput naming the field."""
    if target.metric not in METRICS:
        raise InvalidInput(f"metric: is one of {', '.join(METRICS)}")
    if re.fullmatch(r"2[0-9]{3}-(0[1-9]|1[0-2])", target.month) is None:
        raise InvalidInput("month: is written YYYY-MM")
    most = LARGEST_GOAL if target.metric in MONEY_METRICS else WHOLE
    if not 0 < target.goal <= most:
        raise InvalidInput(f"goal: is 1 to {most}")
    if (target.currency in EXPONENTS) != (target.metric in MONEY_METRICS) or (
        target.metric in SHARE_METRICS and target.currency
    ):
        raise InvalidInput("currency: goes with goals in money, and with no other")
    return target


def save_target(session: Session, shop_id: ShopId, target: Target, *, now: datetime) -> None:
    """Keep a goal in the place of the one before. Raises: InvalidInput."""
    check_target(target)
    values = {"goal": target.goal, "currency": target.currency, "updated_at": now}
    key = {"shop_id": shop_id, "metric": target.metric, "month": target.month}
    insert = dialect_insert(session)(MerchantTargetRow).values(**key, **values)
    session.execute(insert.on_conflict_do_update(index_elements=list(key), set_=values))


def drop_target(session: Session, shop_id: ShopId, metric: str, month: str) -> None:
    """Forget a goal. Raises: NotFound."""
    read_target(session, shop_id, metric, month)
    row = MerchantTargetRow
    mine = (row.shop_id == shop_id, row.metric == metric, row.month == month)
    session.execute(delete(row).where(*mine).execution_options(synchronize_session=False))


def targets(session: Session, shop_id: ShopId) -> list[Target]:
    """Every goal of the shop, the latest month first."""
    row = MerchantTargetRow
    wanted = select(row.__table__).where(row.shop_id == shop_id).order_by(row.month.desc(), row.metric)
    return [Target(one.metric, one.month, one.goal, one.currency) for one in session.execute(wanted)]


def read_target(session: Session, shop_id: ShopId, metric: str, month: str) -> Target:
    """One goal. Raises: NotFound."""
    found = next((one for one in targets(session, shop_id) if (one.metric, one.month) == (metric, month)), None)
    if found is None:
        raise NotFound("no such target")
    return found


def attainment(target: Target, reached: int) -> float:
    """How much of a goal has been reached. Units: `reached` as the goal; the result is a rate, above 1 beyond it."""
    return reached / target.goal
