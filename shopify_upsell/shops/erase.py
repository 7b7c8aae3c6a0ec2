"""Forget a shop: every row of the tenant in every table, whoever's table it is."""

import logging
from datetime import datetime

from sqlalchemy import Table, delete
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Base
from shopify_upsell.shops.store import (
    PrivacyRequestRow,
    ShopRow,
    complete_shop_redaction,
    get_shop,
    mark_redacted,
)

log = logging.getLogger(__name__)

KEPT = frozenset({ShopRow.__tablename__, PrivacyRequestRow.__tablename__})
"""The shop row remains, emptied, so that a return is a new epoch; the requests remain as proof that we obeyed."""


def erase_shop(
    session: Session,
    shop_id: ShopId,
    *,
    now: datetime,
    install_epoch: int | None = None,
    keep_job_id: int | None = None,
) -> bool:
    """Delete the tenant's rows. Returns False, and does nothing, when the shop has begun another install epoch.

    `install_epoch`: the install that is to be forgotten, whichever it is if None. `keep_job_id`: the job that calls
    this, whose row must outlast the transaction for its worker to finish it.
    """
    shop = get_shop(session, shop_id)
    if install_epoch is not None and shop.install_epoch != install_epoch:
        log.warning("late_redaction_ignored", extra={"shop_id": shop_id, "install_epoch": shop.install_epoch})
        return False
    for table in tables_of_tenants():
        _delete_rows(session, table, shop_id, keep_job_id)
    complete_shop_redaction(session, shop_id, now)
    mark_redacted(session, shop_id)
    log.info("shop_erased", extra={"shop_id": shop_id, "install_epoch": shop.install_epoch})
    return True


def tables_of_tenants() -> list[Table]:
    """Every table with a `shop_id` whose rows go, children before parents. A table that is added is found here."""
    return [table for table in reversed(Base.metadata.sorted_tables) if "shop_id" in table.c and table.name not in KEPT]


def _delete_rows(session: Session, table: Table, shop_id: ShopId, keep_job_id: int | None) -> None:
    doomed = delete(table).where(table.c.shop_id == shop_id)
    if table.name == "job" and keep_job_id is not None:
        doomed = doomed.where(table.c.job_id != keep_job_id)
    session.execute(doomed)
