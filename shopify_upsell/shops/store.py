"""Tables and queries of tenants. A shop is `shop_id`; its domain is an address, not an identity."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime

STATES = ("unknown", "installed", "uninstalled", "redacted")


class ShopRow(Base):
    """One store. `unknown`: a signed webhook named it, but it never installed; its events stay parked."""

    __tablename__ = "shop"

    shop_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    domain: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="unknown")
    shopify_shop_id: Mapped[int | None] = mapped_column(ExternalId)
    install_epoch: Mapped[int] = mapped_column(default=0)
    installed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    uninstalled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    currency: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str | None] = mapped_column(Text)
    storefront_host: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(Text, default="")
    holdout_salt: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopTokenRow(Base):
    """The expiring offline token of a shop, encrypted with a key derived for this shop and column."""

    __tablename__ = "shop_token"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    access_ciphertext: Mapped[str] = mapped_column(Text)
    access_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    refresh_ciphertext: Mapped[str] = mapped_column(Text)
    refresh_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scopes: Mapped[str] = mapped_column(Text)
    needs_reauthorization: Mapped[bool] = mapped_column(default=False)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PrivacyRequestRow(Base):
    """A compliance webhook we answered, kept as proof of when. `export` is what is held of the customer."""

    __tablename__ = "privacy_request"
    __table_args__ = (UniqueConstraint("shop_id", "kind", "request_key"),)

    privacy_request_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    kind: Mapped[str] = mapped_column(Text)
    request_key: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    export: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")
