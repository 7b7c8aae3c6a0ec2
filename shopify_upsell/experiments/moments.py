"""What statistics need to know of an arm, and no more: counts, sums and sums of products, kept exactly. Pure.

In: what each unit has bought so far, and bought before. Out: an arm's `Moments`, which can be updated unit by unit,
merged and subtracted without loss, because they are Python integers. A mean, a ratio, a variance and a CUPED
adjustment can all be read from them; the units themselves need not be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from operator import mul

COLUMNS = ("y", "d", "x", "w", "h")
"""What is summed for a unit, in this order; see `UnitTotals`."""

PAIRS = tuple(combinations_with_replacement(range(len(COLUMNS)), 2))
_PLACE = {pair: place for place, pair in enumerate(PAIRS)} | {(b, a): place for place, (a, b) in enumerate(PAIRS)}
_NO_SUMS, _NO_CROSSES = (0,) * len(COLUMNS), (0,) * len(PAIRS)


@dataclass(frozen=True, slots=True)
class UnitTotals:
    """What one unit amounts to so far.

    `y` is the outcome (net revenue, margin, orders with an offer) and `d` what it may be divided by (orders, visits,
    attributed revenue), both since the unit's trigger. `x` and `w` are the same two from the 28 days before it, for a
    unit with history. `is_converter`: it has ordered since, even if it was refunded since.

    Units: money in minor units of one currency.
    Raises: ValueError when a unit without history has a past.
    """

    y: int = 0
    d: int = 0
    x: int = 0
    w: int = 0
    has_history: bool = False
    is_converter: bool = False

    def __post_init__(self) -> None:
        if not self.has_history and (self.x or self.w):
            raise ValueError("a unit without history has x = 0 and w = 0")

    @property
    def row(self) -> tuple[int, ...]:
        """Give the totals in the order of COLUMNS."""
        return (self.y, self.d, self.x, self.w, int(self.has_history))


@dataclass(frozen=True, slots=True)
class Moments:
    """An arm's sufficient statistics.

    Shape: `n` units, `converters` of them with an order; `sums` follows COLUMNS, `crosses` follows PAIRS (yy, yd, yx,
    yw, yh, dd, …): for units i, Σ a_i and Σ a_i·b_i.
    Units: those of `UnitTotals`, and their products. All exact integers.
    """

    n: int = 0
    converters: int = 0
    sums: tuple[int, ...] = field(default=_NO_SUMS)
    crosses: tuple[int, ...] = field(default=_NO_CROSSES)

    def __add__(self, other: Moments) -> Moments:
        """Merge two disjoint sets of units."""
        return self._combined(other, 1)

    def __sub__(self, other: Moments) -> Moments:
        """Take a set of units out again."""
        return self._combined(other, -1)

    def _combined(self, other: Moments, sign: int) -> Moments:
        return Moments(
            self.n + sign * other.n,
            self.converters + sign * other.converters,
            tuple(a + sign * b for a, b in zip(self.sums, other.sums, strict=True)),
            tuple(a + sign * b for a, b in zip(self.crosses, other.crosses, strict=True)),
        )

    def with_unit(self, unit: UnitTotals) -> Moments:
        """Count a unit that was not yet counted."""
        return self + of_unit(unit)

    def with_change(self, before: UnitTotals, after: UnitTotals) -> Moments:
        """Replace what a counted unit amounted to: Σy² changes by b² - a², and so on for every product."""
        return self + (of_unit(after) - of_unit(before))

    def total(self, column: str) -> int:
        """Give Σ of a column."""
        return self.sums[COLUMNS.index(column)]

    def cross(self, column: str, other: str) -> int:
        """Give Σ of the product of two columns."""
        return self.crosses[_PLACE[COLUMNS.index(column), COLUMNS.index(other)]]

    def centred(self, column: str, other: str) -> int:
        """Give n·Σab - Σa·Σb, exactly: n(n-1) times the sample covariance."""
        return self.n * self.cross(column, other) - self.total(column) * self.total(other)

    def as_json(self) -> dict[str, object]:
        """Give what `moments_from_json` reads. Integers may exceed 2^53: keep them out of JavaScript."""
        return {"n": self.n, "converters": self.converters, "sums": list(self.sums), "crosses": list(self.crosses)}


NO_UNITS = Moments()


def of_unit(unit: UnitTotals) -> Moments:
    """Give the moments of a single unit."""
    row = unit.row
    return Moments(1, int(unit.is_converter), row, tuple(row[a] * row[b] for a, b in PAIRS))


def of_units(units: Iterable[UnitTotals]) -> Moments:
    """Give the moments of many units."""
    listed = list(units)
    if not listed:
        return NO_UNITS
    columns = list(zip(*(unit.row for unit in listed), strict=True))
    return Moments(
        len(listed),
        sum(unit.is_converter for unit in listed),
        tuple(sum(column) for column in columns),
        tuple(sum(map(mul, columns[a], columns[b])) for a, b in PAIRS),
    )


def moments_from_json(document: Mapping[str, object]) -> Moments:
    """Read what `as_json` wrote.

    Raises: ValueError when a number is missing, is not a whole number, or there are more of them than there should be.
    """
    sums, crosses = _integers(document.get("sums")), _integers(document.get("crosses"))
    if len(sums) != len(COLUMNS) or len(crosses) != len(PAIRS):
        raise ValueError("moments have 5 sums and 15 crosses")
    n, converters = _integers([document.get("n"), document.get("converters")])
    return Moments(n, converters, sums, crosses)


def _integers(values: object) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ValueError("moments are whole numbers")
    return tuple(values)
