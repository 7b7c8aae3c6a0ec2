"""The products of the generated shop: sixty skin-care things in families, written down rather than drawn by chance.

Pure: the same call gives the same products. Ids are those of `PRODUCT_BASE` and `VARIANT_BASE` plus a running number,
all above 2^31 and below 2^53, as Shopify's are.
"""

import re
from dataclasses import dataclass, replace

PRODUCT_BASE = 8_100_000_000_000
VARIANT_BASE = 44_200_000_000_000

# family, colour of its packaging, what it is for, price level in per cent
FAMILIES = (
    ("Oat Calm", "#d9b98a", "for skin that is easily upset", 95),
    ("Dew Drop", "#8fb8c9", "for skin that is thirsty", 100),
    ("Clear Start", "#9bbf9a", "for skin that breaks out", 90),
    ("Morning Bright", "#e8a85c", "for skin that looks tired", 110),
    ("Night Firm", "#8d83b5", "for skin that has seen some years", 135),
    ("Rose Ritual", "#d995a2", "for skin that likes company", 105),
    ("Green Tea", "#86a670", "for skin that lives in a city", 85),
    ("Sea Mineral", "#6f9fa0", "for skin that swims", 115),
)

# role, Shopify product type, ((size, price in minor units at level 100, stock), ...)
ROLES = (
    ("Gel Cleanser", "Cleanser", (("100 ml", 1400), ("200 ml", 2200), ("400 ml refill", 3600))),
    ("Toner", "Toner", (("100 ml", 1600), ("200 ml", 2600))),
    ("Serum", "Serum", (("15 ml", 2400), ("30 ml", 3900), ("50 ml", 5600))),
    ("Day Cream", "Moisturiser", (("50 ml", 3200), ("75 ml", 4300))),
    ("Night Balm", "Moisturiser", (("50 ml", 3800),)),
    ("Clay Mask", "Mask", (("60 ml", 2100), ("120 ml", 3400))),
)

# title, type, price: things that last, bought once
DURABLES = (
    ("Gua Sha Stone", "Tool", 2600),
    ("Jade Roller", "Tool", 2900),
    ("Silicone Mask Brush", "Tool", 900),
    ("Konjac Sponge", "Tool", 700),
    ("Reusable Cotton Rounds", "Tool", 1200),
    ("Bamboo Headband", "Accessory", 1100),
    ("Travel Pouch", "Accessory", 1800),
    ("Cleansing Brush", "Tool", 4900),
    ("Ice Globes", "Tool", 3400),
    ("Silk Pillowcase", "Accessory", 5900),
    ("Ceramic Dish", "Accessory", 1500),
    ("LED Mask", "Device", 14900),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One size of a product. `stock` None: Shopify does not track it; `cost` None: nobody entered one. Minor units."""

    variant_id: int
    product_id: int
    position: int
    title: str
    sku: str
    price: int
    stock: int | None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the shop sells it. `status` is Shopify's: ACTIVE, ARCHIVED, UNLISTED or DRAFT."""

    product_id: int
    title: str
    handle: str
    product_type: str
    vendor: str
    description: str
    family: str
    colour: str
    is_durable: bool
    status: str
    variants: tuple[Variant, ...]

    @property
    def is_listed(self) -> bool:
        """Tell whether collections and search show it."""
        return self.status == "ACTIVE"

    @property
    def is_reachable(self) -> bool:
        """Tell whether its page opens for those who know the address."""
        return self.status in ("ACTIVE", "UNLISTED")


def handleize(title: str) -> str:
    """Turn a title into the handle that Shopify would give it."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def make_catalogue() -> tuple[Product, ...]:
    """List the sixty products, with one discontinued, one unlisted and one out of stock among them."""
    products = [
        _family_product(8 * role_at + family_at, family, role)
        for role_at, role in enumerate(ROLES)
        for family_at, family in enumerate(FAMILIES)
    ]
    first_durable = len(products)
    products += [_durable_product(first_durable + at, row) for at, row in enumerate(DURABLES)]
    return tuple(_with_exceptions(product) for product in products)


COST_PERCENT = 35
"""Of the price; products of one size have no cost, as in shops where nobody entered one."""

DISCONTINUED = "Green Tea Night Balm"
UNLISTED = "Ceramic Dish"
OUT_OF_STOCK = "Ice Globes"


def _with_exceptions(product: Product) -> Product:
    if product.title == DISCONTINUED:
        return replace(product, status="ARCHIVED")
    if product.title == UNLISTED:
        return replace(product, status="UNLISTED")
    if product.title == OUT_OF_STOCK:
        return replace(product, variants=tuple(replace(variant, stock=0) for variant in product.variants))
    return product


def _family_product(
    number: int, family: tuple[str, str, str, int], role: tuple[str, str, tuple[tuple[str, int], ...]]
) -> Product:
    name, colour, purpose, level = family
    role_name, product_type, sizes = role
    title = f"{name} {role_name}"
    # Ends in .00 or .50 like a price list, not like a calculation.
    priced = tuple((size, price * level // 5000 * 50) for size, price in sizes)
    return Product(
        product_id=PRODUCT_BASE + number + 1,
        title=title,
        handle=handleize(title),
        product_type=product_type,
        vendor="Glow & Grain",
        description=f"A {role_name.lower()} {purpose}. Made in small batches, without perfume.",
        family=name,
        colour=colour,
        is_durable=False,
        status="ACTIVE",
        variants=_variants(number, priced),
    )


def _durable_product(number: int, row: tuple[str, str, int]) -> Product:
    title, product_type, price = row
    return Product(
        product_id=PRODUCT_BASE + number + 1,
        title=title,
        handle=handleize(title),
        product_type=product_type,
        vendor="Glow & Grain",
        description=f"{title}: bought once, used for years.",
        family="Tools",
        colour="#b7aa97",
        is_durable=True,
        status="ACTIVE",
        variants=_variants(number, (("Default Title", price),)),
    )


def _variants(number: int, sizes: tuple[tuple[str, int], ...]) -> tuple[Variant, ...]:
    return tuple(
        Variant(
            variant_id=VARIANT_BASE + 10 * (number + 1) + position,
            product_id=PRODUCT_BASE + number + 1,
            position=position,
            title=size,
            sku=f"GG-{number + 1:03d}-{position}",
            price=price,
            stock=5000 if len(sizes) > 1 else None,
            cost=price * COST_PERCENT // 100 if len(sizes) > 1 else None,
        )
        for position, (size, price) in enumerate(sizes, start=1)
    )
