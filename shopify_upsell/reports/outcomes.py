"""What units amount to: measured anew whenever an order, a credit or an identity changes, by the difference.

In: persons. Out: their totals in every experiment they are in. Totals are a function of exposures, names, ledger,
credits and the shop's costs as they are now, so it does not matter what came first or how often it came; a rebuild
finds the same sums.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import TouchpointRow
from shopify_upsell.core import CustomerId, OrderId, ShopId
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.experiments.layers import HOLDOUT_ID
from shopify_upsell.jobs.queue import Job, subjects_of
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderRow, batches
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.experiment_store import experiments_in
from shopify_upsell.offers.store import read_costs
from shopify_upsell.offers.unit_store import (
    CART,
    CUSTOMER,
    Linked,
    Sighting,
    cart_subject,
    forget_unit,
    hold_units,
    link_subjects,
    people_of,
    subjects_by_person,
)
from shopify_upsell.reports.measures import PRIOR_PERIOD, Totals
from shopify_upsell.reports.outcome_store import (
    Change,
    UnitRecord,
    clear_sums,
    put_changes,
    records_in,
    records_of_people,
)
from shopify_upsell.reports.outcome_tables import ExperimentUnitRow
from shopify_upsell.reports.worth import OrderWorth, Placed, orders_of, worth_of
from shopify_upsell.shops.store import get_shop

log = logging.getLogger(__name__)

PEOPLE_AT_ONCE = 200


@dataclass(frozen=True)
class _Person:
    """What is known of a person for measuring. Shape: orders and dismissals of every moment that may count."""

    orders: tuple[OrderWorth, ...]
    dismissed_at: tuple[datetime, ...]


def measure_changed(session: Session, jobs: Sequence[Job]) -> None:
    """Jobs: orders, or what is credited of them, changed; whoever placed them is measured again."""
    measure_orders(session, jobs[0].shop_id, [OrderId(number) for number in subjects_of(jobs)])


def measure_orders(session: Session, shop_id: ShopId, order_ids: Collection[OrderId]) -> int:
    """Measure whoever placed the orders. Returns how many units changed."""
    hold_units(session, shop_id)
    orders = select(OrderRow.cart_token, OrderRow.customer_id).where(
        OrderRow.shop_id == shop_id, OrderRow.order_id.in_(sorted(set(order_ids))), KNOWN_ORDER
    )
    named = [_subjects_of_order(row.cart_token, row.customer_id) for row in session.execute(orders)]
    known = people_of(session, shop_id, {name for names in named for name in names})
    # Only a known cart says something new: whose it was. The orders of a known customer are found by the customer.
    told = [Sighting(names) for names in named if names and names[0] in known and names[0].startswith(CART)]
    linked = join_people(session, shop_id, told)
    people = {linked.moved.get(person, person) for person in known.values()}
    return measure_people(session, shop_id, {*people, *linked.person_by_subject.values()})


def join_people(session: Session, shop_id: ShopId, sightings: Iterable[Sighting]) -> Linked:
    """Link names that were seen together, and join what was counted of persons who turn out to be one.

    Joined units amount to nothing until they are measured: the caller measures them in the same transaction.
    """
    linked = link_subjects(session, shop_id, sightings)
    if linked.moved:
        _join_records(session, shop_id, linked.moved)
    return linked


def measure_people(session: Session, shop_id: ShopId, person_ids: Collection[int]) -> int:
    """Measure persons in every experiment they are in, at the shop's costs. Returns how many of their units changed."""
    changed = 0
    wanted = sorted(set(person_ids))
    costs = read_costs(session, shop_id)
    for start in range(0, len(wanted), PEOPLE_AT_ONCE):
        records = records_of_people(session, shop_id, wanted[start : start + PEOPLE_AT_ONCE])
        changes = _remeasured(session, shop_id, records, costs)
        put_changes(session, shop_id, changes)
        changed += len(changes)
    return changed


