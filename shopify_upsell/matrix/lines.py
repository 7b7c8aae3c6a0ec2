"""Order lines, the one input that the product matrix learns from.

Comes in: six equal-length columns of plain integers, and where known when the order arrived, when a line was given back
and when its customer opted out. Goes out: the same columns, checked, so that no later station has to ask whether an id
is missing or a time is a float.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

GUEST = -1
"""Customer id of a shopper without a customer record: each guest order stands alone."""

NOT_YET = -1
"""Time of what has not happened."""


@dataclass(frozen=True)
class OrderLines:
    """What was bought, one entry per order line, in any order.

    Shape: 1-d arrays of one length; an order's lines share its id, customer and times.
    Units: int64 ids (customer -1 is a guest), unix seconds, pieces, minor units of the shop's currency. Without
    `delivered_at`, waiting is counted from the order. `refunded_at`: when the whole line was given back (its quantity
    may say what was sold, or 0); `opted_out_at`: when the customer next said that they want no offers; what they said
    before the order does not count. Both -1 where it has not happened.
    Raises: ValueError naming the column that is not 1-d, not integer, of another length or out of range.
    """

    order_id: Integers
    customer_id: Integers
    ordered_at: Integers
    product_id: Integers
    quantity: Integers
    unit_price: Integers
    # Filled in below where they are not given, so that every reader finds a column.
    delivered_at: Integers = None  # type: ignore[assignment]
    refunded_at: Integers = None  # type: ignore[assignment]
    opted_out_at: Integers = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            column = self._absent(field.name) if given is None else _integer_column(field.name, given)
            object.__setattr__(self, field.name, column)
        for field in fields(self):
            if len(getattr(self, field.name)) != len(self.order_id):
                raise ValueError(
                    f"{field.name} has {len(getattr(self, field.name))} entries, order_id has {len(self.order_id)}"
                )
        _refuse_below("customer_id", self.customer_id, GUEST)
        _refuse_below("quantity", self.quantity, 0)
        _refuse_below("unit_price", self.unit_price, 0)
        _refuse_below("refunded_at", self.refunded_at, NOT_YET)
        _refuse_below("opted_out_at", self.opted_out_at, NOT_YET)

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.order_id)

    @property
    def has_endings(self) -> bool:
        """Tell whether anything was given back, or anybody opted out."""
        return bool((self.refunded_at > NOT_YET).any() or (self.opted_out_at > NOT_YET).any())

    def _absent(self, name: str) -> Integers:
        """Stand in for a column that was not given; the fields come in turn, so the times of ordering are checked."""
        if name == "delivered_at":
            return self.ordered_at
        # One number seen as a column takes no memory, however many lines there are.
        return np.broadcast_to(np.int64(NOT_YET), np.shape(self.order_id)[:1])

    def where(self, kept: NDArray[np.bool_]) -> OrderLines:
        """Keep only the lines for which `kept` is true.

        Shape: `kept` is a boolean array as long as the columns.
        """
        columns = {field.name: getattr(self, field.name)[kept] for field in fields(self)}
        if self.delivered_at is self.ordered_at:
            # Not known stays not known: of lines that disagree the earliest order counts, not the latest arrival.
            del columns["delivered_at"]
        return OrderLines(**columns)


def distinct(values: Integers) -> Integers:
    """Give the different values, ascending. For millions of integers: numpy's own `unique` takes fifty times as long.

    Source: measured with numpy 2.4, whose `unique` hashes first and sorts afterwards.
    """
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _integer_column(name: str, values: object) -> Integers:
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"{name} must be 1-d, not {column.ndim}-d")
    # An empty list has no type of its own; numpy calls it float.
    if column.size and not np.issubdtype(column.dtype, np.integer):
        raise ValueError(f"{name} must hold integers, not {column.dtype}")
    return column.astype(np.int64, copy=False)


def _refuse_below(name: str, column: Integers, least: int) -> None:
    if column.size and int(column.min()) < least:
        raise ValueError(f"{name} must be at least {least}, found {int(column.min())}")
