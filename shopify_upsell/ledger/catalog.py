"""What other stations read of products. Pure, frozen."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from shopify_upsell.core import ProductId, VariantId, canonical_json
from shopify_upsell.money import Money

SUBSCRIPTION, PREPAID = "subscribe", "prepaid"


@dataclass(frozen=True, slots=True)
class SellingPlan:
    """A way to buy a product again and again: each delivery paid as it comes, or several ahead (prepaid).

    Units: `percentage_off_basis_points` off the price of each delivery, 0 for none; None where the plan prices
    otherwise, so that its price is not known here. `deliveries` that one payment covers.
    """

    selling_plan_id: int
    name: str
    kind: str
    percentage_off_basis_points: int | None
    deliveries: int = 1


def plans_to_json(plans: Iterable[SellingPlan]) -> str:
    """Write plans as their column holds them; equal plans are equal text."""
    return canonical_json([asdict(plan) for plan in sorted(plans, key=lambda plan: plan.selling_plan_id)])


def plans_from_json(text: str) -> tuple[SellingPlan, ...]:
    """Read back what `plans_to_json` wrote."""
    return tuple(SellingPlan(**plan) for plan in json.loads(text)) if text != "[]" else ()


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant and its price in the shop's currency.

    Units: `unit_cost_minor_units` what one piece costs the shop, None where it is not told; `quantity` pieces in
    stock, None where they are not counted. `inventory_policy`: deny, or continue beyond stock.
    """

    variant_id: VariantId
    product_id: ProductId
    position: int
    title: str
    sku: str
    price: Money
    is_available: bool
    requires_components: bool
    unit_cost_minor_units: int | None = None
    inventory_policy: str = "deny"
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product as Shopify last described it, variants by position."""

    product_id: ProductId
    title: str
    handle: str
    status: str
    is_published: bool
    is_gift_card: bool
    requires_selling_plan: bool
    product_type: str
    vendor: str
    image_url: str | None
    is_deleted: bool
    variants: tuple[Variant, ...]
    selling_plans: tuple[SellingPlan, ...] = ()


class CatalogEntry(NamedTuple):
    """What learning reads of a product. Units: `price` of the cheapest variant in minor units, None without one."""

    product_id: int
    title: str
    product_type: str
    vendor: str
    price: int | None
