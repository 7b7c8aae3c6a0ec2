"""Which variant is the next larger or better one of the same product.

Pure. In: a product's variants and the one a shopper has. Out: the steps up, the nearest first. An upgrade stays
inside the product and inside a price the shopper has nearly accepted: it is never "something more expensive".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from shopify_upsell.core import VariantId
from shopify_upsell.money import Money

LARGEST_STEP = Fraction(5, 2)
"""A price beyond 2.5 times is another purchase, not a step. Source: our choice."""

SMALLEST_STEP = Fraction(11, 10)
"""Where the title tells no amount, a dearer variant counts as better from 10 % on; less is a surcharge for cloth."""

_OPTION_SEPARATOR = " / "
"""Between option values in a variant's title. Source: Shopify's variant title, e.g. "Red / 250 g"."""

_UNITS = {
    "mg": ("mass", Fraction(1, 1000)),
    "g": ("mass", Fraction(1)),
    "kg": ("mass", Fraction(1000)),
    "oz": ("mass", Fraction(2835, 100)),
    "lb": ("mass", Fraction(45359, 100)),
    "ml": ("volume", Fraction(1)),
    "cl": ("volume", Fraction(10)),
    "l": ("volume", Fraction(1000)),
    "fl oz": ("volume", Fraction(29574, 1000)),
} | dict.fromkeys(
    ("pack", "packs", "pcs", "pieces", "count", "ct", "capsules", "tablets", "sachets", "bags", "stück", "er-pack"),
    ("count", Fraction(1)),
)
_UNIT = "|".join(sorted((re.escape(unit) for unit in _UNITS), key=len, reverse=True))
_TIMES = re.compile(rf"(\d+)\s*[x×]\s*(\d+(?:[.,]\d+)?)\s*-?\s*({_UNIT})\b")
_MEASURE = re.compile(rf"(\d+(?:[.,]\d+)?)\s*-?\s*({_UNIT})\b")
_PACK_OF = re.compile(r"(?:pack|set|box) of (\d+)")
_FIT = re.compile(r"\d+([.,]\d+)?|(x{0,4}s|m|x{0,4}l|\d+xl|one size)", re.IGNORECASE)
"""Sizes a body has, not a product: nobody takes a larger shoe because it is offered."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is looked at of a variant. `position` is its place in the product's own order, from 1."""

    variant_id: VariantId
    position: int
    title: str
    price: Money


def steps_up(variants: Sequence[Step], variant_id: VariantId) -> tuple[VariantId, ...]:
    """List the larger variants of one that the shopper has, the smallest step first; empty when there is none."""
    current = next((variant for variant in variants if variant.variant_id == variant_id), None)
    if current is None:
        return ()
    higher = [variant for variant in variants if _is_price_step(current, variant) and _is_larger(current, variant)]
    higher.sort(key=lambda variant: (variant.price.minor_units, variant.position, variant.variant_id))
    return tuple(variant.variant_id for variant in higher)


def _is_price_step(current: Step, other: Step) -> bool:
    low, high = current.price, other.price
    return low.currency == high.currency and 0 < low.minor_units < high.minor_units <= LARGEST_STEP * low.minor_units


def _is_larger(current: Step, other: Step) -> bool:
    """Compare the one option in which both differ: by amount where both tell one, else by place and price."""
    mine, theirs = (variant.title.split(_OPTION_SEPARATOR) for variant in (current, other))
    differing = [(a.strip(), b.strip()) for a, b in zip(mine, theirs, strict=False) if a.strip() != b.strip()]
    if len(mine) != len(theirs) or len(differing) != 1:
        return False
    (my_value, their_value) = differing[0]
    if _FIT.fullmatch(my_value) or _FIT.fullmatch(their_value):
        return False
    my_amount, their_amount = _amount(my_value), _amount(their_value)
    if my_amount is None and their_amount is None:
        step = Fraction(other.price.minor_units, current.price.minor_units)
        return other.position > current.position and step >= SMALLEST_STEP
    if my_amount is None or their_amount is None or my_amount[0] != their_amount[0]:
        return False
    return their_amount[1] > my_amount[1]


def _amount(value: str) -> tuple[str, Fraction] | None:
    """Read "500 g", "6 x 330 ml" or "pack of 3" as a dimension and an amount in its base unit."""
    text = value.lower()
    times = _TIMES.search(text)
    if times is not None:
        dimension, size = _UNITS[times[3]]
        return dimension, int(times[1]) * _number(times[2]) * size
    measure = _MEASURE.search(text)
    if measure is not None:
        dimension, size = _UNITS[measure[2]]
        return dimension, _number(measure[1]) * size
    pack = _PACK_OF.search(text)
    return ("count", Fraction(int(pack[1]))) if pack is not None else None


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", "."))
