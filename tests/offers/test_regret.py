"""An offer that is regretted too often pauses itself; one that is not hardly ever does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.offers.regret import (
    FEWEST_TAKEN,
    ORDINARY_LIMIT,
    RegretCounts,
    limit_of,
    regret_of,
    should_pause,
)


def test_the_verdict_says_the_rate_its_bound_and_the_limit():
    verdict = regret_of(RegretCounts(100, 30))

    assert (verdict.rate, verdict.limit, verdict.should_pause) == (0.3, 0.10, True)
    assert 0.15 < verdict.at_least < 0.20


def test_nothing_taken_is_nothing_regretted():
    verdict = regret_of(RegretCounts(0, 0))

    assert (verdict.rate, verdict.at_least, verdict.should_pause) == (0.0, 0.0, False)


@pytest.mark.parametrize(
    ("taken", "regretted", "pauses"),
    [
        (19, 19, False),
        (20, 20, True),
        (20, 8, True),
        (20, 7, False),
        (100, 17, False),
        (200, 40, True),
        (1000, 100, False),
    ],
)
def test_an_offer_pauses_when_its_bound_and_not_only_its_rate_is_above_the_limit(taken, regretted, pauses):
    assert should_pause(RegretCounts(taken, regretted)) is pauses


@pytest.mark.parametrize(
    ("ordinary", "back", "limit"),
    [(0, 0, 0.10), (99, 50, 0.10), (100, 3, 0.10), (100, 5, 0.10), (100, 20, 0.40), (1000, 150, 0.30)],
)
def test_the_limit_is_ten_per_cent_or_twice_what_is_given_back_anyway(ordinary, back, limit):
    assert limit_of(RegretCounts(50, 0, ordinary, back)) == pytest.approx(limit)


def test_a_shop_whose_customers_return_much_of_everything_is_not_paused_for_it():
    assert should_pause(RegretCounts(200, 60)) is True
    assert should_pause(RegretCounts(200, 60, 1000, 250)) is False


@given(st.integers(FEWEST_TAKEN, 2000), st.data())
def test_one_regret_more_never_makes_an_offer_look_better(taken, data):
    regretted = data.draw(st.integers(0, taken - 1))

    before, after = regret_of(RegretCounts(taken, regretted)), regret_of(RegretCounts(taken, regretted + 1))

    assert after.at_least >= before.at_least
    assert after.should_pause or not before.should_pause


def test_an_offer_regretted_exactly_as_often_as_allowed_is_paused_in_at_most_one_world_of_forty():
    worlds, taken = 1000, 500
    random = np.random.default_rng(3)
    paused = 0
    for _ in range(worlds):
        draws = random.random(taken) < ORDINARY_LIMIT
        regretted = np.cumsum(draws)
        looks = [n for n in np.flatnonzero(draws) + 1 if n >= FEWEST_TAKEN]
        # The bound is above the limit exactly where the evidence refuses it, so few looks need the bound itself.
        likely = [n for n in looks if regretted[n - 1] / n > 1.3 * ORDINARY_LIMIT]
        paused += any(should_pause(RegretCounts(int(n), int(regretted[n - 1]))) for n in likely)

    assert paused <= 25 + 3 * 5


def test_planted_regret_of_thirty_per_cent_pauses_the_offer_within_a_hundred_and_fifty_lines():
    needed = []
    for seed in range(100):
        regretted = np.cumsum(np.random.default_rng(seed).random(400) < 0.3)
        needed.append(next(n for n in range(20, 401) if should_pause(RegretCounts(n, int(regretted[n - 1])))))

    assert np.median(needed) <= 40
    assert np.quantile(needed, 0.95) <= 150


@pytest.mark.parametrize("counts", [RegretCounts(1, 2), RegretCounts(1, -1)])
def test_counts_that_contradict_each_other_are_refused(counts):
    with pytest.raises(ValueError, match="hits are 0 to trials"):
        regret_of(counts)
