"""Up-sell ladders: within one family, from the smaller or plainer to the larger or better.

Comes in: the catalogue. Goes out: for each product the rungs above it, nearest first. A rung has to be in reach: the
step that asks for several times the price is not an up-sell but another purchase.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.products import Products

LARGEST_STEP = 2.5
"""Price of a rung over the price below it at most. Source: a chosen constant; merchants change it by pinning."""

SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(ml|cl|l|mg|g|kg|oz|lb|ct|count|pack|pcs|capsules|tablets)\b", re.IGNORECASE)
PER_UNIT = {"cl": 10.0, "l": 1000.0, "kg": 1000.0, "mg": 0.001, "lb": 16.0}
DIMENSION = {"ml": "ml", "cl": "ml", "l": "ml", "g": "g", "mg": "g", "kg": "g", "oz": "oz", "lb": "oz"}


@dataclass(frozen=True)
class Rung:
    """One step up.

    Units: positions in the catalogue; `extra_price` in minor units; `saving_rate` is how much less one unit of content
    costs up there, 0 to 1, and None where the titles give no comparable size.
    """

    product: int
    above: int
    extra_price: int
    saving_rate: float | None


def ladders_of(products: Products) -> list[Rung]:
    """List every step up inside every family, ordered by product and then by price."""
    rungs: list[Rung] = []
    families: dict[str, list[int]] = {}
    for place, family in enumerate(products.family):
        if family and products.price[place] > 0:
            families.setdefault(str(family), []).append(place)
    for places in families.values():
        members = sorted(places, key=lambda place: (int(products.price[place]), int(products.id[place])))
        for low, product in enumerate(members):
            rungs.extend(_rungs_above(products, product, members[low + 1 :]))
    return sorted(rungs, key=lambda rung: (rung.product, rung.extra_price, rung.above))


def _rungs_above(products: Products, product: int, dearer: list[int]) -> list[Rung]:
    price = int(products.price[product])
    rungs = []
    for above in dearer:
        extra = int(products.price[above]) - price
        if extra > 0 and products.price[above] <= LARGEST_STEP * price:
            rungs.append(Rung(product, above, extra, _saving_rate(products, product, above)))
    return rungs


def _saving_rate(products: Products, product: int, above: int) -> float | None:
    lower, upper = content_of(str(products.title[product])), content_of(str(products.title[above]))
    if lower is None or upper is None or lower[1] != upper[1] or upper[0] <= lower[0]:
        return None
    unit_price_rate = (products.price[above] / upper[0]) / (products.price[product] / lower[0])
    return max(0.0, 1 - float(unit_price_rate))


def content_of(title: str) -> tuple[float, str] | None:
    """Read an amount such as "50 ml" or "2 kg" from a title, in the dimension's base unit; None if there is none."""
    found = SIZE.search(title)
    if not found:
        return None
    unit = found.group(2).lower()
    amount = float(found.group(1).replace(",", ".")) * PER_UNIT.get(unit, 1.0)
    return (amount, DIMENSION.get(unit, "count")) if amount > 0 else None


def available_rungs(rungs: list[Rung], available: NDArray[np.bool_]) -> list[Rung]:
    """Leave out the steps to what cannot be bought now."""
    return [rung for rung in rungs if available[rung.above]]
