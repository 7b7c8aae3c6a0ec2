"""What selling costs a shop besides the goods: given by the merchant, else assumed, and then said to be assumed.

Pure, frozen; part of a decision's snapshot.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from shopify_upsell.core import InvalidInput, canonical_json
from shopify_upsell.money import LARGEST_AMOUNT

WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Costs:
    """A shop's costs. `known`: names of the fields that the merchant stated; every other one is an assumption.

    Units: basis points of the amount the shopper pays, or of list price for `goods_basis_points`; minor units of the
    shop's currency. `tax_basis_points`: sales tax contained in prices. `free_shipping_minor_units`: what an order's
    shipping costs the shop when it gives it away. `extra_shipping_minor_units`: what one more piece in the parcel
    costs. `goods_lost_basis_points`: part of the goods' cost that a return does not bring back.
    """

    goods_basis_points: int = 5000
    fee_basis_points: int = 290
    fee_minor_units: int = 30
    tax_basis_points: int = 0
    free_shipping_minor_units: int = 500
    extra_shipping_minor_units: int = 0
    refund_basis_points: int = 0
    goods_lost_basis_points: int = 10_000
    handling_minor_units: int = 0
    app_basis_points: int = 0
    known: tuple[str, ...] = ()


ASSUMED_COSTS = Costs()
"""Source: our choice. 50 % goods is the middle of retail gross margins; 2.9 % + 30 is the list price of card payments
on the platform's basic plan in the US; a returned piece is counted as lost until the merchant says otherwise."""


def check_costs(costs: Costs) -> None:
    """Refuse costs that cannot be. Raises: InvalidInput naming the field."""
    for problem in _problems(costs):
        raise InvalidInput(problem)


def costs_to_json(costs: Costs) -> str:
    """Write what the merchant stated; what was assumed stays open to better assumptions."""
    stated: dict[str, Any] = {name: value for name, value in asdict(costs).items() if name in costs.known}
    return canonical_json(stated)


def costs_from_json(text: str) -> Costs:
    """Read back what `costs_to_json` wrote."""
    stated: dict[str, Any] = json.loads(text)
    return Costs(**stated, known=tuple(sorted(stated)))


def _problems(costs: Costs) -> Iterator[str]:
    amounts = {each.name: getattr(costs, each.name) for each in fields(costs) if each.name != "known"}
    for name, amount in amounts.items():
        limit = WHOLE if name.endswith("_basis_points") else LARGEST_AMOUNT
        if not 0 <= amount <= limit:
            yield f"{name}: is 0 to {limit}"
    for name in costs.known:
        if name not in amounts:
            yield f"known: names no cost {name[:40]!r}"
