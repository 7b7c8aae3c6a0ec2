"""What extensions may send us. Our own API: unknown fields are refused."""

import re
from functools import lru_cache
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, post_load, pre_load, validate

from shopify_upsell.attribution.store import TOUCHPOINT_KINDS
from shopify_upsell.core import InvalidInput, VariantId, parse_gid
from shopify_upsell.offers.snapshot import CartLine

MOST_CART_LINES = 100
SNOOZE_DAYS = (7, 30, 90)
_VISITOR = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class GidField(fields.Field[int]):
    """A Shopify global id of one kind, or its bare number."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self._kind = kind

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        try:
            return parse_gid(value, self._kind)
        except InvalidInput as broken:
            raise ValidationError(broken.message) from broken


class OffersQuery(Schema):
    """The query of `GET /proxy/offers`, after its signature was verified."""

    class Meta:
        # The verifier has already refused every parameter but ours and the ones Shopify adds.
        unknown = EXCLUDE

    placement = fields.String(required=True)
    product = GidField("Product", load_default=None)
    cart = fields.String(load_default="", validate=validate.Length(max=6000))
    codes = fields.String(load_default="", validate=validate.Length(max=1000))
    cart_token = fields.String(load_default=None, validate=validate.Length(max=200))
    visitor = fields.String(load_default=None, validate=validate.Regexp(_VISITOR))
    locale = fields.String(load_default="en", validate=validate.Length(max=12))
    currency = fields.String(load_default=None, validate=validate.Length(equal=3))
    limit = fields.Integer(load_default=3, validate=validate.Range(1, 6))
    page = fields.String(load_default=None, validate=validate.Length(max=60))
    path = fields.String(load_default=None, validate=validate.Length(max=2000))
    market = fields.String(load_default=None, validate=validate.Length(max=100))
    country = fields.String(load_default=None, validate=validate.Length(equal=2))
    business = fields.Boolean(load_default=None)

    def load(self, data: Any, **options: Any) -> Any:
        """Load the query. What it says of the page, as thousands of shoppers ask it, is read once and remembered."""
        visitor = data.get("visitor", "")
        if options or (visitor and _VISITOR.fullmatch(visitor) is None):
            return super().load(data, **options)
        page = frozenset(item for item in data.items() if item[0] != "visitor")
        return {**self._page(page), "visitor": visitor or None}

    @lru_cache(maxsize=1024)  # noqa: B019 there is one schema, as long-lived as its routes
    def _page(self, items: frozenset[tuple[str, str]]) -> dict[str, Any]:
        loaded: dict[str, Any] = super().load(dict(items))
        return loaded

    @pre_load
    def drop_blanks(self, data: dict[str, str], **_options: Any) -> dict[str, str]:
        """A parameter sent empty was not sent."""
        return {key: value for key, value in data.items() if value != ""}

    @post_load
    def read_cart(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Read the cart's lines and codes, and its token without its key."""
        data["cart"] = cart_lines(data["cart"])
        data["codes"] = tuple(dict.fromkeys(code for code in data["codes"].split(",") if code.strip()))
        token = (data["cart_token"] or "").split("?")[0]
        data["cart_token"] = token if _TOKEN.fullmatch(token) else None
        return data


class TouchBody(Schema):
    """The body of an event: what the shopper did with an offer of a decision."""

    class Meta:
        unknown = RAISE

    decision_id = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f]{32}\Z"))
    offer_id = fields.Integer(required=True, validate=validate.Range(1, 2**63 - 1))
    event = fields.String(required=True, validate=validate.OneOf(TOUCHPOINT_KINDS))
    variant_id = GidField("ProductVariant", load_default=None)
    days = fields.Integer(load_default=30, validate=validate.OneOf(SNOOZE_DAYS))


class ClickBody(Schema):
    """The body of a click on a link of an e-mail: the token that the link carried."""

    class Meta:
        unknown = RAISE

    token = fields.String(required=True, validate=validate.Length(1, 400))


class PostPurchaseQuery(Schema):
    """The body of `POST /ext/post-purchase/offers`."""

    class Meta:
        unknown = RAISE

    reference_id = fields.String(required=True, validate=validate.Length(1, 255))
    locale = fields.String(load_default="en", validate=validate.Length(max=12))


class SignBody(Schema):
    """The body of `POST /ext/post-purchase/sign`: an offer to accept, never what it contains."""

    class Meta:
        unknown = RAISE

    reference_id = fields.String(required=True, validate=validate.Length(1, 255))
    decision_id = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f]{32}\Z"))
    offer_id = fields.Integer(required=True, validate=validate.Range(1, 2**63 - 1))


class PostPurchaseTouchBody(TouchBody):
    """An event on the post-purchase page."""

    reference_id = fields.String(required=True, validate=validate.Length(1, 255))


class MoneyJson(Schema):
    """Money at a JSON border. Units: `minor_units` with the currency's own number of digits."""

    minor_units = fields.Integer(required=True)
    currency = fields.String(required=True)


class ItemJson(Schema):
    """One product of an offer, with the signed token that its cart line must carry."""

    product_id = fields.String()
    variant_id = fields.String()
    title = fields.String()
    variant_title = fields.String()
    url = fields.String()
    image = fields.Dict(allow_none=True)
    quantity = fields.Integer()
    price = fields.Nested(MoneyJson)
    original_price = fields.Nested(MoneyJson, allow_none=True)
    selling_plan_id = fields.String(allow_none=True)
    token = fields.String()


class OfferJson(Schema):
    """One offer to draw.

    `why.fact`: what the shopper's own orders say. `greeting`: forms of address, of which the browser fills one.
    `original_total`, `saving`: only where exactly that is saved. `replaces`: what leaves the cart, and how many pieces.
    """

    offer_id = fields.String()
    kind = fields.String()
    headline = fields.String()
    why = fields.Dict()
    benefits = fields.List(fields.String())
    greeting = fields.Dict(allow_none=True)
    total = fields.Nested(MoneyJson)
    original_total = fields.Nested(MoneyJson, allow_none=True)
    saving = fields.Nested(MoneyJson, allow_none=True)
    items = fields.List(fields.Nested(ItemJson))
    replaces = fields.Dict(allow_none=True)
    discount = fields.Dict(allow_none=True)
    changes = fields.List(fields.Dict())


class OffersAnswer(Schema):
    """What to show. No decision id when deciding failed."""

    decision_id = fields.String()
    offers = fields.List(fields.Nested(OfferJson), required=True)


class TouchAnswer(Schema):
    """Whether the event was new."""

    recorded = fields.Boolean(required=True)


class SignAnswer(Schema):
    """The signed changeset, for `applyChangeset`."""

    token = fields.String(required=True)


def cart_lines(text: str) -> tuple[CartLine, ...]:
    """Read `variant:quantity` and, for a line on a selling plan, `variant:quantity:plan`, separated by commas.

    Raises: ValidationError.
    """
    parts = [part for part in text.split(",") if part]
    if len(parts) > MOST_CART_LINES:
        raise ValidationError("too many cart lines", "cart")
    found = []
    for part in parts:
        match = re.fullmatch(r"([0-9]{1,18}):([0-9]{1,6})(?::([0-9]{1,18}))?", part)
        if match is None:
            raise ValidationError("expected variant:quantity or variant:quantity:plan", "cart")
        variant_id, quantity, plan = match.groups()
        found.append(CartLine(VariantId(int(variant_id)), None, int(quantity), int(plan) if plan else None))
    return tuple(found)
