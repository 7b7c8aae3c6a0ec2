"""Order lines, the one input that the product matrix learns from.

Comes in: six equal-length columns of plain integers, and when the order arrived where that is known. Goes out: the same
columns, checked, so that no later station has to ask whether an id is missing or a time is a float.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

GUEST = -1
"""Customer id of a shopper without a customer record: each guest order stands alone."""


@dataclass(frozen=True)
class OrderLines:
    """What was bought, one entry per order line, in any order.

    Shape: 1-d arrays of one length; an order's lines share its id, customer and times.
    Units: int64 ids (customer -1 is a guest), unix seconds, pieces, minor units of the shop's currency. Without
    `delivered_at`, waiting is counted from the order.
    Raises: ValueError naming the column that is not 1-d, not integer, of another length or out of range.
    """

    order_id: Integers
    customer_id: Integers
    ordered_at: Integers
    product_id: Integers
    quantity: Integers
    unit_price: Integers
    delivered_at: Integers = None  # type: ignore[assignment]  # filled in below, so that every reader finds a column

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            # The fields come in turn: the times of ordering are a checked column by now.
            column = self.ordered_at if given is None else _integer_column(field.name, given)
            object.__setattr__(self, field.name, column)
        for field in fields(self):
            if len(getattr(self, field.name)) != len(self.order_id):
                raise ValueError(
                    f"{field.name} has {len(getattr(self, field.name))} entries, order_id has {len(self.order_id)}"
                )
        _refuse_below("customer_id", self.customer_id, GUEST)
        _refuse_below("quantity", self.quantity, 0)
        _refuse_below("unit_price", self.unit_price, 0)

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.order_id)

    def where(self, kept: NDArray[np.bool_]) -> OrderLines:
        """Keep only the lines for which `kept` is true.

        Shape: `kept` is a boolean array as long as the columns.
        """
        return OrderLines(*(getattr(self, field.name)[kept] for field in fields(self)))


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
