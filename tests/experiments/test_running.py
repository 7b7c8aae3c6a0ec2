"""Arms for a unit: the holdout first, one of a group at most, everything else independent."""

import pytest

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.layers import Place, QuarterHoldout, place_of
from shopify_upsell.experiments.running import ArmPlan, Assigned, GroupSlot, RunningExperiment, arms_for, layers_of

ARMS = (ArmPlan("control", 5_000), ArmPlan("treatment", 5_000))
UNITS = [f"v:{n}" for n in range(2_000)]
HOLDOUT = QuarterHoldout("holdout", 20264, 1_000)


def a_running(number=1, **changes):
    """A running test of two equal arms."""
    given = {"kind": "creative", "offer_id": 1, "phase": 1, "salt": f"salt-{number}", "arms": ARMS} | changes
    return RunningExperiment(experiment_id=number, **given)


def test_who_is_held_out_or_has_no_name_is_in_no_experiment():
    running = (a_running(),)

    assert arms_for(running, "v:1", is_holdout=True) == ()
    assert arms_for(running, None) == ()
    assert arms_for(running, "v:1") == (Assigned(1, 1, arms_for(running, "v:1")[0].arm),)


def test_experiments_of_a_group_share_nobody_and_the_rest_of_the_group_is_in_none():
    slots = [GroupSlot("prices", "group", 0, 4_000), GroupSlot("prices", "group", 4_000, 8_000)]
    running = tuple(a_running(number, group=slot) for number, slot in enumerate(slots, 1))

    found = [arms_for(running, unit) for unit in UNITS]

    assert {len(arms) for arms in found} == {0, 1}
    shares = [sum(any(one.experiment_id == number for one in arms) for arms in found) / len(UNITS) for number in (1, 2)]
    assert all(0.36 < share < 0.44 for share in shares)


def test_independent_experiments_divide_each_others_arms_alike():
    running = (a_running(1), a_running(2))

    found = [tuple(one.arm for one in arms_for(running, unit)) for unit in UNITS]

    assert {pair: 440 < found.count(pair) < 560 for pair in set(found)} == dict.fromkeys(set(found), True)
    assert len(set(found)) == 4


def test_arms_are_those_of_the_layers():
    slot = GroupSlot("prices", "group", 0, 6_000)
    running = (a_running(1, group=slot), a_running(2, traffic_basis_points=5_000), a_running(3))
    layers = layers_of(running, HOLDOUT)

    for unit in UNITS[:300]:
        arms = {one.experiment_id: one.arm for one in arms_for(running, unit)}
        assert place_of(layers, unit, is_held=False) == Place(is_holdout=False, arms=arms)


def test_experiments_that_would_share_units_of_a_group_cannot_run_together():
    slots = [GroupSlot("prices", "group", 0, 4_000), GroupSlot("prices", "group", 3_999, 8_000)]
    running = tuple(a_running(number, group=slot) for number, slot in enumerate(slots, 1))

    with pytest.raises(InvalidInput):
        layers_of(running, HOLDOUT)
