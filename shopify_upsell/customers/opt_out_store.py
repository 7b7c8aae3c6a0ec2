"""When customers said that they want no offers or no marketing, for learning how long people wait."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ShopId
from shopify_upsell.customers.signal_tables import SignalRow

TURNS = {
    "preference_none": ("offers", True),
    "preference_lifted": ("offers", False),
    "marketing_consent_withdrawn": ("marketing", True),
    "marketing_consent_given": ("marketing", False),
}
"""Words that turn an opt-out on or off, and of what. Either is one: nothing can be sent to somebody who gave it."""


def opt_outs(session: Session, shop_id: ShopId) -> Iterator[tuple[CustomerId, datetime]]:
    """Every moment at which a customer opted out who had not already, in no order that counts.

    Saying it again, or of the other thing too, is no new opt-out.
    """
    row = SignalRow
    words = select(row.subject, row.occurred_at, row.kind).where(
        row.shop_id == shop_id, row.kind.in_(sorted(TURNS)), row.subject.like("c:%")
    )
    subject, out = "", set[str]()
    for told in session.execute(words.order_by(row.subject, row.occurred_at, row.kind, row.source, row.external_id)):
        if told.subject != subject:
            subject, out = told.subject, set()
        what, is_out = TURNS[told.kind]
        if is_out and not out:
            yield CustomerId(int(told.subject.removeprefix("c:"))), told.occurred_at
        (out.add if is_out else out.discard)(what)