def measure_dismissed(session: Session, shop_id: ShopId, *, since: datetime) -> int:
    """Measure whoever dismissed an offer since then. Returns how many units changed."""
    hold_units(session, shop_id)
    units = select(TouchpointRow.unit).where(
        TouchpointRow.shop_id == shop_id,
        TouchpointRow.kind == "dismiss",
        TouchpointRow.occurred_at >= since,
        TouchpointRow.unit.is_not(None),
    )
    names = {str(unit) for unit in session.scalars(units.distinct())}
    return measure_people(session, shop_id, people_of(session, shop_id, names).values())


def rebuild_outcomes(session: Session, shop_id: ShopId) -> int:
    """Measure everybody and add up every arm from nothing, for repair. Returns the number of units."""
    hold_units(session, shop_id)
    costs = read_costs(session, shop_id)
    clear_sums(session, shop_id)
    row = ExperimentUnitRow
    keys = select(row.experiment_id, row.phase).where(row.shop_id == shop_id).distinct()
    count = 0
    for experiment_id, phase in sorted((key[0], key[1]) for key in session.execute(keys)):
        records = list(records_in(session, shop_id, experiment_id, phase))
        for start in range(0, len(records), PEOPLE_AT_ONCE):
            piece = records[start : start + PEOPLE_AT_ONCE]
            after = {change.after.unit_key: change.after for change in _remeasured(session, shop_id, piece, costs)
                     if change.after is not None}  # fmt: skip
            put_changes(session, shop_id, [Change(None, after.get(one.unit_key, one)) for one in piece])
        count += len(records)
    log.info("outcomes_rebuilt", extra={"shop_id": shop_id, "unit_count": count})
    return count


def forget_in_experiments(session: Session, shop_id: ShopId, customer_id: CustomerId) -> None:
    """Forget a customer: the name goes, units no longer say who they were, and what they bought after is not found."""
    hold_units(session, shop_id)
    people = people_of(session, shop_id, [customer_subject(customer_id)])
    records = [one for one in records_of_people(session, shop_id, people.values()) if one.customer_id == customer_id]
    anonymous = [Change(one, replace(one, customer_id=None, totals=_without_past(one.totals))) for one in records]
    put_changes(session, shop_id, anonymous)
    forget_unit(session, shop_id, customer_id)
    measure_people(session, shop_id, people.values())


