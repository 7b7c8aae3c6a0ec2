"""Words of timing are stored by build, come back as they were, and are remembered by the process."""

from datetime import timedelta

import pytest
from builders_database import NOW as TODAY
from builders_database import add_shop
from sqlalchemy import delete, event

from shopify_upsell.core import ProductId
from shopify_upsell.database import bind_shop
from shopify_upsell.matrix.said import MERCHANT, TIMED, PairWord
from shopify_upsell.matrix.store import MatrixBuild, say, words_on
from shopify_upsell.matrix.tables import MatrixBuildRow
from shopify_upsell.matrix.timed import ACCESSORY, LEARNED_TIME, MERCHANT_TIME, REFILL, TimingWord, prior_word
from shopify_upsell.matrix.timing_store import replace_timing, timing_for

SERUM, CREAM, SOAP = (ProductId(number) for number in (1, 2, 3))
LEARNED = TimingWord(SERUM, CREAM, "pair", (61, 90), ((0, 3), (4, 7)), False, 45, (0.21, 0.4), LEARNED_TIME, ACCESSORY)
ASSUMED_WORD = prior_word(SERUM, SOAP, REFILL)


def a_build(session, shop_id, *words, version=1):
    build = MatrixBuild(version, TODAY + timedelta(hours=version), 100, 3, 2)
    session.add(MatrixBuildRow(shop_id=shop_id, version=version, learned_at=build.learned_at, order_count=1,
                               product_count=1, pair_count=1))  # fmt: skip
    session.flush()
    replace_timing(session, shop_id, build, {SERUM: words})


def a_window(companion=CREAM, days=(90, 120), reason=TIMED):
    return PairWord(SERUM, companion, MERCHANT, reason, 0.0, 0, None, window=days)


def test_words_come_back_as_they_were_written(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    a_build(session, shop_id, LEARNED, ASSUMED_WORD)

    assert timing_for(session, shop_id, [SERUM, SOAP]) == {LEARNED.pair: LEARNED, ASSUMED_WORD.pair: ASSUMED_WORD}
    assert timing_for(session, shop_id, [SOAP]) == {}
    assert timing_for(session, other, [SERUM]) == {}


def test_the_merchants_window_wins_and_is_only_of_the_anchors_asked_for(session, shop_id):
    a_build(session, shop_id, LEARNED)
    for word in (a_window(), a_window(SOAP, (0, 30))):
        say(session, shop_id, word, TODAY)
    said = words_on(session, shop_id, [SERUM])
    assert [word.window for word in said] == [(90, 120), (0, 30)]

    words = timing_for(session, shop_id, [SERUM], said=said)

    assert words[SERUM, CREAM].window == (90, 120)
    assert words[SERUM, CREAM].blocked == ()
    assert (words[SERUM, CREAM].n, words[SERUM, CREAM].source) == (45, MERCHANT_TIME)
    assert (words[SERUM, SOAP].window, words[SERUM, SOAP].peaks_at_zero) == ((0, 30), True)
    assert timing_for(session, shop_id, [CREAM], said=said) == {}


def test_a_second_look_asks_the_database_nothing_and_a_new_build_is_seen_at_once(database):
    with database.write() as session:
        shop_id = add_shop(session)
        bind_shop(session, shop_id)
        a_build(session, shop_id, LEARNED)
    asked = []

    def note(*call):
        asked.append(call[2])

    with database.read() as session:
        bind_shop(session, shop_id)
        first = timing_for(session, shop_id, [SERUM, SOAP])
        event.listen(database.engine, "before_cursor_execute", note)
        assert timing_for(session, shop_id, [SERUM, SOAP]) == first == {LEARNED.pair: LEARNED}
        event.remove(database.engine, "before_cursor_execute", note)
    assert asked == []

    with database.write() as session:
        bind_shop(session, shop_id)
        a_build(session, shop_id, ASSUMED_WORD, version=2)
    with database.read() as session:
        bind_shop(session, shop_id)
        assert timing_for(session, shop_id, [SERUM]) == {ASSUMED_WORD.pair: ASSUMED_WORD}


@pytest.mark.parametrize(("row_version", "is_served"), [(1, True), (2, True), (3, False)])
def test_words_outlive_freshened_rows_and_are_never_of_a_build_to_come(session, shop_id, row_version, is_served):
    a_build(session, shop_id, LEARNED, version=row_version)
    session.execute(delete(MatrixBuildRow))
    session.add(MatrixBuildRow(shop_id=shop_id, version=2, learned_at=TODAY, order_count=1, product_count=1,
                               pair_count=1))  # fmt: skip
    session.flush()

    assert (timing_for(session, shop_id, [SERUM]) != {}) is is_served
