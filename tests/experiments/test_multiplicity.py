"""Adjusted p values are those of Holm and of Benjamini and Hochberg."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.multiplicity import against_control, benjamini_hochberg, findings, holm

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_of_four_worked_by_hand():
    assert holm((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02), rel=1e-15)


def test_benjamini_hochberg_of_four_worked_by_hand():
    assert benjamini_hochberg((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.02, 0.04, 0.04, 0.02), rel=1e-15)


def test_one_question_is_not_adjusted():
    assert holm((0.02,)) == benjamini_hochberg((0.02,)) == (0.02,)


def test_no_question_has_no_answer():
    assert holm(()) == benjamini_hochberg(()) == ()


@given(PROBABILITIES)
def test_adjusting_never_makes_a_finding_stronger(p_values):
    for original, stepwise, discovery in zip(p_values, holm(p_values), benjamini_hochberg(p_values), strict=True):
        assert original <= discovery * (1 + 1e-12) + 1e-300
        assert discovery <= stepwise * (1 + 1e-12)
        assert stepwise <= 1.0


@given(PROBABILITIES)
def test_adjusting_keeps_the_order(p_values):
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])

    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        ranked = [adjusted[place] for place in order]
        assert ranked == sorted(ranked)


@given(PROBABILITIES, st.floats(0.001, 0.5))
def test_holm_rejects_what_the_stepwise_rule_rejects(p_values, alpha):
    rejected = 0
    for step, p in enumerate(sorted(p_values)):
        if p * (len(p_values) - step) > alpha:
            break
        rejected += 1

    assert sum(adjusted <= alpha for adjusted in holm(p_values)) == rejected


def test_arms_are_compared_with_control_by_name():
    assert against_control({"b": 0.04, "c": 0.02}) == {"b": 0.04, "c": 0.04}


def test_segments_that_stand_out_are_named_in_their_order():
    assert findings({"new": 0.30, "loyal": 0.004, "lapsed": 0.06, "vip": 0.9}) == ("loyal",)
    assert findings({}) == ()


def test_segments_without_effect_are_named_among_the_findings_one_time_in_ten_at_most():
    random = np.random.default_rng(8)
    z = random.normal(size=(2_000, 10))
    z[:, :2] += 4.0
    false_shares, found_both = [], 0
    for world in z:
        names = findings({str(place): float(2 * ndtr(-abs(value))) for place, value in enumerate(world)})
        real = sum(name in ("0", "1") for name in names)
        false_shares.append((len(names) - real) / max(len(names), 1))
        found_both += real == 2

    assert np.mean(false_shares) <= 0.10
    assert found_both > 1_800


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(InvalidInput):
        holm((0.5, wrong))
    with pytest.raises(InvalidInput):
        benjamini_hochberg((wrong,))
