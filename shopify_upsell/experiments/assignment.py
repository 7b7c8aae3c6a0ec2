"""Who is in which arm: a pure function of salt and unit, so that it needs no memory and can be recomputed by anyone.

In: a salt (random, one an experiment) and a unit (`c:{customer id}` or `v:{visitor id}`). Out: an arm, or holdout.
Source: SHA-256 of salt and unit, first 8 bytes read big-endian, as a fraction of 2^64. SHA-256 leaves experiments
independent where short multiplicative hashes correlate them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

ALL_BASIS_POINTS = 10_000
SEPARATOR = "\x1f"
"""The ASCII unit separator: no salt and no unit contains it, so ("ab", "c") and ("a", "bc") cannot meet."""

_WHOLE = 2**64


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of an experiment. Units: `basis_points` of all units, 0 to 10,000."""

    name: str
    basis_points: int


def unit_interval(salt: str, unit: str) -> Fraction:
    """Place a unit on [0, 1): always the same place for the same salt, unrelated places for different salts.

    An exact fraction, because the nearest float to the last of 2^64 places is 1.0 and would fall outside every arm.
    """
    return Fraction(_position(salt, unit), _WHOLE)


def is_in_holdout(salt: str, unit: str, basis_points: int) -> bool:
    """Tell whether the unit never sees an offer. Widening the share only adds units, it never swaps them.

    Raises: ValueError when the share is not 0 to 10,000.
    """
    _check_share(basis_points)
    return _position(salt, unit) * ALL_BASIS_POINTS < basis_points * _WHOLE


def assign(salt: str, unit: str, arms: Sequence[Arm]) -> str | None:
    """Name the unit's arm, or None when the arms leave a share of units out and this unit is in it.

    Shape: arms take half-open ranges [from, to) in the order given, starting at 0.
    Raises: ValueError when a share is negative or all shares exceed 10,000.
    """
    for arm in arms:
        _check_share(arm.basis_points)
    _check_share(sum(arm.basis_points for arm in arms))
    place, upper = _position(salt, unit) * ALL_BASIS_POINTS, 0
    for arm in arms:
        upper += arm.basis_points
        if place < upper * _WHOLE:
            return arm.name
    return None


def _position(salt: str, unit: str) -> int:
    digest = hashlib.sha256(f"{salt}{SEPARATOR}{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _check_share(basis_points: int) -> None:
    if not 0 <= basis_points <= ALL_BASIS_POINTS:
        raise ValueError("a share is 0 to 10,000 basis points")
