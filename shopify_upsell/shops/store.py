"""Tables and queries of tenants. A shop is `shop_id`; its domain is an address, not an identity.

`find_shop`, `remember_unknown_shop` and `installed_shops` come before a tenant is known and name none; every other
query starts with `(session, shop_id, ...)`. The table `shop` therefore has no row level security, the others have.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Select, Text, UniqueConstraint, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import NotFound, ShopId
from shopify_upsell.database import Base, ExternalId, OwnId, UtcDateTime, dialect_insert

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
    profile_version_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scopes: Mapped[str] = mapped_column(Text, default="")
    scopes_version_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    holdout_salt: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopTokenRow(Base):
    """The expiring offline token of a shop, encrypted with a key derived for this shop and column.

    `refresh_lease_*`: who is asking Shopify for a new pair, and until when nobody else should.
    """

    __tablename__ = "shop_token"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    access_ciphertext: Mapped[str] = mapped_column(Text)
    access_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    refresh_ciphertext: Mapped[str] = mapped_column(Text)
    refresh_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scopes: Mapped[str] = mapped_column(Text)
    needs_reauthorization: Mapped[bool] = mapped_column(default=False)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    refresh_lease_token: Mapped[str | None] = mapped_column(Text)
    refresh_lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


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


@dataclass(frozen=True, slots=True)
class Shop:
    """A tenant as the rest of the house sees it. `install_epoch` counts its installs."""

    shop_id: ShopId
    domain: str
    state: str
    shopify_shop_id: int | None
    currency: str | None
    time_zone: str | None
    storefront_host: str | None
    holdout_salt: str = field(repr=False)
    install_epoch: int
    installed_at: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShopProfile:
    """What a merchant may change about the shop itself."""

    currency: str | None
    time_zone: str | None
    storefront_host: str | None
    shopify_shop_id: int | None = None


@dataclass(frozen=True, slots=True)
class SealedToken:
    """An offline token at rest: encrypted, in the form its row has."""

    access_ciphertext: str = field(repr=False)
    access_expires_at: datetime
    refresh_ciphertext: str = field(repr=False)
    refresh_expires_at: datetime
    scopes: tuple[str, ...]
    needs_reauthorization: bool
    saved_at: datetime


def find_shop(session: Session, domain: str) -> Shop | None:
    """The shop at this address, in whatever state, if we ever heard of it."""
    row = session.scalar(select(ShopRow).where(ShopRow.domain == domain))
    return None if row is None else _shop(row)


def remember_unknown_shop(session: Session, domain: str, now: datetime) -> Shop:
    """Note that a signed webhook named this address. A shop that is already known stays as it is."""
    values = {"domain": domain, "state": "unknown", "holdout_salt": _new_salt(), "created_at": now}
    values |= {"install_epoch": 0, "scopes": ""}
    session.execute(dialect_insert(session)(ShopRow).values(values).on_conflict_do_nothing(index_elements=["domain"]))
    return _shop(session.scalars(select(ShopRow).where(ShopRow.domain == domain)).one())


def get_shop(session: Session, shop_id: ShopId) -> Shop:
    """The shop with this key. Raises: NotFound."""
    return _shop(_row(session, shop_id))


def installed_shops(session: Session) -> list[Shop]:
    """Every shop that has the app now, oldest first."""
    found = select(ShopRow).where(ShopRow.state == "installed").order_by(ShopRow.shop_id)
    return [_shop(row) for row in session.scalars(found)]


def mark_installed(session: Session, shop_id: ShopId, now: datetime) -> Shop:
    """Write that the shop has the app. A shop that had not begins a new epoch; one that had keeps its own."""
    row = _row(session, shop_id, lock=True)
    if row.state != "installed":
        row.state, row.installed_at, row.uninstalled_at = "installed", now, None
        row.install_epoch += 1
        session.flush()
    return _shop(row)


def mark_uninstalled(session: Session, shop_id: ShopId, at: datetime) -> None:
    """Write that the app was taken off, and destroy the tokens."""
    wipe_token(session, shop_id)
    changed = update(ShopRow).where(ShopRow.shop_id == shop_id, ShopRow.state == "installed")
    session.execute(changed.values(state="uninstalled", uninstalled_at=at))


def mark_redacted(session: Session, shop_id: ShopId) -> None:
    """Leave of the shop its address and the fact that it was here. Its salt goes: no old unit can be recomputed."""
    wipe_token(session, shop_id)
    session.execute(
        update(ShopRow)
        .where(ShopRow.shop_id == shop_id)
        .values(
            state="redacted",
            currency=None,
            time_zone=None,
            storefront_host=None,
            profile_version_at=None,
            scopes="",
            scopes_version_at=None,
            holdout_salt=_new_salt(),
        )
    )


def save_profile(session: Session, shop_id: ShopId, profile: ShopProfile, version_at: datetime) -> bool:
    """Write the profile unless a newer one is held; what it leaves open stays. Returns whether it was written."""
    values: Mapping[str, Any] = {
        name: value
        for name in ("currency", "time_zone", "storefront_host", "shopify_shop_id")
        if (value := getattr(profile, name)) is not None
    }
    newer = or_(ShopRow.profile_version_at.is_(None), ShopRow.profile_version_at <= version_at)
    changed = update(ShopRow).where(ShopRow.shop_id == shop_id, newer)
    return _count(session.execute(changed.values(profile_version_at=version_at, **values))) == 1


def save_scopes(session: Session, shop_id: ShopId, scopes: Iterable[str], version_at: datetime) -> bool:
    """Write what the merchant has granted unless newer news is held. Returns whether it was written."""
    newer = or_(ShopRow.scopes_version_at.is_(None), ShopRow.scopes_version_at <= version_at)
    changed = update(ShopRow).where(ShopRow.shop_id == shop_id, newer)
    text = ",".join(sorted(scopes))
    return _count(session.execute(changed.values(scopes=text, scopes_version_at=version_at))) == 1


def read_token(session: Session, shop_id: ShopId, *, lock: bool = False) -> SealedToken | None:
    """The shop's token as it lies in its row, if it has one."""
    row = session.scalar(_locked(select(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id), lock=lock))
    if row is None:
        return None
    return SealedToken(
        access_ciphertext=row.access_ciphertext,
        access_expires_at=row.access_expires_at,
        refresh_ciphertext=row.refresh_ciphertext,
        refresh_expires_at=row.refresh_expires_at,
        scopes=_scopes(row.scopes),
        needs_reauthorization=row.needs_reauthorization,
        saved_at=row.saved_at,
    )


