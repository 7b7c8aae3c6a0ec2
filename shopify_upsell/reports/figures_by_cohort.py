"""Do customers come back, and with how much: cohorts by month of first order, revenue kept year on year. Pure.

In: what each customer's orders were worth, by day. Out: a table of cohorts and months since, where a month that is not
over yet is unknown and never 0; and, for shops with contracts, how recurring revenue moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class KeptOrder:
    """One booked order, net of returns. Units: a day in the shop's time zone; minor units of one currency.

    Shape: orders of which nothing was kept are left out by the caller.
    """

    customer_id: int
    ordered_on: date
    net_minor_units: int


@dataclass(frozen=True, slots=True)
class CohortCell:
    """One cohort, some months after its first. Units: `months_since` 0 for the month of the first order.

    Shape: `active` customers of `customers` who ordered in that month; their revenue beside the cohort's own first
    month's. `is_complete` only when the month is over.
    """

    cohort: str
    months_since: int
    customers: int
    active: int
    net_minor_units: int
    first_month_minor_units: int
    is_complete: bool

    @property
    def retention(self) -> float | None:
        """Give the share of the cohort that ordered; None while the month is not over."""
        return self.active / self.customers if self.is_complete else None

    @property
    def revenue_retention(self) -> float | None:
        """Give revenue as a share of the first month's; None while the month is not over, or with nothing to keep."""
        return self.net_minor_units / self.first_month_minor_units if self._has_base else None

    @property
    def _has_base(self) -> bool:
        return self.is_complete and self.first_month_minor_units > 0


@dataclass(frozen=True, slots=True)
class RevenueRetention:
    """What last year's customers brought this year. Units: minor units; `customers` those with an order before."""

    customers: int
    before_minor_units: int
    after_minor_units: int

    @property
    def rate(self) -> float | None:
        """Give after over before; None where nothing was brought before."""
        return self.after_minor_units / self.before_minor_units if self.before_minor_units > 0 else None


@dataclass(frozen=True, slots=True)
class RecurringBridge:
    """How monthly recurring revenue moved. Units: minor units a month; contraction and churn are 0 or less.

    Shape: opening + new + expansion + contraction + churn = closing, exactly.
    """

    opening: int
    new: int
    expansion: int
    contraction: int
    churn: int
    closing: int


def cohort_table(orders: Iterable[KeptOrder], *, today: date) -> list[CohortCell]:
    """Follow every cohort, month by calendar month, up to the month of `today`.

    Shape: cohorts ascending, months ascending from 0, all of them, also those in which nobody came.
    Units: `today` the last full day of data; its month is complete when it is the month's last day.
    """
    months: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for order in orders:
        if order.ordered_on <= today:
            months[order.customer_id][_month(order.ordered_on)] += order.net_minor_units
    cohorts: dict[int, list[Mapping[int, int]]] = defaultdict(list)
    for by_month in months.values():
        cohorts[min(by_month)].append(by_month)
    last_complete = _month(today + timedelta(days=1)) - 1
    cells = []
    for first in sorted(cohorts):
        members = cohorts[first]
        base = sum(member[first] for member in members)
        for month in range(first, _month(today) + 1):
            came = [member[month] for member in members if month in member]
            cells.append(
                CohortCell(
                    cohort=f"{first // 12:04d}-{first % 12 + 1:02d}",
                    months_since=month - first,
                    customers=len(members),
                    active=len(came),
                    net_minor_units=sum(came),
                    first_month_minor_units=base,
                    is_complete=month <= last_complete,
                )
            )
    return cells


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def revenue_retention(orders: Iterable[KeptOrder], *, today: date, days: int = YEAR_DAYS) -> RevenueRetention:
    """Compare what customers of the year before last brought then and in the last year.

    Customers who are new in the last year do not count, however much they bought: retention is about those who were
    there. Above 1 means that they brought more than before.

    Units: the last year is the `days` ending with `today`, the year before the `days` before those.
    """
    middle, start = today - timedelta(days=days), today - timedelta(days=2 * days)
    before: dict[int, int] = defaultdict(int)
    after: dict[int, int] = defaultdict(int)
    for order in orders:
        if start < order.ordered_on <= middle:
            before[order.customer_id] += order.net_minor_units
        elif middle < order.ordered_on <= today:
            after[order.customer_id] += order.net_minor_units
    return RevenueRetention(len(before), sum(before.values()), sum(after[customer] for customer in list(before)))


def recurring_bridge(before: Mapping[int, int], after: Mapping[int, int]) -> RecurringBridge | None:
    """Say how recurring revenue went from one month to the next, contract by contract.

    None: the shop has no contracts, so there is no such figure, which is not the same as 0.

    Shape: contract to its revenue. Units: minor units a month.
    """
    if not before and not after:
        return None
    changes = {contract: after.get(contract, 0) - before.get(contract, 0) for contract in before.keys() | after.keys()}
    both = before.keys() & after.keys()
    return RecurringBridge(
        opening=sum(before.values()),
        new=sum(after[contract] for contract in after.keys() - before.keys()),
        expansion=sum(max(0, changes[contract]) for contract in both),
        contraction=sum(min(0, changes[contract]) for contract in both),
        churn=-sum(before[contract] for contract in before.keys() - after.keys()),
        closing=sum(after.values()),
    )
