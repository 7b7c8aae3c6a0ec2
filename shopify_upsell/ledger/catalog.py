"""What other stations read of products. Pure, frozen."""

from dataclasses import dataclass
from typing import NamedTuple

from shopify_upsell.core import ProductId, VariantId
from shopify_upsell.money import Money


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant and its price in the shop's currency."""

    variant_id: VariantId
    product_id: ProductId
    position: int
    title: str
    sku: str
    price: Money
    is_available: bool
    requires_components: bool


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


class CatalogEntry(NamedTuple):
    """What learning reads of a product. Units: `price` of the cheapest variant in minor units, None without one."""

    product_id: int
    title: str
    product_type: str
    vendor: str
    price: int | None
