"""What an arm's customers brought since their trigger and are expected to bring in the year ahead. Pure.

Comes in: what customers kept, and who was assigned where. Goes out: per arm realised and expected value beside the
merchant's target. The model is fitted on customers whom offers cannot have changed: on everybody's orders from before
the programme, or else on the holdout. Fitted on customers who saw offers it would take the effect for nature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shopify_upsell.core import CustomerId
from shopify_upsell.experiments.layers import HOLDOUT
from shopify_upsell.experiments.lifetime import PurchaseFit, expected_purchases, fit_purchases, forecast
from shopify_upsell.experiments.maximum import NotFitted
from shopify_upsell.experiments.repeat_days import CustomerHistories, histories_from_orders
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.experiments.spending import SpendFit, expected_value, fit_spending
from shopify_upsell.reports.figures_by_arm import LifetimeProgress, lifetime_progress
from shopify_upsell.reports.incremental import Missing, missing_of
from shopify_upsell.reports.kept import KeptHistory, PlacedOrder

AHEAD_DAYS = 365

FEWEST_CUSTOMERS, FEWEST_REPEATERS = 100, 25
"""Customers, and those among them who came again, that a model is fitted on. Source: our choice: fewer leave the answer
to the prior."""

BEFORE, ON_HOLDOUT = "before_the_programme", "holdout"

Members = Mapping[str, Mapping[CustomerId, datetime]]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One arm's progress. Numbers are None while `missing` says why.

    Units: minor units per customer; `expected` in the next 365 days, with a 95 % interval of how many purchases there
    will be; `fitted_on` whose orders the model knows.
    """

    arm: str
    customers: int
    fitted_on: str | None = None
    realised: float | None = None
    expected: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None
    target: int | None = None
    share_of_target: float | None = None
    missing: Missing | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    purchases: PurchaseFit
    spending: SpendFit
    fitted_on: str


def lifetimes(
    history: KeptHistory, members: Members, *, started_on: date | None, target: int | None = None
) -> tuple[Lifetime, ...]:
    """Say for each arm what its known customers brought and will bring. Units: `target` minor units per customer.

    `started_on`: the day the first shopper ever met the programme.
    """
    model = _model(history, members, started_on)
    return tuple(_lifetime(arm, people, history, model, target) for arm, people in members.items())


def _model(history: KeptHistory, members: Members, started_on: date | None) -> _Model | Missing:
    before = [order for order in history.orders if started_on is not None and order.ordered_on < started_on]
    end = started_on.toordinal() - 1 if started_on is not None else 0
    held_out = [order for order in history.orders if order.customer_id in members.get(HOLDOUT, {})]
    missing = Missing("too_few_units", 0, FEWEST_CUSTOMERS)
    for orders, last, name in ((before, end, BEFORE), (held_out, history.today.toordinal(), ON_HOLDOUT)):
        found = _fitted(_histories(orders, last), name)
        if isinstance(found, _Model):
            return found
        missing = max(missing, found, key=lambda one: one.seen)
    return missing


def _fitted(given: CustomerHistories, name: str) -> _Model | Missing:
    customers, repeaters = len(given.customer), int((given.repeats > 0).sum())
    if customers < FEWEST_CUSTOMERS:
        return Missing("too_few_units", customers, FEWEST_CUSTOMERS)
    if repeaters < FEWEST_REPEATERS:
        return Missing("too_few_repeaters", repeaters, FEWEST_REPEATERS)
    purchases = fit_purchases(given.compressed())
    spending = fit_spending(given.repeats, given.mean_value)
    if isinstance(purchases, NotFitted) or isinstance(spending, NotFitted):
        return Missing("not_fitted", customers, customers)
    return _Model(purchases, spending, name)


def _histories(orders: Sequence[PlacedOrder], end_day: int) -> CustomerHistories:
    return histories_from_orders(
        [order.customer_id for order in orders],
        [order.ordered_on.toordinal() for order in orders],
        [order.net_minor_units for order in orders],
        end_day=end_day,
    )


def _lifetime(
    arm: str, people: Mapping[CustomerId, datetime], history: KeptHistory, model: _Model | Missing, target: int | None
) -> Lifetime:
    if isinstance(model, Missing):
        return Lifetime(arm, len(people), target=target, missing=model)
    placed = [order for order in history.orders if order.customer_id in people]
    given = _histories(placed, history.today.toordinal())
    if not len(given.customer):
        return Lifetime(arm, len(people), target=target, missing=Missing("too_few_units", 0, 1))
    compressed = given.compressed()
    ahead = forecast(model.purchases, compressed, float(AHEAD_DAYS))
    found = lifetime_progress(
        arm, _realised(placed, people), ahead, value=_value_per_purchase(model, given), target=target
    )
    return _told(arm, len(people), model.fitted_on, found)


def _realised(placed: Sequence[PlacedOrder], people: Mapping[CustomerId, datetime]) -> list[int]:
    """Net revenue since each customer's trigger; customers without an order count with 0."""
    amounts = dict.fromkeys(people, 0)
    for order in placed:
        customer = CustomerId(order.customer_id)
        if order.ordered_at >= people[customer]:
            amounts[customer] += order.net_minor_units
    return list(amounts.values())


def _value_per_purchase(model: _Model, given: CustomerHistories) -> float:
    """Value of a purchase to come, customers weighted by how many they will make."""
    purchases = expected_purchases(model.purchases, given.compressed(), [float(AHEAD_DAYS)])[:, 0]
    values = expected_value(model.spending, given.repeats, given.mean_value)
    return float(purchases @ values / purchases.sum()) if purchases.sum() > 0 else model.spending.mean


def _told(arm: str, customers: int, fitted_on: str, found: LifetimeProgress | NotEnoughData) -> Lifetime:
    if isinstance(found, NotEnoughData):
        return Lifetime(arm, customers, missing=missing_of(found))
    return Lifetime(
        arm=arm,
        customers=customers,
        fitted_on=fitted_on,
        realised=found.realised,
        expected=found.expected_mean,
        expected_low=found.expected.low,
        expected_high=found.expected.high,
        target=found.target,
        share_of_target=found.share_of_target,
    )
