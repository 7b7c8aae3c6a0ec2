"""The moment of a pair: a table of truths, and the clock test of the product's row on month-3 windows."""

from datetime import timedelta

import pytest
from builders_database import NOW

from shopify_upsell.core import ProductId
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.matrix.timed import (
    COMPLEMENT,
    CONSUMABLE,
    LEARNED_TIME,
    MERCHANT_TIME,
    PRIOR_TIME,
    TimingWord,
    prior_word,
)
from shopify_upsell.offers.timing import (
    EXPIRED,
    IN_HAND,
    JUST_BOUGHT,
    LATER,
    OPEN,
    PLACEMENT_KINDS,
    SILENT,
    TOO_EARLY,
    UNTIMED,
    Moment,
    moment_of,
)

DAY = timedelta(days=1)
SERUM, CREAM = ProductId(1), ProductId(2)


def a_word(window=(75, 105), *, blocked=(), peaks=False, source=LEARNED_TIME, relation=COMPLEMENT):
    return TimingWord(SERUM, CREAM, "pair", window, blocked, peaks, 40, (0.2, 0.4), source, relation)


def owned(days_ago, *, is_estimate=False):
    return OwnedProduct(SERUM, 1, 1, NOW - (days_ago + 4) * DAY, NOW - days_ago * DAY, is_estimate)


LATE, AT_ONCE = a_word(), a_word((0, 14), peaks=True)
SILENT_FIRST = a_word((0, 105), blocked=((0, 3), (4, 7)))


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-3, TOO_EARLY),
        (0, TOO_EARLY),
        (74, TOO_EARLY),
        (75, OPEN),
        (90, OPEN),
        (105, OPEN),
        (106, EXPIRED),
        (900, EXPIRED),
    ],
)
def test_an_offer_is_open_inside_its_window_and_at_no_other_time(days, state):
    assert moment_of(LATE, owned(days), now=NOW, placement_kind=LATER).state == state


def test_the_clock_turns_to_the_second():
    before = moment_of(LATE, owned(75), now=NOW - timedelta(seconds=1), placement_kind=LATER)
    after = moment_of(LATE, owned(106), now=NOW, placement_kind=LATER)

    assert before == Moment(TOO_EARLY, NOW, NOW + 31 * DAY, 74, "pair", LEARNED_TIME)
    assert moment_of(LATE, owned(75), now=before.opens_at, placement_kind=LATER).state == OPEN
    assert after == Moment(EXPIRED, None, NOW, 106, "pair", LEARNED_TIME)


def test_a_parcel_under_way_opens_nothing_and_says_from_when():
    answer = moment_of(AT_ONCE, owned(-3, is_estimate=True), now=NOW, placement_kind=LATER)

    assert (answer.state, answer.opens_at, answer.days_since) == (TOO_EARLY, NOW + 3 * DAY, -3)
    assert answer.is_estimate


@pytest.mark.parametrize(
    ("days", "state", "opens"),
    [(1, SILENT, 7), (7, SILENT, 1), (8, OPEN, None), (105, OPEN, None), (106, EXPIRED, None)],
)
def test_one_pair_may_be_silent_early_and_open_later(days, state, opens):
    answer = moment_of(SILENT_FIRST, owned(days), now=NOW, placement_kind=LATER)

    assert answer.state == state
    assert answer.opens_at == (None if opens is None else NOW + opens * DAY)


def test_a_silence_to_the_end_of_the_window_has_no_next_date():
    word = a_word((10, 30), blocked=((15, 30),))

    assert moment_of(word, owned(20), now=NOW, placement_kind=LATER).opens_at is None
    assert moment_of(word, owned(2), now=NOW, placement_kind=LATER).opens_at == NOW + 8 * DAY


