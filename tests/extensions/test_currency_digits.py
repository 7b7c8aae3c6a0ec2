"""Scripts and server must agree on how many digits a currency has, or a price is wrong by a factor of 10 or 100."""

import re
from pathlib import Path

import pytest

from shopify_upsell.money import EXPONENTS

EXTENSIONS = Path(__file__).parents[2] / "extensions"


@pytest.mark.parametrize(
    "path",
    ["upsell-theme/assets/wellpaired-offer.js", "post-purchase-offer/src/money.js"],
    ids=["theme", "post-purchase"],
)
def test_the_script_knows_every_currency_that_has_not_two_digits(path: str) -> None:
    source = (EXTENSIONS / path).read_text()
    digits = {
        currency: count
        for name, count in (("NO_DIGITS", 0), ("THREE_DIGITS", 3))
        for currency in re.search(rf"{name} = '([A-Z ]+)'", source)[1].split()  # type: ignore[index]
    }

    assert digits == {currency: count for currency, count in EXPONENTS.items() if count != 2}
