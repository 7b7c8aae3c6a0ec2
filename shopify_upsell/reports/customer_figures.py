"""How customers come back, over the whole shop: cohorts, revenue kept year on year, products owned. Pure.

Comes in: what customers kept. Goes out: counts with their denominators, shares with 95 % intervals, and "not enough
data" where there is nothing to divide by. These describe the shop; what offers caused is told by arm.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shopify_upsell.reports.figures import AdditionalPurchases, Breadth, additional_purchases, breadth_of_products
from shopify_upsell.reports.figures_by_cohort import (
    CohortCell,
    RevenueRetention,
    cohort_table,
    revenue_retention,
)
from shopify_upsell.reports.incremental import Missing
from shopify_upsell.reports.kept import KeptHistory

MOST_COHORTS = 24
"""Cohorts told, the newest. Source: our choice: two years."""

FEW = 20
"""Customers or orders below which a share is marked as resting on few. Source: our choice."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its counts. Units: 0 to 1, with a 95 % interval; None where nobody could."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None
    is_few: bool
    missing: Missing | None


@dataclass(frozen=True, slots=True)
class CustomerFigures:
    """The shop's customers so far. Shape: cohorts ascending, their months ascending; see `figures_by_cohort`."""

    currency: str | None
    last_full_day: str
    sample_share: float
    customers: int
    cohorts: tuple[CohortCell, ...]
    revenue: RevenueRetention
    breadth: Breadth
    additional: AdditionalPurchases

    def to_json(self) -> dict[str, Any]:
        """Plain values, each rate beside what it is made of."""
        return {
            "currency": self.currency,
            "last_full_day": self.last_full_day,
            "sample_share": self.sample_share,
            "customers": self.customers,
            "cohorts": [_cell(cell) for cell in self.cohorts],
            "revenue_retention": asdict(self.revenue)
            | {"rate": self.revenue.rate, "missing": _missing(self.revenue.rate, self.revenue.customers)},
            "breadth": asdict(self.breadth)
            | {
                "customers_by_count": {str(count): n for count, n in self.breadth.customers_by_count.items()},
                "mean": self.breadth.mean,
                "missing": _missing(self.breadth.mean, self.breadth.customers),
            },
            "additional_purchases": additional_json(self.additional),
        }


def customer_figures(history: KeptHistory) -> CustomerFigures:
    """Count everything that a history tells of a shop's customers."""
    orders = [order.kept for order in history.orders]
    cells = cohort_table(orders, today=history.today)
    newest = set(sorted({cell.cohort for cell in cells})[-MOST_COHORTS:])
    return CustomerFigures(
        currency=history.currency,
        last_full_day=history.today.isoformat(),
        sample_share=history.sample_share,
        customers=len({order.customer_id for order in orders}),
        cohorts=tuple(cell for cell in cells if cell.cohort in newest),
        revenue=revenue_retention(orders, today=history.today),
        breadth=breadth_of_products(history.lines),
        additional=additional_purchases(history.lines),
    )


def share_of(count: int, of: int) -> Share:
    """Write a share with its interval. Source: Wilson 1927."""
    if not of:
        return Share(count, of, None, None, None, is_few=True, missing=Missing("no_denominator", 0, 1))
    from shopify_upsell.matrix.cohorts import wilson_interval

    low, high = wilson_interval(count, of)
    return Share(count, of, count / of, low, high, is_few=of < FEW, missing=None)


def additional_json(found: AdditionalPurchases) -> dict[str, Any]:
    """Further purchases with their rates, as plain values."""
    return asdict(found) | {
        "orders_per_buyer": found.orders_per_buyer,
        "products_per_buyer": found.products_per_buyer,
        "missing": _missing(found.orders_per_buyer, found.buyers),
    }


def cells_by_cohort(cells: Sequence[CohortCell]) -> dict[str, list[CohortCell]]:
    """The rows of the retention table."""
    rows: dict[str, list[CohortCell]] = {}
    for cell in cells:
        rows.setdefault(cell.cohort, []).append(cell)
    return rows


def _cell(cell: CohortCell) -> dict[str, Any]:
    share = asdict(share_of(cell.active, cell.customers)) if cell.is_complete else None
    return asdict(cell) | {
        "retention": cell.retention,
        "retention_low": share["low"] if share else None,
        "retention_high": share["high"] if share else None,
        "revenue_retention": cell.revenue_retention,
        "missing": None if cell.is_complete else asdict(Missing("month_not_over", 0, 1)),
    }


def _missing(value: float | None, seen: int) -> dict[str, Any] | None:
    return None if value is not None else asdict(Missing("no_denominator", seen, 1))
