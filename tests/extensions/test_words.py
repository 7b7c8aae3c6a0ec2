"""No word on a card shames who declines or presses for time, in any language, and every language says everything."""

import json
import re
from pathlib import Path

import pytest

from shopify_upsell.customers.preferences import LEVELS, RESTOCK_KINDS
from shopify_upsell.offers.claims import decline_problems

EXTENSIONS = Path(__file__).parents[2] / "extensions"


def words_of(language):
    (path,) = (one for one in EXTENSIONS.glob(f"upsell-theme/locales/{language}.*json") if ".schema." not in one.name)
    return json.loads(path.read_text())["offer"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_word_of_a_card_shames_or_presses(language):
    assert {key: decline_problems(text) for key, text in words_of(language).items() if decline_problems(text)} == {}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_level_of_preference_has_a_word_and_a_confirmation(language):
    words = words_of(language)

    assert all(words[f"level_{level}"] and words[f"said_{level}"] for level in LEVELS)


def test_the_form_asks_for_every_level_there_is_and_no_other():
    block = (EXTENSIONS / "upsell-theme/blocks/offer.liquid").read_text()

    assert [level for level in LEVELS if f'value="{level}"' in block] == list(LEVELS)
    assert block.count('name="level"') == len(LEVELS)


def test_the_script_restocks_the_same_kinds_as_the_server():
    script = (EXTENSIONS.parent / "extensions-dev/offer-block/shopper.js").read_text()

    assert {re.search(r"RESTOCK_KIND = '(\w+)'", script)[1]} == RESTOCK_KINDS


def test_no_word_after_a_purchase_shames_or_presses():
    source = (EXTENSIONS / "post-purchase-offer/src/words.js").read_text()

    assert [line.strip() for line in source.splitlines() if decline_problems(line)] == []
