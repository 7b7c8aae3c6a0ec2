"""What a shop's open jobs are about: long work that goes in steps says in its waiting step how far it came."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.jobs.store import JobRow


def open_payloads(session: Session, shop_id: ShopId, kind: str) -> list[dict[str, Any]]:
    """Payloads of the shop's jobs of a kind that have no outcome yet, the oldest first."""
    rows = select(JobRow.payload).where(JobRow.shop_id == shop_id, JobRow.kind == kind, JobRow.state == "new")
    return [dict(json.loads(payload)) for payload in session.scalars(rows.order_by(JobRow.job_id))]