def has_usable_token(session: Session, shop_id: ShopId, now: datetime) -> bool:
    """Tell whether background work can act for the shop, with this token or with one it can be refreshed to."""
    token = read_token(session, shop_id)
    return token is not None and not token.needs_reauthorization and token.refresh_expires_at > now


def save_token(session: Session, shop_id: ShopId, token: SealedToken) -> None:
    """Put a token in place of whatever was there; a refresh that is under way then finds itself overtaken."""
    values = _token_values(token)
    statement = dialect_insert(session)(ShopTokenRow).values(shop_id=shop_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["shop_id"], set_=values))


def replace_ciphertexts(session: Session, shop_id: ShopId, access: str, refresh: str) -> None:
    """Store the same token under another key."""
    changed = update(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id)
    session.execute(changed.values(access_ciphertext=access, refresh_ciphertext=refresh))


def wipe_token(session: Session, shop_id: ShopId) -> None:
    """Destroy the shop's tokens."""
    session.execute(delete(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id))


def save_privacy_request(
    session: Session, shop_id: ShopId, kind: str, request_key: str, *, received_at: datetime, note: str = ""
) -> None:
    """Note that a compliance request came in. The first word of a repeated one counts."""
    values = {"shop_id": shop_id, "kind": kind, "request_key": request_key, "received_at": received_at, "note": note}
    keys = ["shop_id", "kind", "request_key"]
    session.execute(
        dialect_insert(session)(PrivacyRequestRow).values(values).on_conflict_do_nothing(index_elements=keys)
    )


def complete_privacy_request(
    session: Session, shop_id: ShopId, kind: str, request_key: str, *, completed_at: datetime, export: str | None = None
) -> bool:
    """Write when the request was met. Returns False when there is no such open request."""
    changed = update(PrivacyRequestRow).where(
        PrivacyRequestRow.shop_id == shop_id,
        PrivacyRequestRow.kind == kind,
        PrivacyRequestRow.request_key == request_key,
        PrivacyRequestRow.completed_at.is_(None),
    )
    return _count(session.execute(changed.values(completed_at=completed_at, export=export))) == 1


def erase_exports_naming(session: Session, shop_id: ShopId, text: str) -> None:
    """Erase answers to data requests that contain the text: the quoted global id of a customer who is forgotten."""
    naming = PrivacyRequestRow.export.contains(text, autoescape=True)
    session.execute(update(PrivacyRequestRow).where(PrivacyRequestRow.shop_id == shop_id, naming).values(export=None))


def complete_shop_redaction(session: Session, shop_id: ShopId, completed_at: datetime) -> None:
    """Erase every export, and close every open request of the shop: with the data gone all of them are met."""
    mine = update(PrivacyRequestRow).where(PrivacyRequestRow.shop_id == shop_id)
    session.execute(mine.values(export=None))
    session.execute(mine.where(PrivacyRequestRow.completed_at.is_(None)).values(completed_at=completed_at))


def _row(session: Session, shop_id: ShopId, *, lock: bool = False) -> ShopRow:
    row: ShopRow | None = session.scalar(_locked(select(ShopRow).where(ShopRow.shop_id == shop_id), lock=lock))
    if row is None:
        raise NotFound("no such shop")
    return row


def _locked(statement: Select[Any], *, lock: bool) -> Select[Any]:
    """Read anew, under a row lock if asked: an object the session already holds must not answer from memory."""
    fresh = statement.execution_options(populate_existing=True)
    return fresh.with_for_update() if lock else fresh


def _token_values(token: SealedToken) -> dict[str, Any]:
    return {
        "access_ciphertext": token.access_ciphertext,
        "access_expires_at": token.access_expires_at,
        "refresh_ciphertext": token.refresh_ciphertext,
        "refresh_expires_at": token.refresh_expires_at,
        "scopes": ",".join(token.scopes),
        "needs_reauthorization": token.needs_reauthorization,
        "saved_at": token.saved_at,
        "refresh_lease_token": None,
        "refresh_lease_until": None,
    }


def _shop(row: ShopRow) -> Shop:
    return Shop(
        shop_id=ShopId(row.shop_id),
        domain=row.domain,
        state=row.state,
        shopify_shop_id=row.shopify_shop_id,
        currency=row.currency,
        time_zone=row.time_zone,
        storefront_host=row.storefront_host,
        holdout_salt=row.holdout_salt,
        install_epoch=row.install_epoch,
        installed_at=row.installed_at,
        scopes=_scopes(row.scopes),
    )


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(scope for scope in text.split(",") if scope)


def _new_salt() -> str:
    return secrets.token_hex(16)


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
