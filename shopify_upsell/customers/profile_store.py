"""Queries of customers' profiles: sums of their lasting signals, and what the merchant lets us know of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ShopId, canonical_json
from shopify_upsell.customers.shopper import Profile, consent_of
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_tables import SIGNAL_COLUMNS, ProfileRow, SignalRow, signal_of
from shopify_upsell.customers.signals import LASTING
from shopify_upsell.customers.stage import History, history_of
from shopify_upsell.database import dialect_insert
from shopify_upsell.ledger.tables import batches

MOST_ATTRIBUTES, LONGEST_ATTRIBUTE = 40, 80

_EMPTY = {"order_count": 0, "delivered_count": 0, "subscription": "none", "attributes": "{}", "affinities": "{}"}


def profiles_of(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> dict[str, Profile]:
    """Profiles by subject; customers without one are absent."""
    rows = select(ProfileRow.__table__).where(ProfileRow.shop_id == shop_id, ProfileRow.subject.in_(subjects))
    return {row.subject: _profile(row) for row in session.execute(rows)}


def customers_after(session: Session, shop_id: ShopId, after: str, limit: int) -> list[str]:
    """Subjects of the customers whose name comes after the one given, in a fixed order."""
    rows = select(ProfileRow.subject).where(ProfileRow.shop_id == shop_id, ProfileRow.subject > after)
    return list(session.scalars(rows.order_by(ProfileRow.subject).limit(limit)))


def save_attributes(session: Session, shop_id: ShopId, subject: str, attributes: Mapping[str, str]) -> None:
    """Replace what the merchant lets us know of a customer. Raises: InvalidInput when that is too much."""
    parts = [*attributes, *attributes.values()]
    if len(attributes) > MOST_ATTRIBUTES or any(len(part) > LONGEST_ATTRIBUTE for part in parts):
        raise InvalidInput("attributes: too many or too long")
    _save_profile_part(session, shop_id, subject, {"attributes": canonical_json(dict(attributes))})


def save_affinities(session: Session, shop_id: ShopId, subject: str, affinities: Mapping[str, float]) -> None:
    """Replace the shares of a customer's purchases by product type."""
    _save_profile_part(session, shop_id, subject, {"affinities": canonical_json(dict(affinities))})


def refresh_profiles(session: Session, shop_id: ShopId, subjects: Iterable[str]) -> None:
    """Sum up the lasting signals of customers again. Others who change the same customer wait for each other."""
    customers = sorted({subject for subject in subjects if subject.startswith("c:")})
    for batch in batches(customers):
        _hold_profiles(session, shop_id, batch)
        told: dict[str, list[Signal]] = {subject: [] for subject in batch}
        rows = select(*SIGNAL_COLUMNS).where(
            SignalRow.shop_id == shop_id, SignalRow.subject.in_(batch), SignalRow.kind.in_(sorted(LASTING))
        )
        for row in session.execute(rows):
            told[row.subject].append(signal_of(row))
        for subject, signals in told.items():
            values = {**asdict(history_of(signals)), "marketing_consent": consent_of(signals)}
            _update_profile(session, shop_id, subject, values)


def _hold_profiles(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> None:
    """Make sure the rows are there, and hold them: of two who sum up one customer the later sees the earlier's."""
    insert = dialect_insert(session)(ProfileRow).values(
        [{"shop_id": shop_id, "subject": subject, **_EMPTY} for subject in subjects]
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["shop_id", "subject"], set_={"subscription": ProfileRow.subscription}
        )
    )


def _save_profile_part(session: Session, shop_id: ShopId, subject: str, values: Mapping[str, Any]) -> None:
    _hold_profiles(session, shop_id, [subject])
    _update_profile(session, shop_id, subject, values)


def _update_profile(session: Session, shop_id: ShopId, subject: str, values: Mapping[str, Any]) -> None:
    mine = update(ProfileRow).where(ProfileRow.shop_id == shop_id, ProfileRow.subject == subject)
    session.execute(mine.values(**values).execution_options(synchronize_session=False))


def _profile(row: Row[Any]) -> Profile:
    history = History(
        order_count=row.order_count,
        first_ordered_at=row.first_ordered_at,
        last_ordered_at=row.last_ordered_at,
        delivered_count=row.delivered_count,
        last_delivered_at=row.last_delivered_at,
        subscription=row.subscription,
    )
    return Profile(history, row.marketing_consent, json.loads(row.attributes), json.loads(row.affinities))
