"""Past orders and the people who placed them, as they stood at some moment: what a simulation replays.

Read a page of orders at a time, with everything about the page's customers in a handful of queries.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, OfferId, OrderId, ProductId, ShopId, VariantId
from shopify_upsell.customers.dismissals import Dismissal, Scope
from shopify_upsell.customers.dismissals_store import DismissalRow
from shopify_upsell.customers.preferences import Preference, preference_in_force
from shopify_upsell.customers.preferences_store import PreferenceRow
from shopify_upsell.customers.profile_store import profiles_of
from shopify_upsell.customers.shopper import ANONYMOUS, Profile, Shopper, consent_of, shopper_of
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_tables import SIGNAL_COLUMNS, SignalRow, signal_of
from shopify_upsell.customers.signals import LASTING
from shopify_upsell.customers.stage import history_of
from shopify_upsell.customers.store import suppressions_of
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.ledger.delivered import UsualDelivery
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow, shop_usual_delivery
from shopify_upsell.ledger.owned import OwnedLine, OwnedProduct, owned_from
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow, batches, ordered_within
from shopify_upsell.offers.decide import OWNED_SINCE
from shopify_upsell.offers.past_moments import PastOrder
from shopify_upsell.offers.snapshot import CartLine

PAGE = 200
"""Orders read at once, with everything about their customers: a few megabytes at most."""


@dataclass(frozen=True, slots=True)
class PastPerson:
    """Everything kept of one customer, to be looked at as of a moment."""

    profile: Profile | None
    signals: tuple[Signal, ...]
    bought: tuple[OwnedLine, ...]
    suppressions: tuple[Suppression, ...]
    dismissals: tuple[Dismissal, ...]
    preferences: tuple[Preference, ...]

    def shopper_at(self, moment: datetime) -> Shopper:
        """What was known of them then: signals since told are not."""
        told = [signal for signal in self.signals if signal.occurred_at <= moment]
        lasting = [signal for signal in told if signal.kind in LASTING]
        held = self.profile or Profile()
        profile = Profile(history_of(lasting), consent_of(lasting), held.attributes, held.affinities)
        return shopper_of(profile if self.profile is not None else None, told, is_known=True, now=moment)

    def owned_at(
        self, moment: datetime, usual: UsualDelivery, among: Collection[ProductId]
    ) -> dict[ProductId, OwnedProduct]:
        """What they had then, of these products, as a decision looks back."""
        since = moment - OWNED_SINCE
        kept = (line for line in self.bought if since <= line.ordered_at < moment and line.product_id in among)
        return owned_from(kept, usual)

    def suppressions_at(self, moment: datetime) -> tuple[Suppression, ...]:
        """Wishes that hold today and would have held then; when they were made is not kept."""
        return tuple(wish for wish in self.suppressions if wish.until > moment)

    def dismissals_at(self, moment: datetime) -> tuple[Dismissal, ...]:
        """What they had waved away by then and still held against it."""
        return tuple(one for one in self.dismissals if one.last_at <= moment < one.until)

    def preference_at(self, moment: datetime) -> str:
        """How much they wanted to be asked by then."""
        return preference_in_force([one for one in self.preferences if one.said_at <= moment])


NOBODY = PastPerson(None, (), (), (), (), ())


def count_past_orders(session: Session, shop_id: ShopId, since: datetime, until: datetime) -> int:
    """How many booked orders were placed from `since` to before `until`."""
    rows = select(func.count()).select_from(OrderRow).where(*ordered_within(shop_id, since, until), OrderRow.is_booked)
    return session.scalar(rows) or 0


def past_orders(session: Session, shop_id: ShopId, since: datetime, until: datetime) -> Iterator[list[PastOrder]]:
    """Pages of booked orders in the order they were placed; of two at one moment, the smaller id first."""
    after: tuple[datetime, int] | None = None
    while True:
        wanted = select(OrderRow.order_id, OrderRow.ordered_at, OrderRow.customer_id).where(
            *ordered_within(shop_id, since, until), OrderRow.is_booked
        )
        if after is not None:
            later = and_(OrderRow.ordered_at == after[0], OrderRow.order_id > after[1])
            wanted = wanted.where(or_(OrderRow.ordered_at > after[0], later))
        page = session.execute(wanted.order_by(OrderRow.ordered_at, OrderRow.order_id).limit(PAGE)).all()
        if not page:
            return
        lines = _lines(session, shop_id, [row.order_id for row in page])
        yield [
            PastOrder(OrderId(row.order_id), row.ordered_at, row.customer_id, tuple(lines.get(row.order_id, ())))
            for row in page
        ]
        after = page[-1].ordered_at, page[-1].order_id


def past_people(
    session: Session, shop_id: ShopId, customers: Collection[CustomerId], *, since: datetime, until: datetime
) -> dict[CustomerId, PastPerson]:
    """Everything that is kept of these customers up to a moment, by customer."""
    subjects = [customer_subject(customer) for customer in sorted(customers)]
    profiles = profiles_of(session, shop_id, subjects)
    signals = _by_subject(_signals(session, shop_id, subjects), lambda one: one.subject)
    wishes = _by_subject(suppressions_of(session, shop_id, subjects, now=since), lambda one: one.subject)
    dismissals = _by_subject(_dismissals(session, shop_id, subjects), lambda one: one.subject)
    preferences = _preferences(session, shop_id, subjects)
    bought = _bought(session, shop_id, customers, until)
    return {
        customer: PastPerson(
            profile=profiles.get(customer_subject(customer)),
            signals=tuple(signals.get(customer_subject(customer), ())),
            bought=tuple(bought.get(customer, ())),
            suppressions=tuple(wishes.get(customer_subject(customer), ())),
            dismissals=tuple(dismissals.get(customer_subject(customer), ())),
            preferences=tuple(preferences.get(customer_subject(customer), ())),
        )
        for customer in customers
    }


def shopper_or_nobody(person: PastPerson | None, moment: datetime) -> Shopper:
    """The customer as of a moment; a guest is nobody."""
    return ANONYMOUS if person is None else person.shopper_at(moment)


def usual_delivery_of(session: Session, shop_id: ShopId) -> UsualDelivery:
    """How long orders of the shop usually take."""
    return shop_usual_delivery(session, shop_id)


def _lines(session: Session, shop_id: ShopId, order_ids: Sequence[int]) -> dict[int, list[CartLine]]:
    """Lines as they were bought, but those that an offer of ours added."""
    found: dict[int, list[CartLine]] = {}
    line = OrderLineRow
    for batch in batches(order_ids):
        rows = select(line.order_id, line.variant_id, line.product_id, line.quantity).where(
            line.shop_id == shop_id,
            line.order_id.in_(batch),
            line.product_id.is_not(None),
            line.variant_id.is_not(None),
            line.offer_token.is_(None),
            ~line.is_gift_card,
            line.quantity > 0,
        )
        for row in session.execute(rows.order_by(line.order_id, line.position, line.line_id)):
            one = CartLine(VariantId(row.variant_id or 0), ProductId(row.product_id or 0), row.quantity)
            found.setdefault(row.order_id, []).append(one)
    return found


def _signals(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> Iterator[Signal]:
    for batch in batches(subjects):
        rows = select(*SIGNAL_COLUMNS).where(SignalRow.shop_id == shop_id, SignalRow.subject.in_(batch))
        yield from (signal_of(row) for row in session.execute(rows.order_by(SignalRow.occurred_at, SignalRow.kind)))


def _dismissals(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> Iterator[Dismissal]:
    key = (
        DismissalRow.subject,
        DismissalRow.offer_id,
        DismissalRow.anchor_product_id,
        DismissalRow.product_id,
    )
    for batch in batches(subjects):
        rows = select(DismissalRow.__table__).where(DismissalRow.shop_id == shop_id, DismissalRow.subject.in_(batch))
        yield from (_dismissal(row) for row in session.execute(rows.order_by(*key)))


def _dismissal(row: Row[Any]) -> Dismissal:
    scope = Scope(OfferId(row.offer_id), ProductId(row.anchor_product_id), ProductId(row.product_id))
    return Dismissal(row.subject, scope, row.times, row.last_at, row.until)


def _preferences(session: Session, shop_id: ShopId, subjects: Sequence[str]) -> dict[str, list[Preference]]:
    found: dict[str, list[Preference]] = {}
    for batch in batches(subjects):
        rows = select(PreferenceRow.subject, PreferenceRow.level, PreferenceRow.said_at).where(
            PreferenceRow.shop_id == shop_id, PreferenceRow.subject.in_(batch)
        )
        for row in session.execute(rows):
            found.setdefault(row.subject, []).append(Preference(row.level, row.said_at))
    return found


def _bought(
    session: Session, shop_id: ShopId, customers: Collection[CustomerId], until: datetime
) -> dict[CustomerId, list[OwnedLine]]:
    line, arrival = OrderLineRow, OrderDeliveryRow
    same_order = (line.shop_id == OrderRow.shop_id) & (line.order_id == OrderRow.order_id)
    same_arrival = (arrival.shop_id == OrderRow.shop_id) & (arrival.order_id == OrderRow.order_id)
    moments = (arrival.shipped_at, arrival.delivered_at)
    columns = (line.product_id, line.order_id, OrderRow.ordered_at, line.net_quantity, *moments)
    found: dict[CustomerId, list[OwnedLine]] = {}
    for batch in batches(sorted(customers)):
        rows: Any = (
            select(OrderRow.customer_id, *columns)
            .join(line, same_order)
            .join(arrival, same_arrival, isouter=True)
            .where(OrderRow.shop_id == shop_id, OrderRow.customer_id.in_(batch), OrderRow.ordered_at < until)
            .where(KNOWN_ORDER, OrderRow.is_booked)
            .where(line.net_quantity > 0, line.product_id.is_not(None), ~line.is_gift_card)
            .order_by(OrderRow.ordered_at, line.order_id, line.line_id)
        )
        for customer, *fields in session.execute(rows):
            found.setdefault(CustomerId(customer), []).append(OwnedLine(*fields))
    return found


def _by_subject(things: Any, subject_of: Any) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in things:
        found.setdefault(subject_of(one), []).append(one)
    return found
