"""Queries of a shop's API keys. Only the hash of a secret is kept."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import ProofRefused, ShopId
from shopify_upsell.customers.api_keys import ApiKey, KeyRecord
from shopify_upsell.customers.signal_tables import ApiKeyRow


def save_api_key(session: Session, shop_id: ShopId, key: ApiKey, source: str, now: datetime) -> None:
    """Keep a new key. Others of the same source go on working until they are revoked."""
    if key.shop_id != shop_id:
        raise ValueError("a key of another shop")
    session.add(ApiKeyRow(shop_id=shop_id, key_id=key.key_id, source=source, digest=key.digest, created_at=now))
    session.flush()


def source_of_key(session: Session, shop_id: ShopId, key: ApiKey) -> str:
    """Tell who speaks with this key. Raises: ProofRefused for one that is unknown, wrong or revoked."""
    row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.shop_id == shop_id, ApiKeyRow.key_id == key.key_id))
    # Compared even when there is no such key, so that the answer's time does not tell.
    is_right = key.opens(row.digest if row is not None else "")
    if row is None or not is_right or row.revoked_at is not None:
        raise ProofRefused("the request carries no valid key")
    return row.source


def api_keys(session: Session, shop_id: ShopId) -> list[KeyRecord]:
    """Every key of the shop, the oldest first."""
    rows = select(ApiKeyRow).where(ApiKeyRow.shop_id == shop_id).order_by(ApiKeyRow.created_at, ApiKeyRow.key_id)
    return [KeyRecord(row.key_id, row.source, row.created_at, row.revoked_at) for row in session.scalars(rows)]


def revoke_api_key(session: Session, shop_id: ShopId, key_id: str, now: datetime) -> bool:
    """End a key at once. Returns False when there is none of that name that still works."""
    valid = (ApiKeyRow.shop_id == shop_id, ApiKeyRow.key_id == key_id, ApiKeyRow.revoked_at.is_(None))
    if session.scalar(select(ApiKeyRow.key_id).where(*valid)) is None:
        return False
    session.execute(update(ApiKeyRow).where(*valid).values(revoked_at=now))
    return True
