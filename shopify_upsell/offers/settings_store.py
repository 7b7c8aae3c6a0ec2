"""Table and queries of what a merchant sets beside caps and costs: languages, limits of health, how much to try."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import InvalidInput, ShopId, canonical_json
from shopify_upsell.database import Base, UtcDateTime, dialect_insert
from shopify_upsell.matrix.exploring import EXPLORATION_CAP_BASIS_POINTS
from shopify_upsell.offers.health import DEFAULT_HEALTH_LIMITS, HealthLimits, check_limits

DEFAULT_LOCALES = ("en",)
MOST_LOCALES, LONGEST_LOCALE = 20, 12


class ShopSettingRow(Base):
    """What a merchant set. `settings`: JSON; what is missing there has its default."""

    __tablename__ = "shop_setting"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    settings: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """Settings of one shop. `locales`: languages in which a card must be complete before it goes live.

    `exploration_basis_points`: largest share of showings that may try a pair without evidence; 0 tries none.
    """

    locales: tuple[str, ...] = DEFAULT_LOCALES
    health: HealthLimits = DEFAULT_HEALTH_LIMITS
    exploration_basis_points: int = EXPLORATION_CAP_BASIS_POINTS


def read_settings_of(session: Session, shop_id: ShopId) -> ShopSettings:
    """The shop's settings, its merchant's or the defaults."""
    text = session.scalar(select(ShopSettingRow.settings).where(ShopSettingRow.shop_id == shop_id))
    if text is None:
        return ShopSettings()
    document = json.loads(text)
    tried = document.get("exploration_basis_points", EXPLORATION_CAP_BASIS_POINTS)
    return ShopSettings(tuple(document["locales"]), HealthLimits(**document["health"]), tried)


def save_settings_of(session: Session, shop_id: ShopId, settings: ShopSettings, *, now: datetime) -> None:
    """Keep the merchant's settings. Raises: InvalidInput naming the field."""
    check_limits(settings.health)
    _check_locales(settings.locales)
    _check_exploration(settings.exploration_basis_points)
    document = {
        "locales": list(settings.locales),
        "health": asdict(settings.health),
        "exploration_basis_points": settings.exploration_basis_points,
    }
    values = {"settings": canonical_json(document), "updated_at": now}
    insert = dialect_insert(session)(ShopSettingRow).values(shop_id=shop_id, **values)
    session.execute(insert.on_conflict_do_update(index_elements=["shop_id"], set_=values))


def _check_exploration(basis_points: int) -> None:
    if type(basis_points) is not int or not 0 <= basis_points <= EXPLORATION_CAP_BASIS_POINTS:
        raise InvalidInput(f"exploration_basis_points: is 0 to {EXPLORATION_CAP_BASIS_POINTS}, and can only be lowered")


def _check_locales(locales: Iterable[str]) -> None:
    listed = tuple(locales)
    if not 1 <= len(listed) <= MOST_LOCALES or len(set(listed)) < len(listed):
        raise InvalidInput(f"locales: are 1 to {MOST_LOCALES}, each once")
    if any(not 2 <= len(one) <= LONGEST_LOCALE or not one.replace("-", "").isalnum() for one in listed):
        raise InvalidInput("locales: are codes such as en or pt-BR")
