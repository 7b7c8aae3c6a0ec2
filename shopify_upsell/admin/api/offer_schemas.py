"""An offer as its merchant writes it: a body ends in an `OfferDraft`. Unknown fields are refused, wrong ones named."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from shopify_upsell.core import InvalidInput, ProductId, VariantId, parse_gid, parse_time
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.offer import MOST_PRODUCTS, OfferDraft
from shopify_upsell.offers.terms import (
    B2B,
    DISCOUNT_CLASSES,
    INCENTIVES,
    LONGEST_TEXT,
    PRIMARY_METRICS,
    Audience,
    Floor,
    Incentive,
    RequiredAttribute,
    Schedule,
    Terms,
)

MOST_LISTED = 50
LONGEST_WORD = 80
_WORD = validate.Length(1, LONGEST_WORD)


class Strict(Schema):
    """Refuses fields that are not known."""

    class Meta:
        unknown = RAISE


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


class MomentField(fields.Field[Any]):
    """An ISO 8601 time with its zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        try:
            return parse_time(value)
        except InvalidInput as broken:
            raise ValidationError("must be an ISO 8601 time with its zone") from broken


def whole(**options: Any) -> fields.Integer:
    """A whole number, written as one: neither 1.5 nor "1"."""
    return fields.Integer(strict=True, **options)


class IncentiveBody(Strict):
    """What the shopper gets."""

    kind = fields.String(load_default="none", validate=validate.OneOf(INCENTIVES))
    basis_points = whole(load_default=0)
    minor_units = whole(load_default=0)
    currency = fields.String(load_default="", validate=validate.Length(max=3))
    gift_variant_id = GidField("ProductVariant", load_default=None, allow_none=True)
    threshold_minor_units = whole(load_default=0)
    combines_with = fields.List(fields.String(validate=validate.OneOf(DISCOUNT_CLASSES)), load_default=list)
    is_shop_rate = fields.Boolean(load_default=False)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Incentive:
        """The incentive."""
        gift = data["gift_variant_id"]
        chosen = {
            "combines_with": tuple(data["combines_with"]),
            "gift_variant_id": VariantId(gift) if gift is not None else None,
        }
        return Incentive(**data | chosen)


class ScheduleBody(Strict):
    """When the offer runs."""

    starts_at = MomentField(load_default=None, allow_none=True)
    ends_at = MomentField(load_default=None, allow_none=True)
    lasts_hours = whole(load_default=None, allow_none=True)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Schedule:
        """The schedule."""
        return Schedule(**data)


class AttributeBody(Strict):
    """One attribute that a shopper must be known to have."""

    name = fields.String(required=True, validate=_WORD)
    value = fields.String(required=True, validate=_WORD)


class AudienceBody(Strict):
    """Whom the offer is for."""

    stages = fields.List(fields.String(validate=_WORD), load_default=list, validate=validate.Length(max=MOST_LISTED))
    markets = fields.List(fields.String(validate=_WORD), load_default=list, validate=validate.Length(max=MOST_LISTED))
    countries = fields.List(
        fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z")), load_default=list, validate=validate.Length(max=300)
    )
    attributes = fields.List(fields.Nested(AttributeBody), load_default=list, validate=validate.Length(max=MOST_LISTED))
    b2b = fields.String(load_default="any", validate=validate.OneOf(B2B))

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Audience:
        """The audience."""
        wanted = tuple(RequiredAttribute(**one) for one in data["attributes"])
        lists = {name: tuple(data[name]) for name in ("stages", "markets", "countries")}
        return Audience(**lists, attributes=wanted, b2b=data["b2b"])


class FloorBody(Strict):
    """The least that the offer may leave."""

    minor_units = whole(load_default=0)
    basis_points = whole(load_default=0)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Floor:
        """The floor."""
        return Floor(**data)


def _text(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, LONGEST_TEXT), **options)


class TermsBody(Strict):
    """What the offer is for, which it must say, and everything that has a default."""

    objective = _text(required=True)
    hypothesis = _text(required=True)
    primary_metric = fields.String(required=True, validate=validate.OneOf(PRIMARY_METRICS))
    incentive = fields.Nested(IncentiveBody, load_default=Incentive)
    schedule = fields.Nested(ScheduleBody, load_default=Schedule)
    audience = fields.Nested(AudienceBody, load_default=Audience)
    floor = fields.Nested(FloorBody, load_default=Floor)
    max_per_customer = whole(load_default=None, allow_none=True)
    benefits = fields.List(fields.String(), load_default=list, validate=validate.Length(max=3))
    solves = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    window_days = fields.List(whole(), load_default=None, allow_none=True, validate=validate.Length(equal=2))
    needs_positive_signal = fields.Boolean(load_default=True)
    quantity = whole(load_default=None, allow_none=True)
    supply_days = whole(load_default=None, allow_none=True)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Terms:
        """The terms."""
        days = data["window_days"]
        lists = {"benefits": tuple(data["benefits"]), "window_days": tuple(days) if days is not None else None}
        return Terms(**data | lists)


def _products() -> Any:
    return fields.List(
        GidField("Product"), load_default=None, allow_none=True, validate=validate.Length(1, MOST_PRODUCTS)
    )


class OfferBody(Strict):
    """The body of `POST /offers`. Anchors null: beside any product; companions null: the matrix picks."""

    kind = fields.String(required=True, validate=validate.OneOf(tuple(KINDS)))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    placements = fields.List(fields.String(validate=_WORD), required=True, validate=validate.Length(1, 20))
    anchors = _products()
    companions = _products()
    discount_basis_points = whole(load_default=0)
    terms = fields.Nested(TermsBody, required=True)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Any:
        """The offer as a draft."""
        return _draft(data)


class OfferEditBody(OfferBody):
    """The body of `PUT /offers/<id>`: the whole offer anew, and the version that was read."""

    version = whole(required=True)

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Any:
        """The version that was read, and the offer as a draft."""
        return data.pop("version"), _draft(data)


class MerchantOfferJson(Schema):
    """An offer as it is answered; product ids are global ids."""

    offer_id = fields.Integer()
    state = fields.String()
    version = fields.Integer()
    kind = fields.String()
    name = fields.String()
    placements = fields.List(fields.String())
    anchors = fields.List(fields.String(), allow_none=True)
    companions = fields.List(fields.String(), allow_none=True)
    discount_basis_points = fields.Integer()
    terms = fields.Dict()


class CheckJson(Schema):
    """One launch check. `sentence`: what is true when it passes."""

    code = fields.String()
    passed = fields.Boolean()
    is_blocking = fields.Boolean()
    detail = fields.String()
    sentence = fields.String()


class CheckedOfferJson(Schema):
    """An offer with its launch checks."""

    offer = fields.Nested(MerchantOfferJson)
    can_go_live = fields.Boolean()
    checks = fields.List(fields.Nested(CheckJson))


class MerchantOffersJson(Schema):
    """Every offer of the shop."""

    offers = fields.List(fields.Nested(MerchantOfferJson))


def _draft(data: Mapping[str, Any]) -> OfferDraft:
    return OfferDraft(
        kind=data["kind"],
        name=data["name"],
        placements=tuple(data["placements"]),
        anchors=_ids(data["anchors"]),
        companions=_ids(data["companions"]),
        discount_basis_points=data["discount_basis_points"],
        state="draft",
        terms=data["terms"],
    )


def _ids(numbers: list[int] | None) -> tuple[ProductId, ...] | None:
    return None if numbers is None else tuple(ProductId(number) for number in dict.fromkeys(numbers))