@pytest.mark.parametrize(
    ("word", "kind", "same_basket", "state"),
    [
        # With the anchor in hand, what is bought together may be offered together.
        (LATE, IN_HAND, True, OPEN),
        (LATE, IN_HAND, False, TOO_EARLY),
        (AT_ONCE, IN_HAND, False, OPEN),
        (SILENT_FIRST, IN_HAND, True, SILENT),
        (a_word(source=MERCHANT_TIME), IN_HAND, True, TOO_EARLY),
        (a_word((0, 9), source=MERCHANT_TIME), IN_HAND, False, OPEN),
        (prior_word(SERUM, CREAM), IN_HAND, True, OPEN),
        (prior_word(SERUM, CREAM), IN_HAND, False, TOO_EARLY),
        (prior_word(SERUM, CREAM, CONSUMABLE), IN_HAND, False, OPEN),
        # Just after buying: only what peaks at once, is used up, or goes along, and never what is proved to come late.
        (LATE, JUST_BOUGHT, False, TOO_EARLY),
        (LATE, JUST_BOUGHT, True, TOO_EARLY),
        (AT_ONCE, JUST_BOUGHT, False, OPEN),
        (a_word((0, 60)), JUST_BOUGHT, False, TOO_EARLY),
        (a_word((0, 60)), JUST_BOUGHT, True, OPEN),
        (a_word((0, 60), relation=CONSUMABLE), JUST_BOUGHT, False, OPEN),
        (a_word(relation=CONSUMABLE), JUST_BOUGHT, False, TOO_EARLY),
        (SILENT_FIRST, JUST_BOUGHT, True, SILENT),
        (prior_word(SERUM, CREAM), JUST_BOUGHT, False, TOO_EARLY),
        (prior_word(SERUM, CREAM), JUST_BOUGHT, True, OPEN),
        (prior_word(SERUM, CREAM, CONSUMABLE), JUST_BOUGHT, False, OPEN),
        (a_word(source=MERCHANT_TIME), JUST_BOUGHT, True, TOO_EARLY),
        # Later, there is nothing to count from before something was bought.
        (LATE, LATER, False, UNTIMED),
        (a_word(None), LATER, False, UNTIMED),
    ],
)
def test_what_may_be_offered_on_day_zero(word, kind, same_basket, state):
    answer = moment_of(word, None, now=NOW, placement_kind=kind, same_basket=same_basket)

    assert (answer.state, answer.allows) == (state, state in (OPEN, UNTIMED))


def test_waiting_after_a_purchase_has_a_date_counted_from_its_arrival():
    bought = owned(-5, is_estimate=True)

    answer = moment_of(LATE, bought, now=NOW, placement_kind=JUST_BOUGHT)

    assert answer.opens_at == NOW + 80 * DAY
    assert moment_of(LATE, bought, now=answer.opens_at, placement_kind=LATER).state == OPEN
    assert moment_of(SILENT_FIRST, bought, now=NOW, placement_kind=JUST_BOUGHT).opens_at == NOW + 13 * DAY


def test_a_page_of_something_owned_counts_from_its_delivery_unless_bought_together():
    assert moment_of(LATE, owned(80), now=NOW, placement_kind=IN_HAND).state == OPEN
    assert moment_of(LATE, owned(10), now=NOW, placement_kind=IN_HAND).state == TOO_EARLY
    assert moment_of(LATE, owned(10), now=NOW, placement_kind=IN_HAND, same_basket=True).state == OPEN


@pytest.mark.parametrize("kind", PLACEMENT_KINDS)
def test_a_pair_without_a_word_is_not_held_back(kind):
    assert moment_of(None, owned(1), now=NOW, placement_kind=kind) == Moment(UNTIMED)


@pytest.mark.parametrize("days", range(-2, 30))
def test_whatever_waits_opens_when_it_says(days):
    for word in (a_word((5, 20), blocked=((8, 9), (10, 14))), a_word(None, blocked=((0, 3),)), AT_ONCE):
        answer = moment_of(word, owned(days), now=NOW, placement_kind=LATER)
        if answer.opens_at is not None:
            assert answer.opens_at > NOW
            assert moment_of(word, owned(days), now=answer.opens_at, placement_kind=LATER).allows
            just_before = answer.opens_at - timedelta(seconds=1)
            assert not moment_of(word, owned(days), now=just_before, placement_kind=LATER).allows


def test_a_placement_kind_that_is_none_is_refused():
    with pytest.raises(ValueError, match="elsewhere"):
        moment_of(LATE, None, now=NOW, placement_kind="elsewhere")


def test_an_assumption_says_that_it_is_one():
    answer = moment_of(prior_word(SERUM, CREAM), owned(3), now=NOW, placement_kind=LATER)

    assert (answer.state, answer.source, answer.level) == (TOO_EARLY, PRIOR_TIME, "shop")