def quarter_end(quarter: int) -> datetime:
    """The first moment after a quarter, as `layers.quarter_of` numbers it: 20264 ends with 2026."""
    year, number = divmod(quarter, 10)
    return datetime(year + number // 4, number % 4 * 3 + 1, 1, tzinfo=UTC)


def _remeasured(session: Session, shop_id: ShopId, records: Sequence[UnitRecord], costs: Costs) -> list[Change]:
    if not records:
        return []
    ends = _ends(session, shop_id, records)
    people = _gather(session, shop_id, records, max(ends.values()), costs)
    changes = []
    for record in records:
        totals = _totals(record, people[record.person_id], ends[record.unit_key])
        if totals != record.totals:
            changes.append(Change(record, replace(record, totals=totals)))
    return changes


def _totals(record: UnitRecord, person: _Person, end: datetime) -> Totals:
    since = [order for order in person.orders if record.counts_from <= order.ordered_at < end]
    prior_from = record.counts_from - PRIOR_PERIOD
    # Only who was known as a customer at the trigger has a past: one learned from a later order would depend on it.
    prior = [
        order
        for order in person.orders
        if order.customer_id is not None
        and order.customer_id == record.customer_id
        and prior_from <= order.ordered_at < record.counts_from
    ]
    return Totals(
        net=sum(order.net for order in since),
        margin=sum(order.margin for order in since),
        attributed=sum(order.attributed for order in since),
        refunded=sum(order.refunded for order in since),
        orders=len(since),
        offer_orders=sum(order.attributed > 0 for order in since),
        refunded_orders=sum(order.refunded > 0 for order in since),
        dismissals=sum(record.counts_from <= moment < end for moment in person.dismissed_at),
        prior_net=sum(order.net for order in prior),
        prior_margin=sum(order.margin for order in prior),
        prior_orders=len(prior),
        has_history=record.customer_id is not None,
        first_ordered_at=min((order.ordered_at for order in since), default=None),
    )


def _gather(
    session: Session, shop_id: ShopId, records: Sequence[UnitRecord], end: datetime, costs: Costs
) -> dict[int, _Person]:
    """Read the orders and dismissals of all persons in few queries, and tell whose each is."""
    names = subjects_by_person(session, shop_id, {record.person_id for record in records})
    person_of = {name: person for person, each in names.items() for name in each}
    customers = [CustomerId(int(name[2:])) for name in person_of if name.startswith(CUSTOMER)]
    carts = [name[2:] for name in person_of if name.startswith(CART)]
    since = min(record.counts_from for record in records) - PRIOR_PERIOD
    currency = get_shop(session, shop_id).currency
    rows = orders_of(session, shop_id, Placed(customers, carts, since, end))
    orders: dict[int, list[OrderWorth]] = {}
    for order in worth_of(session, shop_id, rows, costs):
        # A cart says whose an order was when it was placed; the customer, for orders from elsewhere.
        subjects = _subjects_of_order(order.cart_token, order.customer_id)
        person = next((person_of[name] for name in subjects if name in person_of), None)
        if person is not None and order.currency == (currency or order.currency):
            orders.setdefault(person, []).append(order)
    dismissed = _dismissals(session, shop_id, person_of)
    people = {record.person_id for record in records}
    return {
        person: _Person(tuple(orders.get(person, ())), tuple(sorted(dismissed.get(person, ())))) for person in people
    }


def _dismissals(session: Session, shop_id: ShopId, person_of: dict[str, int]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    units = sorted(name for name in person_of if not name.startswith(CART))
    for batch in batches(units):
        rows = select(TouchpointRow.unit, TouchpointRow.occurred_at).where(
            TouchpointRow.shop_id == shop_id, TouchpointRow.unit.in_(batch), TouchpointRow.kind == "dismiss"
        )
        for row in session.execute(rows):
            found.setdefault(person_of[row.unit], []).append(row.occurred_at)
    return found


def _ends(session: Session, shop_id: ShopId, records: Sequence[UnitRecord]) -> dict[tuple[int, int, int], datetime]:
    """When each unit's measuring time is over: the same length in every arm, or the quarter's end."""
    horizons = {one.experiment_id: one.plan.horizon_days for one in experiments_in(session, shop_id)}
    return {
        record.unit_key: quarter_end(record.phase)
        if record.experiment_id == HOLDOUT_ID
        else record.first_at + timedelta(days=horizons[record.experiment_id])
        for record in records
    }


def _join_records(session: Session, shop_id: ShopId, moved: dict[int, int]) -> None:
    records = records_of_people(session, shop_id, {*moved.keys(), *moved.values()})
    joined: dict[tuple[int, int, int], UnitRecord] = {}
    for record in records:
        renamed = replace(record, person_id=moved.get(record.person_id, record.person_id))
        held = joined.get(renamed.unit_key)
        joined[renamed.unit_key] = renamed if held is None else held.joined(renamed)
    gone = [Change(record, None) for record in records]
    put_changes(session, shop_id, [*gone, *(Change(None, record) for record in joined.values())])


def _subjects_of_order(cart_token: str | None, customer_id: CustomerId | None) -> tuple[str, ...]:
    cart = (cart_subject(cart_token),) if cart_token else ()
    return (*cart, *((customer_subject(customer_id),) if customer_id is not None else ()))


def _without_past(totals: Totals) -> Totals:
    return replace(totals, prior_net=0, prior_margin=0, prior_orders=0, has_history=False)


def count_units(session: Session, shop_id: ShopId) -> int:
    """Units counted in all experiments and quarters."""
    counted: Any = select(func.count()).select_from(ExperimentUnitRow).where(ExperimentUnitRow.shop_id == shop_id)
    return int(session.scalar(counted) or 0)
