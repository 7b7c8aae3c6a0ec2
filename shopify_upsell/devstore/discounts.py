"""The merchant's own discounts: made, changed and ended by a switch, told by webhook, read over the Admin API.

The cart and the checkout do not apply them: the app is to predict what Shopify would charge, and its tests have a slow
checkout of their own to compare with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.admin_objects import Listing, Node, instant, matches
from shopify_upsell.devstore.amounts import decimal_text, minor_units
from shopify_upsell.devstore.order_changes import ImpossibleChange
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.webhook_bodies import Body, stamp

TYPES = {
    "percentage": ("DiscountAutomaticBasic", "DiscountCodeBasic"),
    "amount": ("DiscountAutomaticBasic", "DiscountCodeBasic"),
    "free_shipping": ("DiscountAutomaticFreeShipping", "DiscountCodeFreeShipping"),
    "buy_x_get_y": ("DiscountAutomaticBxgy", "DiscountCodeBxgy"),
    "function": ("DiscountAutomaticApp", "DiscountCodeApp"),
}
"""Kind of discount, and its GraphQL type without a code and with one."""

CLASSES = ("PRODUCT", "ORDER", "SHIPPING")

Reader: TypeAlias = Callable[[Any, str], object]


@dataclass(frozen=True, slots=True)
class Discount:
    """One discount as a merchant sets it up.

    Units: `basis_points` off, or `amount` in minor units of the shop's currency, off each piece if `is_each`.
    `for_whom`: all, segment or market. `products` None: all; `is_collection`: those of a collection.
    """

    discount_id: int
    kind: str
    title: str
    starts_at: datetime
    discount_class: str = "PRODUCT"
    basis_points: int = 0
    amount: int = 0
    is_each: bool = True
    products: tuple[int, ...] | None = None
    is_collection: bool = False
    for_whom: str = "all"
    minimum_subtotal: int = 0
    minimum_quantity: int = 0
    combines_with: tuple[str, ...] = ()
    code: str | None = None
    ends_at: datetime | None = None

    def status_at(self, now: datetime) -> str:
        """ACTIVE, SCHEDULED or EXPIRED."""
        if self.ends_at is not None and self.ends_at <= now:
            return "EXPIRED"
        return "ACTIVE" if self.starts_at <= now else "SCHEDULED"

    def gid(self) -> str:
        """The id under which webhooks name it."""
        return f"gid://shopify/Discount{'Code' if self.code else 'Automatic'}Node/{self.discount_id}"


@dataclass(slots=True)
class Discounts:
    """The discounts of one shop."""

    shop: DevShop
    rows: dict[int, Discount] = field(default_factory=dict)

    def listing(self, query: str | None = None, **_: object) -> Listing:
        """List discounts that match a search, by id."""
        now = self.shop.config.clock()
        found = [one for one in self.rows.values() if matches(query, _search_fields(one, now))]
        rows: list[tuple[tuple[str, int], object]] = [(("", one.discount_id), one) for one in found]
        return Listing(sorted(rows, key=lambda row: row[0]), self._row)

    def keep(self, discount: Discount, topic: str) -> None:
        """Store a discount and send its news: a name and a state, nothing of what it does."""
        now = self.shop.config.clock()
        self.rows[discount.discount_id] = discount
        self.shop.announce(topic, discount_body(discount, now))

    def remove(self, discount_id: int) -> None:
        """Delete a discount. Raises: KeyError."""
        gone = self.rows.pop(discount_id)
        body: Body = {"admin_graphql_api_id": gone.gid(), "deleted_at": stamp(self.shop.config.clock())}
        self.shop.announce("discounts/delete", body)

    def _row(self, discount: object) -> Node:
        assert isinstance(discount, Discount)  # noqa: S101 the listing holds nothing else
        return discount_node(discount, self.shop.currency, self.shop.config.clock())


def discount_body(discount: Discount, now: datetime) -> Body:
    """A discount, as `discounts/create` and `discounts/update` carry it."""
    return {
        "admin_graphql_api_id": discount.gid(),
        "title": discount.title,
        "status": discount.status_at(now),
        "created_at": stamp(discount.starts_at),
        "updated_at": stamp(now),
    }


def discount_node(discount: Discount, currency: str, now: datetime) -> Node:
    """A discount with its rules, as the Admin API tells it."""
    told: Node = {
        "__typename": TYPES[discount.kind][discount.code is not None],
        "title": discount.title,
        "status": discount.status_at(now),
        "discountClasses": [discount.discount_class],
        "startsAt": instant(discount.starts_at),
        "endsAt": instant(discount.ends_at) if discount.ends_at else None,
        "appliesOnOneTimePurchase": True,
        "appliesOnSubscription": False,
        "usageLimit": None,
        "appliesOncePerCustomer": False,
        "maximumShippingPrice": None,
        "destinationSelection": {"__typename": "DiscountCountryAll", "allCountries": True},
        "codes": [{"code": discount.code}] if discount.code else [],
        "combinesWith": {
            "productDiscounts": "product" in discount.combines_with,
            "orderDiscounts": "order" in discount.combines_with,
            "shippingDiscounts": "shipping" in discount.combines_with,
            "productDiscountsWithTagsOnSameCartLine": [],
        },
        "context": _context(discount),
        "minimumRequirement": _minimum(discount, currency),
        "customerGets": {
            "appliesOnOneTimePurchase": True,
            "appliesOnSubscription": False,
            "items": _items(discount),
            "value": _value(discount, currency),
        },
    }
    return {"id": f"gid://shopify/DiscountNode/{discount.discount_id}", "discount": told}


def add_discount_switches(views: Blueprint, shop: DevShop, discounts: Discounts) -> None:
    """Let a developer make, change and end discounts."""

    @views.post("/discounts")
    def make() -> ResponseReturnValue:
        with shop.lock:
            plain = Discount(shop.new_id(), "percentage", "Discount", shop.config.clock())
            made = _as_told(plain, _body(), shop.currency)
            discounts.keep(made, "discounts/create")
        return jsonify(discount_id=made.discount_id)

    @views.post("/discounts/<int:discount_id>")
    def change(discount_id: int) -> ResponseReturnValue:
        with shop.lock:
            discounts.keep(_as_told(discounts.rows[discount_id], _body(), shop.currency), "discounts/update")
        return jsonify(discount_id=discount_id)

    @views.delete("/discounts/<int:discount_id>")
    def end(discount_id: int) -> ResponseReturnValue:
        with shop.lock:
            discounts.remove(discount_id)
        return jsonify(discount_id=discount_id)


def _body() -> Mapping[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _as_told(before: Discount, body: Mapping[str, object], currency: str) -> Discount:
    """The discount with what the body changes. Raises: ImpossibleChange for a name or value it cannot have."""
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name not in READERS:
            raise ImpossibleChange(f"a discount has no {name}")
        try:
            changes[name] = READERS[name](value, currency)
        except (TypeError, ValueError, KeyError) as wrong:
            raise ImpossibleChange(f"{name} cannot be that") from wrong
    return replace(before, **changes)


def _moment(value: object, _currency: str) -> object:
    return None if value is None else datetime.fromisoformat(str(value))


def _one_of(allowed: tuple[str, ...]) -> Reader:
    def read(value: object, _currency: str) -> object:
        if value not in allowed:
            raise ValueError(value)
        return value

    return read


def _texts(value: object, _currency: str) -> object:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _numbers(value: object, _currency: str) -> object:
    return tuple(int(each) for each in value) if isinstance(value, list) else None


READERS: dict[str, Reader] = {
    "kind": _one_of(tuple(TYPES)),
    "title": lambda value, _currency: str(value),
    "discount_class": _one_of(CLASSES),
    "basis_points": lambda value, _currency: int(value),
    "amount": lambda value, currency: minor_units(str(value), currency),
    "is_each": lambda value, _currency: bool(value),
    "products": _numbers,
    "is_collection": lambda value, _currency: bool(value),
    "for_whom": _one_of(("all", "segment", "market")),
    "minimum_subtotal": lambda value, currency: minor_units(str(value), currency),
    "minimum_quantity": lambda value, _currency: int(value),
    "combines_with": _texts,
    "code": lambda value, _currency: None if value is None else str(value),
    "starts_at": _moment,
    "ends_at": _moment,
}
"""What a body may say of a discount, and how each is read."""


def _search_fields(discount: Discount, now: datetime) -> dict[str, str]:
    return {
        "id": str(discount.discount_id),
        "method": "code" if discount.code else "automatic",
        "status": discount.status_at(now).lower(),
    }


def _context(discount: Discount) -> Node:
    if discount.for_whom == "all":
        return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL"}
    return {"__typename": "DiscountCustomerSegments" if discount.for_whom == "segment" else "DiscountMarkets"}


def _minimum(discount: Discount, currency: str) -> Node | None:
    if discount.minimum_quantity:
        return {
            "__typename": "DiscountMinimumQuantity",
            "greaterThanOrEqualToQuantity": str(discount.minimum_quantity),
        }
    if discount.minimum_subtotal:
        least = _money(discount.minimum_subtotal, currency)
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": least}
    return None


def _items(discount: Discount) -> Node:
    if discount.is_collection:
        return {"__typename": "DiscountCollections"}
    if discount.products is None:
        return {"__typename": "AllDiscountItems", "allItems": True}
    named = [{"id": f"gid://shopify/Product/{number}"} for number in discount.products]
    return {"__typename": "DiscountProducts", "products": named, "productVariants": []}


def _value(discount: Discount, currency: str) -> Node:
    if discount.kind == "amount":
        taken = _money(discount.amount, currency)
        return {"__typename": "DiscountAmount", "amount": taken, "appliesOnEachItem": discount.is_each}
    return {"__typename": "DiscountPercentage", "percentage": discount.basis_points / 10_000}


def _money(amount: int, currency: str) -> Node:
    return {"amount": decimal_text(amount, currency), "currencyCode": currency}
