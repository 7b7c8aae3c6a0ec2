"""Who may refresh a shop's token: a lease in its row, so that any number of jobs cause one refresh.

A lease and not a lock: no transaction may be open while Shopify is asked, and it works alike on both databases, across
machines and connection poolers. A holder that dies is waited for no longer than its lease.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.shops.store import SealedToken, ShopTokenRow, save_token

ENDED: Mapping[str, None] = MappingProxyType({"refresh_lease_token": None, "refresh_lease_until": None})


def take_refresh_lease(session: Session, shop_id: ShopId, lease: str, *, now: datetime, until: datetime) -> bool:
    """Reserve the refresh of the shop's token. Returns False while someone else has it."""
    free = or_(ShopTokenRow.refresh_lease_until.is_(None), ShopTokenRow.refresh_lease_until <= now)
    taken = update(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id, free)
    return _wrote_one(session.execute(taken.values(refresh_lease_token=lease, refresh_lease_until=until)))


def keep_refresh_lease(session: Session, shop_id: ShopId, lease: str, *, until: datetime) -> None:
    """Move the end of a lease that is still ours."""
    _change_leased(session, shop_id, lease, refresh_lease_until=until)


def save_refreshed_token(session: Session, shop_id: ShopId, lease: str, token: SealedToken) -> bool:
    """Store a new pair and end the lease. Returns False when the lease was no longer ours: nothing is written."""
    if not _change_leased(session, shop_id, lease, **ENDED):
        return False
    save_token(session, shop_id, token)
    return True


def mark_needs_reauthorization(session: Session, shop_id: ShopId, lease: str) -> bool:
    """Write that the refresh token is dead and end the lease. Returns False when the lease was no longer ours."""
    return _change_leased(session, shop_id, lease, needs_reauthorization=True, **ENDED)


def _change_leased(session: Session, shop_id: ShopId, lease: str, **values: Any) -> bool:
    mine = update(ShopTokenRow).where(ShopTokenRow.shop_id == shop_id, ShopTokenRow.refresh_lease_token == lease)
    return _wrote_one(session.execute(mine.values(values)))


def _wrote_one(result: object) -> bool:
    return int(getattr(result, "rowcount", 0)) == 1
