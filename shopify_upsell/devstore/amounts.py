"""Money as the dev store keeps it: whole minor units of the shop's currency, written out as Shopify writes it."""

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217 currencies whose exponent is not 2.
EXPONENTS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF", "RWF", "GNF", "KMF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "$", "AUD": "$"}


def exponent(currency: str) -> int:
    """How many decimals the currency's minor unit has."""
    return EXPONENTS.get(currency, 2)


def decimal_text(minor_units: int, currency: str) -> str:
    """Write an amount as Shopify's decimal string: `1999` dollars-cents is `"19.99"`."""
    places = exponent(currency)
    return f"{Decimal(minor_units).scaleb(-places):.{places}f}"


def minor_units(text: str | Decimal, currency: str) -> int:
    """Read a decimal amount, rounding half up to the currency's minor unit.

    Raises: decimal.InvalidOperation when the text is no number.
    """
    scaled = Decimal(text).scaleb(exponent(currency))
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def hundredths(amount: int, currency: str) -> int:
    """Amounts in Liquid and the Ajax cart are always the decimal amount times 100, whatever the currency.

    Source: platform notes §4.4; Shopify Ajax cart reference.
    """
    return int(Decimal(amount).scaleb(2 - exponent(currency)))


def from_hundredths(amount: int, currency: str) -> str:
    """Show an Ajax amount to people: `2299` becomes `$22.99`."""
    value = Decimal(int(amount)).scaleb(-2)
    symbol = SYMBOLS.get(currency)
    written = f"{value:,.{exponent(currency)}f}"
    return f"{symbol}{written}" if symbol else f"{written} {currency}"


def money_set(amount: int, currency: str) -> dict[str, dict[str, str]]:
    """Shape an amount as REST bodies do. The dev store sells in the shop's own currency only."""
    money = {"amount": decimal_text(amount, currency), "currency_code": currency}
    return {"shop_money": money, "presentment_money": dict(money)}


def share_of(amount: int, value: Decimal, value_type: str, currency: str) -> int:
    """What a discount takes off an amount, never more than the amount.

    Units: value is a percentage 0 to 100, or a fixed amount in the shop's currency.
    """
    if value_type == "percentage":
        off = int((Decimal(amount) * value / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    else:
        off = minor_units(value, currency)
    return max(0, min(amount, off))
