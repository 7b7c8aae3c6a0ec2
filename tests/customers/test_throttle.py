"""Caps fall when shoppers turn away more, hardly ever otherwise, and come back step by step."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from builders_database import NOW, add_shop
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput, OfferId
from shopify_upsell.customers.courtesy import DEFAULT_CAPS
from shopify_upsell.customers.courtesy_store import WHOLE_SHOP, rules_of
from shopify_upsell.customers.throttle import (
    ABSOLUTE_LIMIT,
    MOST_LEVEL,
    UNTHROTTLED,
    DayCount,
    ThrottleState,
    judge,
    lifted,
    limit_for,
    read_throttle,
    throttled_caps,
    write_throttle,
)
from shopify_upsell.customers.throttle_store import (
    count_refused,
    count_shown,
    day_of,
    forget_old_reactions,
    lift_throttle,
    reactions_by_offer,
)
from shopify_upsell.customers.upkeep import review_courtesy
from shopify_upsell.jobs.queue import Job

FIRST = day_of(NOW)
ONE = OfferId(1)
EXPOSURES = 300
"""N: a spike from 4 % to 20 % refusals lowers the caps within this many cards."""


def steady(days, shows, refusals, *, start=FIRST):
    return [DayCount(start + number, shows, refusals) for number in range(days)]


def judged_daily(counts, state=UNTHROTTLED):
    """The state after every day, judged each evening."""
    states = []
    for number, one in enumerate(counts):
        state = judge(state, counts[: number + 1], today=one.day)
        states.append(state)
    return states


def test_a_steady_shop_keeps_its_caps():
    assert {state.level for state in judged_daily(steady(60, 200, 8))} == {0}


def test_a_planted_spike_lowers_caps_within_three_hundred_cards():
    needed = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        past = [DayCount(FIRST + day, 100, int(random.binomial(100, 0.04))) for day in range(60)]
        state = judged_daily(past)[-1]
        assert state.level == 0
        refusals = np.cumsum(random.random(2000) < 0.20)
        today = past[-1].day + 1
        needed.append(
            next(
                shows
                for shows in range(10, 2000, 10)
                if judge(state, [*past, DayCount(today, shows, int(refusals[shows - 1]))], today=today).level == 1
            )
        )

    assert max(needed) <= EXPOSURES
    assert np.median(needed) <= 160


def test_a_shop_without_a_past_is_held_to_fifteen_per_cent():
    assert limit_for([], UNTHROTTLED, FIRST) == ABSOLUTE_LIMIT
    assert judged_daily(steady(1, 100, 40))[-1].level == 1
    assert judged_daily(steady(20, 20, 2))[-1].level == 0


def test_the_limit_is_two_points_above_what_was_ordinary_and_never_above_fifteen_per_cent():
    limit = limit_for(steady(60, 1000, 40), UNTHROTTLED, FIRST + 60)

    assert 0.060 < limit < 0.063
    assert limit_for(steady(60, 1000, 300), UNTHROTTLED, FIRST + 60) == ABSOLUTE_LIMIT


def test_in_a_world_where_nothing_changes_hardly_any_shop_is_ever_throttled():
    shops, days = 120, 60
    random = np.random.default_rng(11)
    ever = 0
    for rate in np.linspace(0.02, 0.12, shops):
        refusals = random.binomial(80, rate, days)
        counts = [DayCount(FIRST + day, 80, int(refusals[day])) for day in range(days)]
        ever += any(state.level for state in judged_daily(counts))

    assert ever <= 0.05 * shops


def test_a_spike_that_stays_is_halved_again_and_never_beyond_an_eighth():
    counts = steady(40, 200, 8) + steady(40, 200, 80, start=FIRST + 40)

    levels = [state.level for state in judged_daily(counts)]

    assert levels[39:44] == [0, 1, 2, 3, 3]
    assert max(levels) == MOST_LEVEL
    assert levels[-1] == MOST_LEVEL


def test_recovery_gives_back_one_step_a_week():
    counts = steady(40, 200, 8) + steady(3, 200, 80, start=FIRST + 40) + steady(40, 200, 8, start=FIRST + 43)

    levels = [state.level for state in judged_daily(counts)]

    assert levels[42] == 3
    changes = [day for day in range(43, len(levels)) if levels[day] != levels[day - 1]]
    assert [levels[day] for day in changes] == [2, 1, 0]
    assert [day - 42 for day in changes] == [7, 14, 21]


def test_what_led_to_the_step_is_kept_with_the_numbers():
    counts = steady(40, 200, 8) + steady(1, 200, 80, start=FIRST + 40)

    state = judged_daily(counts)[-1]

    assert (state.level, state.changed_on, state.show_count, state.refusal_count) == (1, FIRST + 40, 200, 80)
    assert state.limit == limit_for(counts, UNTHROTTLED, FIRST + 40)


def test_the_spike_itself_never_becomes_what_is_ordinary():
    counts = steady(40, 200, 8) + steady(10, 200, 80, start=FIRST + 40)
    before = limit_for(counts, UNTHROTTLED, FIRST + 40)

    after = judged_daily(counts)[-1]

    assert limit_for(counts, after, FIRST + 50) == pytest.approx(before, abs=0.001)


def test_a_week_without_cards_gives_a_step_back():
    state = judged_daily(steady(1, 100, 60))[-1]

    assert judge(state, [], today=FIRST + 6).level == 1
    assert judge(state, [], today=FIRST + 7).level == 0


def test_the_merchants_word_gives_back_full_caps_and_is_kept_with_its_note():
    state = judged_daily(steady(1, 100, 60))[-1]

    after = lifted(state, today=FIRST + 1, days=30, note="  a banner was in the way ")

    assert (after.level, after.lifted_until, after.note) == (0, FIRST + 31, "a banner was in the way")
    during = steady(40, 100, 60)
    assert judge(after, during, today=FIRST + 30) == after
    assert judge(after, during, today=FIRST + 31).level == 1


@pytest.mark.parametrize(("days", "note"), [(0, "n"), (91, "n"), (7, " "), (7, "x" * 501)])
def test_lifting_without_a_reason_or_for_ever_is_refused(days, note):
    with pytest.raises(InvalidInput):
        lifted(UNTHROTTLED, today=FIRST, days=days, note=note)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=50))
def test_judging_is_a_function_of_counts_and_asking_twice_changes_nothing(numbers):
    counts = [DayCount(FIRST + day, shows, refusals) for day, (shows, refusals) in enumerate(numbers)]
    today = counts[-1].day

    state = judged_daily(counts)[-1]

    assert state == judged_daily(counts)[-1]
    assert judge(state, counts, today=today) == state
    assert 0 <= state.level <= MOST_LEVEL
    assert read_throttle(write_throttle(state)) == state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unheard_of": 1}'])
def test_an_unreadable_throttle_is_refused(text):
    with pytest.raises(InvalidInput):
        read_throttle(text)


def test_the_shops_throttle_divides_every_cap_and_the_offers_those_of_the_offer():
    halved, quartered = ThrottleState(level=1), ThrottleState(level=2)

    assert throttled_caps(DEFAULT_CAPS, None, None) == DEFAULT_CAPS
    assert throttled_caps(DEFAULT_CAPS, halved, None) == replace(
        DEFAULT_CAPS, session=6, day=12, month=60, offer_day=2, offer_month=6
    )
    assert throttled_caps(DEFAULT_CAPS, None, quartered) == replace(DEFAULT_CAPS, offer_day=1, offer_month=3)
    both = throttled_caps(DEFAULT_CAPS, halved, quartered)
    assert (both.session, both.offer_day, both.offer_month) == (6, 1, 2)


def react(session, shop_id, offer_id, shows, refusals, *, now=NOW):
    for slot in range(shows):
        count_shown(session, shop_id, offer_id, slot=slot, now=now)
    for slot in range(refusals):
        count_refused(session, shop_id, offer_id, slot=slot, now=now)


def test_reactions_are_counted_by_offer_and_day_and_together_for_the_shop(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    react(session, shop_id, ONE, 20, 3)
    react(session, shop_id, OfferId(2), 5, 0)
    react(session, shop_id, WHOLE_SHOP, 0, 2)
    react(session, shop_id, ONE, 1, 0, now=NOW + timedelta(days=1))
    react(session, other_shop, ONE, 7, 7)

    found = reactions_by_offer(session, shop_id)

    assert found[ONE] == [DayCount(FIRST, 20, 3), DayCount(FIRST + 1, 1, 0)]
    assert found[WHOLE_SHOP] == [DayCount(FIRST, 25, 5), DayCount(FIRST + 1, 1, 0)]
    assert set(found) == {ONE, OfferId(2), WHOLE_SHOP}


def a_job(shop_id, now):
    return Job(1, shop_id, "review_courtesy", {}, 1, "t", now)


def test_the_job_throttles_the_offer_that_is_turned_away_and_no_other(session, shop_id, caplog):
    react(session, shop_id, ONE, 60, 40)
    react(session, shop_id, OfferId(2), 600, 6)

    with caplog.at_level("INFO"):
        review_courtesy(session, a_job(shop_id, NOW))
    review_courtesy(session, a_job(shop_id, NOW))

    levels = {offer: state.level for offer, state in rules_of(session, shop_id).throttles.items()}
    assert levels == {WHOLE_SHOP: 0, ONE: 1, OfferId(2): 0}
    (said,) = [record for record in caplog.records if record.message == "courtesy_throttled"]
    assert (said.offer_id, said.level, said.show_count, said.refusal_count) == (1, 1, 60, 40)


def test_a_lifted_throttle_is_kept_and_the_job_leaves_it_alone(session, shop_id):
    react(session, shop_id, ONE, 60, 40)
    review_courtesy(session, a_job(shop_id, NOW))

    after = lift_throttle(session, shop_id, ONE, days=30, note="seen", now=NOW)
    review_courtesy(session, a_job(shop_id, NOW + timedelta(hours=1)))

    assert rules_of(session, shop_id).throttles[ONE] == after
    assert after.level == 0


def test_counts_that_no_rule_looks_at_are_deleted(session, shop_id):
    react(session, shop_id, ONE, 2, 1)
    react(session, shop_id, ONE, 1, 0, now=NOW + timedelta(days=1))

    forget_old_reactions(session, shop_id, now=NOW + timedelta(days=151))

    assert reactions_by_offer(session, shop_id)[ONE] == [DayCount(FIRST + 1, 1, 0)]
