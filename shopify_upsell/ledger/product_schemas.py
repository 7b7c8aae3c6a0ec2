"""Shape of Shopify's product document; it ends in a fact."""

from typing import Any

from marshmallow import ValidationError, fields, post_load

from shopify_upsell.core import InvalidInput, ProductId, VariantId
from shopify_upsell.ledger.amounts import clean_text, minor_units
from shopify_upsell.ledger.catalog import PREPAID, SUBSCRIPTION, SellingPlan
from shopify_upsell.ledger.facts import EPOCH, ProductFact, VariantFact, Version
from shopify_upsell.ledger.fields import Amount, CurrencyCode, FactSchema, Flag, Moment, ShopifyId, Words


class CostSchema(FactSchema):
    """What one piece costs the shop."""

    amount = Amount(required=True)
    currency_code = CurrencyCode(required=True)


class PlanSchema(FactSchema):
    """A selling plan of a product. `percentage_off` None: it prices in another way."""

    id = ShopifyId(required=True)
    name = Words(allow_none=True, load_default=None)
    percentage_off_basis_points = fields.Integer(allow_none=True, load_default=None, strict=True)
    deliveries = fields.Integer(load_default=1, strict=True)


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
    unit_cost = fields.Nested(CostSchema, allow_none=True, load_default=None)
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
    selling_plans = fields.List(fields.Nested(PlanSchema), allow_none=True, load_default=None)
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
        selling_plans=tuple(_plan(plan) for plan in product["selling_plans"] or ()),
        # Only the Admin API's documents have the key, and they tell the costs as well.
        details_at=product["updated_at"] if product["selling_plans"] is not None else None,
    )


def _plan(plan: dict[str, Any]) -> SellingPlan:
    percentage, deliveries = plan["percentage_off_basis_points"], max(1, plan["deliveries"])
    return SellingPlan(
        selling_plan_id=plan["id"],
        name=clean_text(plan["name"] or "")[:200],
        kind=PREPAID if deliveries > 1 else SUBSCRIPTION,
        percentage_off_basis_points=percentage if percentage is not None and 0 <= percentage <= 10_000 else None,
        deliveries=deliveries,
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
        unit_cost=_unit_cost(variant["unit_cost"], currency),
        inventory_policy="continue" if (variant["inventory_policy"] or "").lower() == "continue" else "deny",
        stock=variant["inventory_quantity"] if _is_counted(variant) else None,
    )


def _unit_cost(cost: dict[str, Any] | None, currency: str) -> int | None:
    """A cost in another currency, or with digits that the currency does not have, is as good as none."""
    if cost is None or cost["currency_code"] != currency:
        return None
    try:
        amount = minor_units(cost["amount"].text, currency)
    except InvalidInput:
        return None
    return amount if amount >= 0 else None


def _is_counted(variant: dict[str, Any]) -> bool:
    return variant["inventory_quantity"] is not None and variant.get("inventory_management", "shopify") is not None


def _is_available(variant: dict[str, Any]) -> bool:
    """Whether it can be bought now: not counted, sold beyond stock, or in stock."""
    if variant["available"] is not None:
        return bool(variant["available"])
    is_beyond_stock = variant["inventory_policy"] == "continue"
    return not _is_counted(variant) or is_beyond_stock or variant["inventory_quantity"] > 0


def _image_url(image: Any) -> str | None:
    source = image.get("src") if isinstance(image, dict) else None
    return clean_text(source)[:2000] if isinstance(source, str) and source.startswith(("https://", "http://")) else None
