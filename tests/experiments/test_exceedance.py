"""A limit is said to be exceeded when it is, and hardly ever when it is not, however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.experiments.exceedance import (
    ODDS_MULTIPLES,
    log_evidence,
    log_sum,
    lower_bound,
    upper_limit_of,
)


def test_evidence_is_the_mean_of_the_likelihood_ratios_written_out():
    trials, hits, limit = 40, 9, 0.1
    ratios = []
    for multiple in ODDS_MULTIPLES:
        odds = multiple * limit / (1 - limit)
        other = odds / (1 + odds)
        ratios.append((other / limit) ** hits * ((1 - other) / (1 - limit)) ** (trials - hits))

    assert log_evidence(trials, hits, limit) == pytest.approx(math.log(sum(ratios) / len(ratios)), abs=1e-12)


def test_nothing_tried_is_no_evidence():
    assert log_evidence(0, 0, 0.1) == pytest.approx(0, abs=1e-15)
    assert lower_bound(0, 0, alpha=0.025) == 0.0


@given(st.integers(1, 500), st.data())
def test_evidence_rises_with_hits_and_falls_with_the_limit(trials, data):
    hits = data.draw(st.integers(0, trials - 1))
    limit = data.draw(st.floats(0.01, 0.5))

    assert log_evidence(trials, hits + 1, limit) > log_evidence(trials, hits, limit)
    assert log_evidence(trials, hits, limit * 1.1) <= log_evidence(trials, hits, limit)


@given(st.integers(1, 500), st.data())
def test_the_lower_bound_is_the_limit_at_which_the_evidence_just_refuses(trials, data):
    hits = data.draw(st.integers(0, trials))

    bound = lower_bound(trials, hits, alpha=0.025)

    assert bound <= hits / trials
    if bound:
        assert log_evidence(trials, hits, bound) == pytest.approx(math.log(40), abs=1e-6)
    else:
        assert hits <= 3  # each hit speaks five times over at most


def test_a_chance_of_one_in_ten_looked_at_after_every_trial_is_called_higher_in_at_most_one_run_of_forty():
    runs, trials = 2000, 1000
    draws = np.random.default_rng(7).random((runs, trials)) < 0.1
    hits = np.cumsum(draws, axis=1)
    counts = np.arange(1, trials + 1)
    alarms = 0
    for run in range(runs):
        # Only a new hit can raise the evidence, so nothing is missed by looking at those alone.
        looks = np.flatnonzero(draws[run])
        alarms += any(log_evidence(int(counts[at]), int(hits[run, at]), 0.1) >= math.log(40) for at in looks)

    # One in forty is fifty runs; the sampling error of the simulation is seven.
    assert alarms <= 50 + 3 * 7
    assert alarms >= 5  # a rule that never speaks would pass as well


def test_a_rate_far_above_the_limit_is_found_within_a_few_dozen_trials():
    found = []
    for seed in range(200):
        draws = np.cumsum(np.random.default_rng(seed).random(400) < 0.3)
        found.append(next(n for n in range(1, 401) if log_evidence(n, int(draws[n - 1]), 0.1) >= math.log(40)))

    assert np.median(found) <= 40
    assert max(found) <= 200


@pytest.mark.parametrize(("trials", "hits", "limit"), [(1, 2, 0.1), (1, -1, 0.1), (1, 0, 0.0), (1, 0, -1.0)])
def test_counts_that_contradict_each_other_are_refused(trials, hits, limit):
    with pytest.raises(ValueError, match="hits are 0 to trials"):
        log_evidence(trials, hits, limit)


@pytest.mark.parametrize(("trials", "hits", "alpha"), [(1, 2, 0.1), (1, 1, 0.0), (1, 1, 1.0)])
def test_a_bound_of_nonsense_is_refused(trials, hits, alpha):
    with pytest.raises(ValueError, match="hits are 0 to trials"):
        lower_bound(trials, hits, alpha=alpha)


def test_a_limit_of_one_can_not_be_exceeded():
    assert log_evidence(100, 100, 1.0) == -math.inf


def test_wilsons_upper_end_as_the_textbook_has_it():
    assert upper_limit_of(100, 10) == pytest.approx(0.17437, abs=1e-5)
    assert upper_limit_of(0, 0) == 1.0
    assert upper_limit_of(5, 5) == 1.0


def test_logs_are_summed_without_overflow():
    assert log_sum([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))
    assert log_sum([]) == -math.inf
    assert log_sum([-math.inf]) == -math.inf
