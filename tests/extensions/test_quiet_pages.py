"""What Liquid knows of quiet pages is what the server knows: the block is not even drawn there."""

import re
from pathlib import Path

from shopify_upsell.customers.quiet import PAGE_TYPES

BLOCK = Path(__file__).parents[2] / "extensions/upsell-theme/blocks/offer.liquid"


def test_the_block_is_drawn_on_no_page_type_that_is_quiet_and_on_every_other():
    named = re.search(r"assign quiet_pages = '([^']+)' \| split: ','", BLOCK.read_text())[1].split(",")

    assert sorted(named) == sorted(PAGE_TYPES)
