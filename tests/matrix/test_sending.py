"""Send windows: a fifth by lot with a known chance, rates pulled towards what is known, and never a closed window."""

import numpy as np
import pytest

from shopify_upsell.matrix.sending import (
    RANDOM_SHARE,
    Pitches,
    Send,
    chances_of_best,
    estimate_rates,
    plan_send,
)

UNITS = [f"c:{number}" for number in range(4_000)]
PEAKED = np.array([0.05, 0.05, 0.06, 0.08, 0.30, 0.08, 0.05, 0.05])


def pitched(per_window, rates=PEAKED, pairs=12, seed=1):
    tried = np.full((pairs, 8), per_window)
    return Pitches(tried, np.random.default_rng(seed).binomial(tried, rates), np.zeros(pairs, dtype=np.int64))


def test_a_fifth_is_random_and_every_send_carries_the_chance_it_was_drawn_with():
    chances = {2: 0.75, 4: 0.25, 7: 0.9}
    sends = [plan_send("seed", unit, (1, 2, 4, 5), chances) for unit in UNITS]

    assert abs(np.mean([send.is_random for send in sends]) - RANDOM_SHARE) < 0.02
    assert {send.window: round(send.propensity, 9) for send in sends} == {1: 0.05, 2: 0.65, 4: 0.25, 5: 0.05}
    for window, chance in ((1, 0.05), (2, 0.65), (4, 0.25), (5, 0.05)):
        assert abs(np.mean([send.window == window for send in sends]) - chance) < 0.025


def test_the_same_seed_and_unit_plan_the_same_send_whatever_the_order_of_windows():
    assert plan_send("a", "c:1", (5, 1, 3), {5: 1.0}) == plan_send("a", "c:1", (1, 3, 5, 5), {5: 1.0})
    assert len({plan_send(str(seed), "c:1", range(8)).window for seed in range(100)}) == 8


def test_a_window_that_is_over_is_never_chosen_and_without_chances_all_are_alike():
    assert plan_send("s", "c:1", (6,), {2: 1.0}) == Send(6, 1.0, plan_send("s", "c:1", (6,)).is_random)
    sends = [plan_send("s", unit, (0, 3), {5: 1.0}) for unit in UNITS]
    assert {send.propensity for send in sends} == {0.5}
    with pytest.raises(ValueError, match="window"):
        plan_send("s", "c:1", ())


def test_many_pitches_speak_for_themselves_and_few_are_called_the_categorys():
    many, few = estimate_rates(pitched(20_000)), estimate_rates(pitched(4))

    assert np.allclose(many.rate, PEAKED, atol=0.012)
    assert set(many.level) == {"pair"}
    assert set(few.level) == {"category"}
    assert few.tried.tolist() == [32] * 12


def test_a_pair_without_pitches_takes_its_categorys_curve():
    known = pitched(200)
    tried, bought = known.tried.copy(), known.bought.copy()
    tried[0], bought[0] = 0, 0

    rates = estimate_rates(Pitches(tried, bought, known.category))

    assert rates.rate[0].argmax() == 4
    assert rates.rate[0] == pytest.approx(PEAKED, abs=0.04)


def test_what_is_bought_without_a_pitch_is_taken_off():
    rising = np.array([0.02, 0.02, 0.02, 0.02, 0.10, 0.02, 0.02, 0.60])
    unpitched = np.array([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.60])
    treated, alone = estimate_rates(pitched(3_000, rising)), estimate_rates(pitched(3_000, unpitched, seed=2))

    response = chances_of_best(treated, np.random.default_rng(0), draws=200)
    caused = chances_of_best(treated, np.random.default_rng(0), held_out=alone, draws=200)

    assert response[:, 7].min() == 1.0
    assert caused[:, 4].min() > 0.9
    assert np.allclose(caused.sum(axis=1), 1.0)
    again = chances_of_best(treated, np.random.default_rng(0), held_out=alone, draws=200)
    assert np.array_equal(caused, again)


@pytest.mark.parametrize(("tried", "bought"), [(1, 2), (1, -1)])
def test_counts_that_cannot_be_are_refused(tried, bought):
    with pytest.raises(ValueError, match="bought"):
        Pitches(np.full((1, 8), tried), np.full((1, 8), bought), np.zeros(1, dtype=np.int64))
