"""marshmallow fields that turn pieces of Shopify's documents into our words."""

from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from shopify_upsell.core import InvalidInput, parse_time
from shopify_upsell.ledger.amounts import (
    LARGEST_QUANTITY,
    ShopAmount,
    clean_text,
    clean_token,
    plain_amount,
    shopify_id,
    whole_number,
)
from shopify_upsell.ledger.facts import EPOCH
from shopify_upsell.money import exponent_of

OFFER_TOKEN_PROPERTY = "_wp"  # noqa: S105 - the name of a line item property, not a secret


class FactSchema(Schema):
    """Shopify adds fields without notice, so unknown ones are left out."""

    class Meta:
        unknown = EXCLUDE


class ShopifyId(fields.Field[int]):
    """An id of up to 64 bits, as a number or as digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        return int(_read(shopify_id, value))


class Count(fields.Field[int]):
    """A number of units, never below zero."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        return int(_read(lambda it: whole_number(it, largest=LARGEST_QUANTITY), value))


class Moment(fields.Field[datetime]):
    """A time with a zone, not before 1970."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = _read(parse_time, value)
        if moment < EPOCH:
            raise ValidationError("a time before 1970")
        return moment


class Words(fields.Field[str]):
    """Text made safe to store."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValidationError("not a text")
        return clean_text(str(value))


class Token(fields.Field["str | None"]):
    """An opaque token, or null when it is none of ours or Shopify's."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        return clean_token(value)


class Flag(fields.Field[bool]):
    """A JSON boolean; null is false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("not true or false")
        return value


class CurrencyCode(fields.Field[str]):
    """An ISO 4217 code that we know the digits of."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        _read(exponent_of, value)
        return str(value)


class Amount(fields.Field[ShopAmount]):
    """A decimal string, or a JSON number that kept its digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ShopAmount:
        return ShopAmount(_read(plain_amount, value))


class AmountSet(fields.Field["ShopAmount | None"]):
    """Shopify's pair of shop and presentment money, of which the shop's counts and the other is kept beside it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ShopAmount | None:
        return shop_money(value)


class Amounts(fields.Field["tuple[ShopAmount, ...]"]):
    """The amounts of a list of objects, each under `key` or its set."""

    def __init__(self, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[ShopAmount, ...]:
        return tuple(amount_of(item, self.key) for item in objects(value))


class IdInside(fields.Field["int | None"]):
    """The id of an object that carries more than we may keep, such as a customer; null when it has none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | None:
        if not isinstance(value, dict):
            raise ValidationError("not an object")
        return None if value.get("id") is None else _read(shopify_id, value["id"])


class OfferToken(fields.Field["str | None"]):
    """Our token among a line's properties. A shopper can write anything here, so junk is no token, never an error."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:
        items = value if isinstance(value, list) else []
        found = [
            item.get("value") for item in items if isinstance(item, dict) and item.get("name") == OFFER_TOKEN_PROPERTY
        ]
        return clean_token(found[0]) if found else None


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects. Raises: ValidationError."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValidationError("not a list of objects")
    return value


def amount_of(item: dict[str, Any], key: str) -> ShopAmount:
    """The amount under `{key}_set` in shop money, else under `key`. Raises: ValidationError."""
    money = shop_money(item.get(key + "_set"))
    return money if money is not None else ShopAmount(_read(plain_amount, item.get(key)))


def shop_money(value: Any) -> ShopAmount | None:
    """The shop's side of a money set; null when there is no set. Raises: ValidationError."""
    if value is None:
        return None
    money = value.get("shop_money") if isinstance(value, dict) else None
    if not isinstance(money, dict):
        raise ValidationError("a money set without shop money")
    _read(exponent_of, money.get("currency_code"))
    code = money["currency_code"]
    return ShopAmount(_read(plain_amount, money.get("amount")), code, _shown(value.get("presentment_money"), code))


def _shown(money: Any, shop_currency: str) -> tuple[str, str] | None:
    """The shopper's side of a money set, where it is another currency; None too for one that cannot be read.

    What the shop earned must not be lost over it.
    """
    code = money.get("currency_code") if isinstance(money, dict) else None
    if code == shop_currency:
        return None
    try:
        exponent_of(code)
        return plain_amount(money.get("amount")), str(code)
    except InvalidInput:
        return None


def _read(reader: Any, value: Any) -> Any:
    try:
        return reader(value)
    except InvalidInput as broken:
        raise ValidationError(broken.message) from broken
