"""Scripts and server must agree on how many digits a currency has, or a price is wrong by a factor of 10 or 100."""

import re
from pathlib import Path

from shopify_upsell.money import EXPONENTS

EXTENSIONS = Path(__file__).parents[2] / "extensions"


def lists():
    """The two lists of the one module that every extension writes money with."""
    source = (EXTENSIONS / "post-purchase-offer/src/money.js").read_text()
    return {name: re.search(rf"{name} = '([A-Z ]+)'", source)[1] for name in ("NO_DIGITS", "THREE_DIGITS")}


def test_the_script_knows_every_currency_that_has_not_two_digits():
    digits = {
        currency: {"NO_DIGITS": 0, "THREE_DIGITS": 3}[name]
        for name, currencies in lists().items()
        for currency in currencies.split()
    }

    assert digits == {currency: count for currency, count in EXPONENTS.items() if count != 2}


def test_the_theme_block_has_the_same_lists():
    script = (EXTENSIONS / "upsell-theme/assets/wellpaired-offer.js").read_text()

    assert all(f'"{currencies}"' in script for currencies in lists().values())
