"""Read the discounts of a shop as the Admin API tells them.

Pure. Comes in: nodes of `discountNodes`. Goes out: `ActiveDiscount`s. Whatever a node says that cannot be turned into
an exact rule (a collection, a customer segment, a market, a usage limit, a function, buy X get Y) makes it opaque: it
may apply or not, and no price that it could touch is promised.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from shopify_upsell.core import InvalidInput, ProductId, VariantId, parse_gid, parse_time
from shopify_upsell.money import Money
from shopify_upsell.offers.discounts import (
    AMOUNT_EACH,
    AMOUNT_ONCE,
    OPAQUE,
    ORDER,
    PERCENTAGE,
    PRODUCT,
    SHIPPING,
    WHOLE,
    ActiveDiscount,
)

LONGEST_TITLE = 100
BASIC = ("DiscountAutomaticBasic", "DiscountCodeBasic")
BUY_AND_GET = "DiscountAutomaticBxgy"
FREE = ("DiscountAutomaticFreeShipping", "DiscountCodeFreeShipping")
CLASSES = {"PRODUCT": PRODUCT, "ORDER": ORDER, "SHIPPING": SHIPPING}
COMBINES = {"productDiscounts": PRODUCT, "orderDiscounts": ORDER, "shippingDiscounts": SHIPPING}

Node = Mapping[str, Any]


class _NotExactError(Exception):
    """The node says something that no rule here can express."""


def discounts_of(nodes: Sequence[Node], currency: str) -> tuple[ActiveDiscount, ...]:
    """Read the nodes that matter: an expired discount does not, nor one with codes that were not all read.

    Shape: in the order of their ids, each once. Raises: InvalidInput for a node that is no discount at all.
    """
    found = (_discount_of(node, currency) for node in nodes)
    by_id = {one.discount_id: one for one in found if one is not None}
    return tuple(by_id[key] for key in sorted(by_id))


def _discount_of(node: Node, currency: str) -> ActiveDiscount | None:
    told = node.get("discount") or {}
    if told.get("status") == "EXPIRED":
        return None
    codes = _codes(told)
    if codes is not None and len(codes) != 1:
        # A cart with a code that nobody has heard of is not predicted: leaving it out promises nothing.
        return None
    plain = ActiveDiscount(
        discount_id=str(node["id"]).rsplit("/", 1)[-1],
        discount_class=_class_of(told),
        value_kind=OPAQUE,
        combines_with=tuple(name for key, name in COMBINES.items() if (told.get("combinesWith") or {}).get(key)),
        code=codes[0] if codes else None,
        is_for_subscriptions=True,
        starts_at=_moment(told.get("startsAt")),
        ends_at=_moment(told.get("endsAt")),
        title=str(told.get("title") or "")[:LONGEST_TITLE],
    )
    return _exact(plain, told, currency)


def _exact(plain: ActiveDiscount, told: Node, currency: str) -> ActiveDiscount:
    """The discount with all its rules, or opaque for what it is known to be about."""
    kind = told.get("__typename")
    known: dict[str, Any] = {}
    try:
        if kind == BUY_AND_GET:
            # What is bought for it may come from anywhere; but it takes something off what is got, and nothing else.
            known = _targets(told["customerGets"])
        if kind in BASIC:
            known = _targets(told["customerGets"]) | _ways(told["customerGets"])
            known |= _minimum(told, currency)
            _require_open(told)
            return _with(plain, known | _value(plain, told, known, currency))
        if kind in FREE:
            known = _ways(told) | _minimum(told, currency)
            _require_open(told)
            _require(bool((told.get("destinationSelection") or {}).get("allCountries")))
            _require(told.get("maximumShippingPrice") is None)
            return _with(plain, known | {"value_kind": PERCENTAGE, "basis_points": WHOLE})
    except (_NotExactError, InvalidInput, InvalidOperation, KeyError, TypeError, ValueError):
        pass
    return _with(plain, known)


def _with(plain: ActiveDiscount, known: Mapping[str, Any]) -> ActiveDiscount:
    named = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    return ActiveDiscount(**named | dict(known))


def _class_of(told: Node) -> str:
    """The class that touches most: an app's discount may have several."""
    classes = [CLASSES[name] for name in told.get("discountClasses") or () if name in CLASSES]
    return next((one for one in (PRODUCT, ORDER, SHIPPING) if one in classes), PRODUCT)


