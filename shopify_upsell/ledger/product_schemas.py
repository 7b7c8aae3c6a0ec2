"""Shape of Shopify's product document; it ends in a fact."""

from typing import Any

from marshmallow import ValidationError, fields, post_load

from shopify_upsell.core import InvalidInput, ProductId, VariantId
from shopify_upsell.ledger.amounts import clean_text, minor_units
from shopify_upsell.ledger.facts import EPOCH, ProductFact, VariantFact, Version
from shopify_upsell.ledger.fields import Amount, CurrencyCode, FactSchema, Flag, Moment, ShopifyId, Words


class VariantSchema(FactSchema):
    """A variant. Stock comes as a count and a policy by webhook, as a verdict from the Admin API."""

    id = ShopifyId(required=True)
    title = Words(allow_none=True, load_default=None)
    sku = Words(allow_none=True, load_default=None)
    price = Amount(required=True)
    position = fields.Integer(allow_none=True, load_default=None, strict=True)
    inventory_management = Words(allow_none=True)
    inventory_policy = Words(allow_none=True, load_default=None)
    inventory_quantity = fields.Integer(allow_none=True, load_default=None, strict=True)
    available = Flag(allow_none=True, load_default=None)
    requires_components = Flag(allow_none=True, load_default=None)


class ProductSchema(FactSchema):
    """A product. `currency` is the shop's: product documents name none."""

    id = ShopifyId(required=True)
    updated_at = Moment(required=True)
    title = Words(required=True)
    handle = Words(allow_none=True, load_default=None)
    status = Words(allow_none=True, load_default=None)
    published_at = Moment(allow_none=True, load_default=None)
    product_type = Words(allow_none=True, load_default=None)
    vendor = Words(allow_none=True, load_default=None)
    image = fields.Raw(allow_none=True, load_default=None)
    gift_card = Flag(allow_none=True, load_default=None)
    requires_selling_plan = Flag(allow_none=True, load_default=None)
    currency = CurrencyCode(required=True)
    variants = fields.List(fields.Nested(VariantSchema), required=True)

    @post_load
    def to_fact(self, product: dict[str, Any], **_: Any) -> ProductFact:
        """Version time only, as for orders."""
        try:
            return _product_fact(product)
        except InvalidInput as broken:
            raise ValidationError(broken.message) from broken


def _product_fact(product: dict[str, Any]) -> ProductFact:
    variants = tuple(
        _variant_fact(variant, position, product["currency"]) for position, variant in enumerate(product["variants"], 1)
    )
    if len({variant.variant_id for variant in variants}) != len(variants):
        raise InvalidInput("two variants with one id")
    return ProductFact(
        product_id=ProductId(product["id"]),
        version=Version(product["updated_at"], EPOCH, ""),
        title=product["title"],
        handle=product["handle"] or "",
        status=(product["status"] or "active").lower(),
        is_published=product["published_at"] is not None,
        is_gift_card=bool(product["gift_card"]),
        requires_selling_plan=bool(product["requires_selling_plan"]),
        product_type=product["product_type"] or "",
        vendor=product["vendor"] or "",
        image_url=_image_url(product["image"]),
        currency=product["currency"],
        variants=variants,
    )


def _variant_fact(variant: dict[str, Any], position: int, currency: str) -> VariantFact:
    price = minor_units(variant["price"].text, currency)
    if price < 0:
        raise InvalidInput("a price below zero")
    given = variant["position"]
    return VariantFact(
        variant_id=VariantId(variant["id"]),
        position=given if given is not None and 0 < given < 2**31 else position,
        title=variant["title"] or "",
        sku=variant["sku"] or "",
        price=price,
        is_available=_is_available(variant),
        requires_components=bool(variant["requires_components"]),
    )


def _is_available(variant: dict[str, Any]) -> bool:
    """Whether it can be bought now: not counted, sold beyond stock, or in stock."""
    if variant["available"] is not None:
        return bool(variant["available"])
    is_counted = (
        variant["inventory_quantity"] is not None and variant.get("inventory_management", "shopify") is not None
    )
    return not is_counted or variant["inventory_policy"] == "continue" or variant["inventory_quantity"] > 0


def _image_url(image: Any) -> str | None:
    source = image.get("src") if isinstance(image, dict) else None
    return clean_text(source)[:2000] if isinstance(source, str) and source.startswith(("https://", "http://")) else None
