"""Everything a merchant says of a pair stays written down; builds nobody can name any more do not."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, SOCKS, WAX, an_edge

from shopify_upsell.core import InvalidInput
from shopify_upsell.matrix.said import (
    BLOCKED,
    MERCHANT,
    PINNED,
    TIMED,
    PairWord,
    SaidOnce,
    blocks_in_force,
    pins_in_force,
)
from shopify_upsell.matrix.store import latest_build, prune_builds
from shopify_upsell.matrix.tables import MatrixBuildRow
from shopify_upsell.matrix.words_store import merchant_words, said_before, say, take_back

LATER = NOW + timedelta(days=2)


def a_word(reason=BLOCKED, companion=SOCKS, **changes):
    return PairWord(BOOTS, companion, MERCHANT, reason, 0.0, 0, None, **changes)


def test_every_word_and_its_end_is_kept_newest_first(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    say(session, other, a_word(), NOW)
    say(session, shop_id, a_word(note="two acids"), NOW)
    say(session, shop_id, a_word(TIMED, window=(90, 180)), LATER)
    take_back(session, shop_id, BOOTS, SOCKS, LATER)
    take_back(session, shop_id, BOOTS, WAX, LATER)

    assert said_before(session, shop_id) == (
        SaidOnce(BOOTS, SOCKS, "taken_back", LATER),
        SaidOnce(BOOTS, SOCKS, "timed", LATER, "", (90, 180)),
        SaidOnce(BOOTS, SOCKS, "blocked", NOW, "two acids"),
    )
    assert said_before(session, shop_id, WAX) == ()
    assert merchant_words(session, shop_id) == ()


@pytest.mark.parametrize("window", [None, (5, 4), (-1, 4), (0, 4_000)])
def test_a_word_on_timing_needs_two_days_in_turn(session, shop_id, window):
    with pytest.raises(InvalidInput):
        say(session, shop_id, a_word(TIMED, window=window), NOW)

    assert said_before(session, shop_id) == ()


def test_a_window_says_when_and_does_not_undo_a_learned_edge():
    learned = an_edge(BOOTS, SOCKS)

    assert blocks_in_force([learned, a_word(TIMED, window=(0, 9))], now=NOW) == (learned,)
    assert blocks_in_force([learned, a_word(PINNED, window=(0, 9))], now=NOW) == ()


def test_only_the_merchants_pins_pin():
    assert pins_in_force([a_word(PINNED), a_word(companion=WAX), an_edge(WAX, SOCKS)]) == {(BOOTS, SOCKS)}


def test_builds_that_no_decision_of_90_days_can_name_are_forgotten(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    for shop, ages in ((shop_id, (200, 150, 91, 89, 0)), (other, (300, 200))):
        for version, age in enumerate(ages, 1):
            learned_at = NOW - timedelta(days=age)
            row = {"order_count": 1, "product_count": 1, "pair_count": 1}
            session.add(MatrixBuildRow(shop_id=shop, version=version, learned_at=learned_at, **row))
    session.flush()

    assert prune_builds(session, shop_id, NOW) == 2
    assert prune_builds(session, shop_id, NOW) == 0

    left = {(row.shop_id, row.version) for row in session.query(MatrixBuildRow)}
    assert left == {(shop_id, 3), (shop_id, 4), (shop_id, 5), (other, 1), (other, 2)}
    assert latest_build(session, shop_id).version == 5
