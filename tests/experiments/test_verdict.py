"""Doubt comes before results, harm before wins, and every verdict has words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments import verdict
from shopify_upsell.experiments.verdict import (
    BETTER,
    BLOCKED,
    NO_EFFECT,
    NOT_ENOUGH_DATA,
    PAUSED_GUARDRAIL,
    PAUSED_STOCK,
    RUNNING,
    WORDS,
    WORSE,
    ArmEvidence,
    Progress,
    Verdict,
    recommended_arm,
    verdict_of,
)


def progress(**changes):
    given = {"has_ratio_alarm": False, "out_of_stock": (), "look_count": 3, "is_over": False, "alpha": 0.05}
    return Progress(**given | changes)


WIN, LOSS, NOTHING = ArmEvidence(12.0, 0.01), ArmEvidence(-12.0, 0.01), ArmEvidence(3.0, 0.6)


def test_broken_ratio_blocks_the_verdict_and_hides_the_results():
    found = verdict_of(progress(has_ratio_alarm=True), WIN)

    assert (found.code, found.stops, found.shows_results) == (BLOCKED, True, False)


def test_guardrail_outweighs_a_win():
    found = verdict_of(progress(), ArmEvidence(12.0, 0.01, pausing=("refund_rate",)))

    assert (found.code, found.stops, found.reasons) == (PAUSED_GUARDRAIL, True, ("refund_rate",))


def test_empty_shelf_pauses_without_ending():
    found = verdict_of(progress(out_of_stock=("warm",)), WIN)

    assert (found.code, found.stops, found.reasons) == (PAUSED_STOCK, False, ("warm",))


def test_before_the_first_look_there_is_not_enough_data():
    assert verdict_of(progress(look_count=0), WIN) == Verdict(NOT_ENOUGH_DATA, stops=False, shows_results=False)


def test_time_that_ran_out_without_a_look_ends_as_not_enough_data():
    assert verdict_of(progress(look_count=0, is_over=True), NOTHING).stops


def test_crossing_ends_the_test_on_the_side_of_the_estimate():
    assert verdict_of(progress(), WIN) == Verdict(BETTER, stops=True, shows_results=True)
    assert verdict_of(progress(), LOSS) == Verdict(WORSE, stops=True, shows_results=True)


def test_p_at_alpha_is_a_crossing():
    assert verdict_of(progress(), ArmEvidence(1.0, 0.05)).code == BETTER
    assert verdict_of(progress(), ArmEvidence(1.0, 0.0501)).code == RUNNING


def test_no_crossing_runs_on_and_ends_as_no_measurable_effect():
    assert verdict_of(progress(), NOTHING) == Verdict(RUNNING, stops=False, shows_results=True)
    assert verdict_of(progress(is_over=True), NOTHING) == Verdict(NO_EFFECT, stops=True, shows_results=True)


@given(st.booleans(), st.booleans(), st.integers(0, 5), st.floats(-1, 1), st.floats(0, 1), st.booleans())
def test_results_are_never_shown_while_the_ratio_is_broken(alarm, over, looks, estimate, p, is_paused):
    evidence = ArmEvidence(estimate, p, ("refund_rate",) if is_paused else ())
    found = verdict_of(progress(has_ratio_alarm=alarm, is_over=over, look_count=looks), evidence)

    assert found.words == WORDS[found.code]
    assert not (alarm and (found.shows_results or found.code in (BETTER, WORSE)))
    assert not (over and found.code == RUNNING)


def test_every_code_has_words():
    codes = {value for name, value in vars(verdict).items() if name.isupper() and isinstance(value, str)}

    assert codes - {verdict.CONTROL} == set(WORDS)


def test_discount_that_lowers_margin_ends_with_the_advice_to_give_none():
    verdicts = {"ten_percent": verdict_of(progress(), ArmEvidence(-4.0, 0.001))}

    assert recommended_arm(verdicts, {"ten_percent": -4.0}) == "control"


def test_best_of_the_better_arms_is_recommended():
    better, running = verdict_of(progress(), WIN), verdict_of(progress(), NOTHING)
    verdicts = {"a": better, "b": better, "c": running}

    assert recommended_arm(verdicts, {"a": 3.0, "b": 5.0, "c": 9.0}) == "b"


def test_nothing_is_recommended_while_an_arm_is_open_or_in_doubt():
    running, ended = verdict_of(progress(), NOTHING), verdict_of(progress(), LOSS)
    blocked, better = verdict_of(progress(has_ratio_alarm=True), WIN), verdict_of(progress(), WIN)
    too_little = verdict_of(progress(look_count=0, is_over=True), NOTHING)

    assert recommended_arm({"a": running, "b": ended}, {"a": 0.0, "b": 0.0}) is None
    assert recommended_arm({"a": better, "b": blocked}, {"a": 1.0, "b": 1.0}) is None
    assert recommended_arm({"a": too_little}, {"a": 1.0}) is None
    assert recommended_arm({}, {}) is None


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(InvalidInput):
        verdict_of(progress(), ArmEvidence(1.0, p))
