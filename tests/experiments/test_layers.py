"""Holdout first, one experiment of a group at most, independent experiments independent, and nobody moves."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import ConflictingRequest, InvalidInput
from shopify_upsell.experiments.assignment import Arm, assign, is_in_holdout
from shopify_upsell.experiments.layers import (
    HOLDOUT,
    HOLDOUT_ID,
    OPEN,
    Assignment,
    Group,
    Layers,
    Merged,
    QuarterHoldout,
    Slot,
    Trial,
    arm_of,
    has_many_crossovers,
    merge,
    place_of,
    quarter_holdout,
    quarter_of,
    reweigh,
    stick,
    stick_holdout,
    widen,
    widen_slot,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HALVES = (Arm("control", 5_000), Arm("warm", 5_000))
UNITS = [f"v:{number}" for number in range(8_000)]
NO_HOLDOUT = QuarterHoldout("holdout-salt", 20264, 0)


def a_trial(number, **changes):
    return Trial(**{"experiment_id": number, "salt": f"salt-{number}", "arms": HALVES} | changes)


def a_group(*shares):
    edges = [sum(shares[:place]) for place in range(len(shares) + 1)]
    slots = tuple(Slot(a_trial(place + 1), edges[place], edges[place + 1]) for place in range(len(shares)))
    return Group("group-salt", slots)


def test_quarters_are_numbered_by_the_calendar():
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4, 6, 7, 9, 10, 12)]

    assert [quarter_of(moment) for moment in moments] == [
        20261, 20261, 20262, 20262, 20263, 20263, 20264, 20264,
    ]  # fmt: skip


def test_each_quarter_holds_out_others_a_tenth_by_default():
    autumn, winter = quarter_holdout("shop", NOW), quarter_holdout("shop", NOW + timedelta(days=60))
    held = [{unit for unit in UNITS if is_in_holdout(each.salt, unit, each.basis_points)} for each in (autumn, winter)]

    assert autumn.salt != winter.salt
    assert len(held[0]) == pytest.approx(800, abs=110)
    assert len(held[0] & held[1]) == pytest.approx(80, abs=40)


def test_holdout_of_a_quarter_can_be_recomputed_and_differs_between_shops():
    assert quarter_holdout("shop", NOW) == quarter_holdout("shop", NOW + timedelta(days=1))
    assert quarter_holdout("shop", NOW).salt != quarter_holdout("other", NOW).salt


def test_unit_in_the_holdout_takes_part_in_nothing():
    layers = Layers(QuarterHoldout("h", 20264, 3_000), (a_group(5_000, 5_000),), (a_trial(9),))

    places = [place_of(layers, unit) for unit in UNITS]

    assert sum(place.is_holdout for place in places) == pytest.approx(2_400, abs=170)
    assert all(not place.arms for place in places if place.is_holdout)
    assert all(9 in place.arms for place in places if not place.is_holdout)


def test_unit_is_in_one_experiment_of_a_group_at_most():
    layers = Layers(NO_HOLDOUT, (a_group(3_000, 5_000),))

    met = Counter(tuple(place_of(layers, unit).arms) for unit in UNITS)

    assert set(met) == {(1,), (2,), ()}
    assert met[(1,)] == pytest.approx(2_400, abs=170)
    assert met[(2,)] == pytest.approx(4_000, abs=180)


def test_independent_experiments_share_all_units_and_say_nothing_of_each_other():
    layers = Layers(NO_HOLDOUT, orthogonal=(a_trial(1), a_trial(2)))

    met = Counter(tuple(place_of(layers, unit).arms.values()) for unit in UNITS)

    assert len(met) == 4
    assert all(count == pytest.approx(2_000, abs=160) for count in met.values())


def test_arm_is_the_one_that_assignment_names():
    assert all(arm_of(a_trial(1), unit) == assign("salt-1", unit, HALVES) for unit in UNITS[:500])


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_widening_traffic_keeps_everyone_where_they_are(one, other):
    narrow = a_trial(1, traffic_basis_points=min(one, other))
    wide = widen(narrow, max(one, other))

    for unit in UNITS[:100]:
        before = arm_of(narrow, unit)
        assert before is None or arm_of(wide, unit) == before


def test_traffic_is_met_and_split_evenly():
    met = Counter(arm_of(a_trial(1, traffic_basis_points=2_000), unit) for unit in UNITS)

    assert met[None] == pytest.approx(6_400, abs=150)
    assert met["control"] == pytest.approx(800, abs=110)


def test_traffic_and_slots_are_never_narrowed():
    with pytest.raises(ConflictingRequest):
        widen(a_trial(1, traffic_basis_points=5_000), 4_999)
    with pytest.raises(ConflictingRequest):
        widen_slot(a_group(3_000), 1, 2_999)
    with pytest.raises(ConflictingRequest):
        widen_slot(a_group(3_000), 77, 9_000)


def test_slot_is_widened_at_its_far_end_until_it_meets_another():
    group = a_group(3_000)

    assert widen_slot(group, 1, 4_000).slots[0].to_basis_points == 4_000
    with pytest.raises(InvalidInput):
        widen_slot(a_group(3_000, 2_000), 1, 3_001)


def test_other_weights_begin_a_new_phase_with_a_new_salt():
    trial = a_trial(1)

    later = reweigh(trial, (Arm("control", 2_000), Arm("warm", 8_000)), salt="fresh")

    assert (later.phase, later.salt, later.arms[1].basis_points) == (2, "fresh", 8_000)
    with pytest.raises(InvalidInput):
        reweigh(trial, HALVES, salt="salt-1")


def test_unit_keeps_its_first_arm_within_a_phase():
    kept = Assignment(1, 1, "an arm since removed", NOW)

    assert stick(kept, a_trial(1), "v:1", now=NOW + timedelta(days=3)) is kept


def test_unit_is_drawn_anew_in_a_new_phase_and_in_another_experiment():
    kept = Assignment(1, 1, "warm", NOW)
    later = reweigh(a_trial(1), HALVES, salt="fresh")

    found = stick(kept, later, "v:1", now=NOW)

    assert found == Assignment(1, 2, assign("fresh", "v:1", HALVES), NOW)
    assert stick(kept, a_trial(2), "v:1", now=NOW) == Assignment(2, 1, assign("salt-2", "v:1", HALVES), NOW)


def test_unit_that_traffic_leaves_out_is_not_assigned():
    assert stick(None, a_trial(1, traffic_basis_points=0), "v:1", now=NOW) is None


def test_visitor_who_saw_offers_is_not_held_out_after_logging_in():
    holdout = QuarterHoldout("h", 20264, 10_000)
    seen = Assignment(HOLDOUT_ID, 20264, OPEN, NOW - timedelta(days=1))

    kept = stick_holdout(seen, holdout, "c:1", now=NOW)

    assert kept is seen
    assert not place_of(Layers(holdout), "c:1", is_held=kept.arm == HOLDOUT).is_holdout
    assert stick_holdout(None, holdout, "c:1", now=NOW).arm == HOLDOUT
    assert stick_holdout(seen, QuarterHoldout("i", 20271, 10_000), "c:1", now=NOW).arm == HOLDOUT


def test_merged_unit_keeps_its_earliest_arm_and_is_counted_as_crossover():
    visitor = [Assignment(1, 1, "warm", NOW), Assignment(2, 1, "control", NOW)]
    customer = [Assignment(1, 1, "control", NOW - timedelta(days=1)), Assignment(3, 1, "warm", NOW)]

    merged = merge(visitor, customer)

    assert merged == Merged((customer[0], visitor[1], customer[1]), crossovers=(1,))


def test_same_arm_on_both_sides_is_no_crossover():
    assert merge([Assignment(1, 1, "warm", NOW)], [Assignment(1, 1, "warm", NOW + timedelta(1))]).crossovers == ()


def test_phases_are_merged_apart():
    merged = merge([Assignment(1, 1, "warm", NOW)], [Assignment(1, 2, "control", NOW)])

    assert len(merged.assignments) == 2
    assert merged.crossovers == ()


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.integers(0, 5)), max_size=8), st.randoms())
def test_merging_does_not_depend_on_order(drawn, shuffler):
    found = [Assignment(number, 1, arm, NOW + timedelta(days=days)) for number, arm, days in drawn]
    shuffled = list(found)
    shuffler.shuffle(shuffled)

    assert merge(found[:3], found[3:]) == merge(shuffled, [])


def test_more_than_one_crossover_in_a_hundred_units_warns():
    assert not has_many_crossovers(10, 1_000)
    assert has_many_crossovers(11, 1_000)
    with pytest.raises(InvalidInput):
        has_many_crossovers(2, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: a_trial(1, arms=(Arm("control", 10_000),)),
        lambda: a_trial(1, arms=(Arm("control", 5_000), Arm("control", 5_000))),
        lambda: a_trial(1, arms=(Arm("control", 5_000), Arm("warm", 4_000))),
        lambda: a_trial(1, arms=(Arm("control", 10_000), Arm("warm", 0))),
        lambda: a_trial(1, traffic_basis_points=10_001),
        lambda: a_trial(1, salt=""),
        lambda: a_trial(0),
        lambda: a_group(6_000, 5_000),
        lambda: Group("g", (Slot(a_trial(1), 0, 5_000), Slot(a_trial(2), 4_999, 9_000))),
        lambda: Group("g", (Slot(a_trial(1), 5_000, 5_000),)),
        lambda: Layers(NO_HOLDOUT, orthogonal=(a_trial(1), a_trial(2, salt="salt-1"))),
        lambda: Layers(NO_HOLDOUT, orthogonal=(a_trial(1), a_trial(1, salt="other"))),
        lambda: Layers(NO_HOLDOUT, orthogonal=(a_trial(1, salt="holdout-salt"),)),
    ],
)
def test_layers_that_make_no_sense_are_refused(make):
    with pytest.raises(InvalidInput):
        make()
