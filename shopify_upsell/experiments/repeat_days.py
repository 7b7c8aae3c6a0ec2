"""A customer's purchases boiled down to what lifetime models read: how often, until when, watched how long. Pure.

In: one row an order, or the counts themselves. Out: `RepeatDays`, each distinct history once with how many customers
share it. Two orders on one day are one purchase: people who forgot something did not come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RepeatDays:
    """Distinct purchase histories.

    Shape: five arrays of one length. `repeats` days with a purchase after the first; `last` time from the first to the
    last of them, 0 without any; `watched` time from the first purchase to the end of the data; `customers` how many
    share the history. `place[i]` says which history customer i of the input has.
    Units: time in whatever unit came in (days, weeks); rates come out per that unit.
    """

    repeats: Reals
    last: Reals
    watched: Reals
    customers: Reals
    place: Integers

    @property
    def customer_count(self) -> int:
        """Give the number of customers."""
        return len(self.place)


def repeat_days(repeats: ArrayLike, last: ArrayLike, watched: ArrayLike) -> RepeatDays:
    """Check histories, customer by customer, and keep each distinct one once.

    Shape: three 1-d arrays of one length; 0 <= last <= watched, and last is 0 exactly where repeats are.
    Raises: ValueError when they are not.
    Source: x, t_x and T of Fader, Hardie and Lee (2005), Marketing Science 24, 275-284.
    """
    x, t_x, end = (np.asarray(part, dtype=np.float64) for part in (repeats, last, watched))
    if x.ndim != 1 or not x.shape == t_x.shape == end.shape:
        raise ValueError("repeats, last and watched must be 1-d and of one length")
    if not (np.isfinite(x) & np.isfinite(t_x) & np.isfinite(end)).all():
        raise ValueError("a history is made of finite numbers")
    if (x < 0).any() or (x != np.floor(x)).any() or (t_x < 0).any() or (t_x > end).any():
        raise ValueError("repeats are whole numbers from 0, and 0 <= last <= watched")
    if ((x == 0) != (t_x == 0)).any():
        raise ValueError("the last purchase is the first one exactly where nothing was repeated")
    rows, place, count = np.unique(np.column_stack([x, t_x, end]), axis=0, return_inverse=True, return_counts=True)
    return RepeatDays(rows[:, 0], rows[:, 1], rows[:, 2], count.astype(np.float64), place.reshape(-1))


@dataclass(frozen=True, slots=True, eq=False)
class CustomerHistories:
    """What each customer bought, boiled down. Shape: arrays of one length, customers ascending.

    Units: `repeats`, `last` and `watched` as in `RepeatDays`, in days; `mean_value` minor units per repeat day, 0 where
    there was none. The first day's value is left out of it, as the first day is left out of `repeats`.
    """

    customer: Integers
    repeats: Integers
    last: Integers
    watched: Integers
    mean_value: Reals

    def compressed(self) -> RepeatDays:
        """Give the histories without their duplicates, for fitting."""
        return repeat_days(self.repeats, self.last, self.watched)


def histories_from_orders(customer: ArrayLike, day: ArrayLike, value: ArrayLike, *, end_day: int) -> CustomerHistories:
    """Boil orders down to a history per customer, as known at the end of `end_day`; later orders are left out.

    Shape: three 1-d arrays of integers and one length, an order each, in any order.
    Units: `day` a day number, such as `date.toordinal()` in the shop's time zone; `value` minor units, net.
    Raises: ValueError when lengths differ.
    """
    who, when, worth = (np.asarray(part, dtype=np.int64) for part in (customer, day, value))
    if who.ndim != 1 or not who.shape == when.shape == worth.shape:
        raise ValueError("customer, day and value must be 1-d and of one length")
    is_known = when <= end_day
    days, at = np.unique(np.column_stack([who[is_known], when[is_known]]), axis=0, return_inverse=True)
    worth_of_day = np.bincount(at.reshape(-1), worth[is_known], minlength=len(days))
    customers, first, count = np.unique(days[:, 0], return_index=True, return_counts=True)
    repeats = count - 1
    beyond_first = np.add.reduceat(worth_of_day, first) - worth_of_day[first] if len(first) else worth_of_day
    return CustomerHistories(
        customer=customers,
        repeats=repeats,
        last=days[first + repeats, 1] - days[first, 1],
        watched=end_day - days[first, 1],
        mean_value=np.where(repeats > 0, beyond_first / np.maximum(repeats, 1), 0.0),
    )
