"""What shoppers said about being asked, one row a name."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ShopId
from shopify_upsell.customers.preferences import Preference, check_level, preference_in_force
from shopify_upsell.database import Base, UtcDateTime, dialect_insert


class PreferenceRow(Base):
    """The latest word of a person under one name. Kept until it is changed or the person is forgotten."""

    __tablename__ = "preference"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    level: Mapped[str] = mapped_column(Text)
    said_at: Mapped[datetime] = mapped_column(UtcDateTime)


def save_preference(session: Session, shop_id: ShopId, subjects: Sequence[str], level: str, *, now: datetime) -> None:
    """Keep a word under every name its speaker goes by now. An earlier word never replaces a later one.

    Raises: InvalidInput for an unknown level.
    """
    for subject in sorted(subjects):
        _keep_the_later(session, shop_id, subject, Preference(check_level(level), now))


def preference_of(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> str:
    """The level in force for a shopper under all their names."""
    if not subjects:
        return preference_in_force(())
    rows = session.execute(
        select(PreferenceRow.level, PreferenceRow.said_at).where(
            PreferenceRow.shop_id == shop_id, PreferenceRow.subject.in_(subjects)
        )
    )
    return preference_in_force([Preference(row.level, row.said_at) for row in rows])


def copy_preference(session: Session, shop_id: ShopId, source: str, target: str) -> bool:
    """Give a name the word said under another, if that is the later one. The first name keeps it."""
    row = session.execute(
        select(PreferenceRow.level, PreferenceRow.said_at).where(
            PreferenceRow.shop_id == shop_id, PreferenceRow.subject == source
        )
    ).one_or_none()
    if row is None:
        return False
    _keep_the_later(session, shop_id, target, Preference(row.level, row.said_at))
    return True


def erase_preference(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget a person's word; how many rows there were."""
    own = (PreferenceRow.shop_id == shop_id, PreferenceRow.subject == subject)
    count = session.scalar(select(func.count()).select_from(PreferenceRow).where(*own))
    session.execute(delete(PreferenceRow).where(*own))
    return int(count or 0)


def _keep_the_later(session: Session, shop_id: ShopId, subject: str, preference: Preference) -> None:
    insert = dialect_insert(session)
    statement = insert(PreferenceRow).values(
        shop_id=shop_id, subject=subject, level=preference.level, said_at=preference.said_at
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["shop_id", "subject"],
            set_={"level": statement.excluded.level, "said_at": statement.excluded.said_at},
            where=PreferenceRow.said_at <= statement.excluded.said_at,
        )
    )