def _codes(told: Node) -> list[str] | None:
    """The codes that were read: one and a second if there are more; None for an automatic discount."""
    if not str(told.get("__typename", "")).startswith("DiscountCode"):
        return None
    return [str(each["code"]) for each in (told.get("codes") or {}).get("nodes") or ()]


def _require(is_known: bool) -> None:
    if not is_known:
        raise _NotExactError


def _require_open(told: Node) -> None:
    """Everybody may use it, as often as they like, beside no other product discount on one line.

    Source: admin schema 2026-10, `DiscountContext` and `DiscountCombinesWith`.
    """
    _require((told.get("context") or {}).get("all") == "ALL")
    _require(told.get("usageLimit") is None and not told.get("appliesOncePerCustomer"))
    _require(not told["combinesWith"].get("productDiscountsWithTagsOnSameCartLine"))


def _targets(gets: Node) -> dict[str, Any]:
    items = gets.get("items") or {}
    if items.get("allItems"):
        return {}
    products, variants = items["products"], items["productVariants"]
    for listed in (products, variants):
        _require(not listed["pageInfo"]["hasNextPage"])
    return {
        "product_ids": tuple(sorted(ProductId(parse_gid(one["id"], "Product")) for one in products["nodes"])),
        "variant_ids": tuple(sorted(VariantId(parse_gid(one["id"], "ProductVariant")) for one in variants["nodes"])),
    }


def _ways(told: Node) -> dict[str, Any]:
    return {
        "is_for_one_time": bool(told["appliesOnOneTimePurchase"]),
        "is_for_subscriptions": bool(told["appliesOnSubscription"]),
    }


def _minimum(told: Node, currency: str) -> dict[str, Any]:
    needed = told.get("minimumRequirement") or {}
    if "greaterThanOrEqualToQuantity" in needed:
        return {"minimum_quantity": int(needed["greaterThanOrEqualToQuantity"])}
    if "greaterThanOrEqualToSubtotal" in needed:
        return {"minimum_minor_units": _money(needed["greaterThanOrEqualToSubtotal"], currency)}
    return {}


def _value(plain: ActiveDiscount, told: Node, known: Mapping[str, Any], currency: str) -> dict[str, Any]:
    value, is_order = told["customerGets"]["value"], plain.discount_class == ORDER
    # An order discount is off the whole order: one that names products would be a product discount.
    _require(plain.discount_class != SHIPPING and not (is_order and "product_ids" in known))
    if "percentage" in value:
        return {"value_kind": PERCENTAGE, "basis_points": _basis_points(value["percentage"])}
    _require(not (is_order and value["appliesOnEachItem"]))
    kind = AMOUNT_EACH if value["appliesOnEachItem"] else AMOUNT_ONCE
    return {"value_kind": kind, "minor_units": _money(value["amount"], currency)}


def _basis_points(share: object) -> int:
    """Source: Admin API, `DiscountPercentage.percentage` is a share of 1; platform notes, section 7.3."""
    exact = Decimal(str(share)) * WHOLE
    _require(0 < exact <= WHOLE and exact == exact.to_integral_value())
    return int(exact)


def _money(amount: Node, currency: str) -> int:
    _require(amount["currencyCode"] == currency)
    return Money.from_decimal_string(amount["amount"], currency).minor_units


def _moment(text: object) -> Any:
    return parse_time(text) if text is not None else None
