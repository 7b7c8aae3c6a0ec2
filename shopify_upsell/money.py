"""Money: integer minor units with a currency, and dividing it so that the parts add up exactly.

Pure: standard library only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shopify_upsell.core import InvalidInput

_TWO_DIGITS = [
    "AED",
    "AFN",
    "ALL",
    "AMD",
    "ANG",
    "AOA",
    "ARS",
    "AUD",
    "AWG",
    "AZN",
    "BAM",
    "BBD",
    "BDT",
    "BGN",
    "BMD",
    "BND",
    "BOB",
    "BRL",
    "BSD",
    "BTN",
    "BWP",
    "BYN",
    "BZD",
    "CAD",
    "CDF",
    "CHF",
    "CNY",
    "COP",
    "CRC",
    "CUP",
    "CVE",
    "CZK",
    "DKK",
    "DOP",
    "DZD",
    "EGP",
    "ERN",
    "ETB",
    "EUR",
    "FJD",
    "FKP",
    "GBP",
    "GEL",
    "GHS",
    "GIP",
    "GMD",
    "GTQ",
    "GYD",
    "HKD",
    "HNL",
    "HTG",
    "HUF",
    "IDR",
    "ILS",
    "INR",
    "IRR",
    "JEP",
    "JMD",
    "KES",
    "KGS",
    "KHR",
    "KPW",
    "KYD",
    "KZT",
    "LAK",
    "LBP",
    "LKR",
    "LRD",
    "LSL",
    "MAD",
    "MDL",
    "MGA",
    "MKD",
    "MMK",
    "MNT",
    "MOP",
    "MRU",
    "MUR",
    "MVR",
    "MWK",
    "MXN",
    "MYR",
    "MZN",
    "NAD",
    "NGN",
    "NIO",
    "NOK",
    "NPR",
    "NZD",
    "PAB",
    "PEN",
    "PGK",
    "PHP",
    "PKR",
    "PLN",
    "QAR",
    "RON",
    "RSD",
    "RUB",
    "SAR",
    "SBD",
    "SCR",
    "SDG",
    "SEK",
    "SGD",
    "SHP",
    "SLE",
    "SLL",
    "SOS",
    "SRD",
    "SSP",
    "STN",
    "SVC",
    "SYP",
    "SZL",
    "THB",
    "TJS",
    "TMT",
    "TOP",
    "TRY",
    "TTD",
    "TWD",
    "TZS",
    "UAH",
    "USD",
    "UYU",
    "UZS",
    "VED",
    "VES",
    "WST",
    "XCD",
    "XCG",
    "YER",
    "ZAR",
    "ZMW",
    "ZWG",
]
_NO_DIGITS = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
_THREE_DIGITS = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
EXPONENTS: dict[str, int] = (
    dict.fromkeys(_TWO_DIGITS, 2) | dict.fromkeys(_NO_DIGITS, 0) | dict.fromkeys(_THREE_DIGITS, 3)
)
"""Digits after the point by ISO 4217 code. Source: ISO 4217 table of currencies, minor unit column."""

LARGEST_AMOUNT = 10**15
"""An amount above this is a broken payload, not a price; it also keeps every sum of ours inside 64 bits."""

_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount. Units: `minor_units` of `currency` (cents for USD, whole yen for JPY)."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise InvalidInput(f"unknown currency {self.currency[:8]!r}")

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Nothing, in a currency."""
        return cls(0, currency)

    @classmethod
    def from_decimal_string(cls, text: object, currency: str) -> "Money":
        """Read Shopify's decimal string (or a JSON number kept as Decimal or int) without rounding.

        Raises: InvalidInput for exponents, separators, floats, unknown currencies, or digits that the currency
        does not have (JPY "15.50").
        Source: Shopify webhooks carry amounts as decimal strings, refunds sometimes as JSON numbers.
        """
        return cls(_minor_units(text, exponent_of(currency)), currency)

    def to_decimal_string(self) -> str:
        """Write the amount with the currency's own number of digits, as Shopify does."""
        exponent = EXPONENTS[self.currency]
        sign, digits = ("-" if self.minor_units < 0 else ""), str(abs(self.minor_units)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else sign + digits

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor_units + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor_units - self._same(other), self.currency)

    def __mul__(self, count: int) -> "Money":
        return Money(self.minor_units * count, self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise InvalidInput(f"{self.currency} and {other.currency} cannot be combined")
        return other.minor_units


def exponent_of(currency: object) -> int:
    """Digits after the point of an ISO 4217 code. Raises: InvalidInput for anything else."""
    if not isinstance(currency, str) or currency not in EXPONENTS:
        raise InvalidInput("unknown currency")
    return EXPONENTS[currency]


def _minor_units(text: object, exponent: int) -> int:
    if isinstance(text, bool) or not isinstance(text, (str, int, Decimal)):
        raise InvalidInput("not an amount")
    plain = _digits_of(text) if isinstance(text, Decimal) else str(text)
    match = _DECIMAL.fullmatch(plain)
    if match is None:
        raise InvalidInput("not an amount")
    sign, whole, fraction = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    if len(fraction) > exponent:
        raise InvalidInput("more digits than the currency has")
    units = int(whole + fraction.ljust(exponent, "0"))
    if units > LARGEST_AMOUNT:
        raise InvalidInput("an amount too large to be a price")
    return -units if sign else units


def _digits_of(number: Decimal) -> str:
    # A JSON number such as 1e999999999 is ten bytes on the wire and a gigabyte once written out.
    exponent = number.as_tuple().exponent
    return format(number, "f") if isinstance(exponent, int) and abs(exponent) <= 40 else str(number)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide an integer total in proportion to integer weights so that the parts add up exactly.

    Webster's method (Sainte-Laguë): house-monotone, so a smaller total never raises a part, which makes it safe
    under refunds where largest remainder is not. Ties go to the earlier part.

    Shape: as many parts as weights; all parts carry the sign of `total`.
    Units: those of `total`.
    Raises: ValueError for a negative weight, or a total other than 0 with no positive weight.
    Source: Balinski and Young, Fair Representation (1982); divisors 2s+1.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("weights cannot be negative")
    whole, sign = sum(weights), (-1 if total < 0 else 1)
    if total == 0:
        return [0] * len(weights)
    if whole == 0:
        raise ValueError("nothing to divide by")
    seats = _webster(abs(total), list(weights), whole)
    return [sign * part for part in seats]


def _webster(total: int, weights: list[int], whole: int) -> list[int]:
    seats = [(2 * total * weight + whole) // (2 * whole) if weight else 0 for weight in weights]
    while sum(seats) < total:
        best = max(
            (index for index, weight in enumerate(weights) if weight),
            key=lambda i: (Fraction(weights[i], 2 * seats[i] + 1), -i),
        )
        seats[best] += 1
    while sum(seats) > total:
        worst = min(
            (index for index, seat in enumerate(seats) if seat),
            key=lambda i: (Fraction(weights[i], 2 * seats[i] - 1), -i),
        )
        seats[worst] -= 1
    return seats
