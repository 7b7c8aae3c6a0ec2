"""Reading amounts, counts and text out of Shopify's documents, exactly. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from shopify_upsell.core import LARGEST_ID, InvalidInput
from shopify_upsell.money import LARGEST_AMOUNT, Money

LARGEST_QUANTITY = 1_000_000_000
"""More units than this on one line is a broken payload. Our choice; it keeps every product inside 64 bits."""

LONGEST_TOKEN = 255
"""Cart, checkout and offer tokens are indexed; longer ones are not ours or Shopify's."""

_DECIMAL = re.compile(r"(-?)0*([0-9]{1,16})(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class ShopAmount:
    """An amount in the shop's currency, which only a money set names.

    `shown`: plain text and currency of the same in the shopper's money, where the set tells another currency.
    """

    text: str
    currency: str | None = None
    shown: tuple[str, str] | None = None


def plain_amount(value: object) -> str:
    """Write an amount in the one plain form, `10`, `-10.5`, so that equal amounts are equal text.

    Raises: InvalidInput for floats, exponents, separators, more than three digits after the point.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise InvalidInput("not an amount")
    match = _DECIMAL.fullmatch(_written(value))
    if match is None:
        raise InvalidInput("not an amount")
    sign, whole, fraction = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    if len(fraction) > 3:
        raise InvalidInput("more digits than any currency has")
    text = f"{whole}.{fraction}" if fraction else whole
    return text if text == "0" else sign + text


def minor_units(text: str, currency: str) -> int:
    """Read plain text as minor units of a currency. Raises: InvalidInput."""
    return Money.from_decimal_string(text, currency).minor_units


def add_amounts(amounts: list[str]) -> str:
    """Add plain amounts exactly."""
    return plain_amount(sum((Decimal(amount) for amount in amounts), Decimal(0)))


def whole_number(value: object, *, largest: int) -> int:
    """Read a count, 0 to `largest`. Raises: InvalidInput for anything else, booleans and `2.0` included."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidInput("not a whole number")
    text = str(value) if isinstance(value, int) else value.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > largest:
        raise InvalidInput(f"not a whole number from 0 to {largest}")
    return int(text)


def shopify_id(value: object) -> int:
    """Read an id of 64 bits. Raises: InvalidInput."""
    try:
        number = whole_number(value, largest=LARGEST_ID)
    except InvalidInput:
        number = 0
    if number == 0:
        raise InvalidInput("not an id of 64 bits")
    return number


Reading = Callable[[ShopAmount], str]
"""Which of the two currencies of an amount is read."""


def shop_text(money: ShopAmount) -> str:
    """The amount in the shop's currency, as plain text."""
    return money.text


def shown_text(money: ShopAmount | None, currency: str) -> str:
    """The amount in the shopper's currency, as plain text; nothing is nothing in any currency. Raises: InvalidInput."""
    if money is None or money.shown is None:
        if money is None or money.text == "0":
            return "0"
        raise InvalidInput("no amount in the shopper's currency")
    text, code = money.shown
    if code != currency:
        raise InvalidInput("presentment money in another currency than the order")
    return text


def not_below_zero(money: ShopAmount | None, text: Reading = shop_text) -> str:
    """The amount as plain text; nothing is 0. Raises: InvalidInput below zero."""
    if money is None:
        return "0"
    said = text(money)
    if said.startswith("-"):
        raise InvalidInput("an amount below zero")
    return said


def worth(quantity: int, unit_price: int) -> int:
    """Multiply units by price. Raises: InvalidInput beyond what a line can be worth, so that sums stay in 64 bits."""
    if quantity * unit_price > LARGEST_AMOUNT:
        raise InvalidInput("a line worth more than can be booked")
    return quantity * unit_price


def clean_text(text: str) -> str:
    """Drop NUL and replace lone surrogates: PostgreSQL stores neither."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def clean_token(value: object) -> str | None:
    """Read an opaque token; null for anything that is not a short text."""
    if not isinstance(value, str):
        return None
    text = clean_text(value)
    return text if 0 < len(text) <= LONGEST_TOKEN else None


def _written(value: str | int | Decimal) -> str:
    if not isinstance(value, Decimal):
        return str(value) if isinstance(value, str) or abs(value) <= LARGEST_ID else ""
    exponent = value.as_tuple().exponent
    # 1e999999999 is ten bytes on the wire and a gigabyte once written out.
    return format(value, "f") if isinstance(exponent, int) and abs(exponent) <= 40 else ""
