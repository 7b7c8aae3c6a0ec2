import pytest

from shopify_upsell.experiments.moments import UnitTotals, of_units
from shopify_upsell.experiments.winsor import winsorise


def units(*values: int) -> list[UnitTotals]:
    """Units with these outcomes and one order each."""
    return [UnitTotals(y=value, d=1, is_converter=True) for value in values]


def test_one_cap_for_all_arms_taken_from_all_units_together():
    arms = {"treated": units(*range(1_001, 2_000), 90_000), "control": units(*range(1, 1_001))}

    found = winsorise(arms)

    assert (found.cap, found.capped) == (1_998, 2)
    assert found.arms["treated"] == of_units(units(*range(1_001, 1_999), 1_998, 1_998))
    assert found.arms["control"] == of_units(arms["control"])


def test_everything_but_the_outcome_stays_as_it_was():
    arms = {"treated": [UnitTotals(y=50, d=3, x=700, w=2, has_history=True, is_converter=True)], "control": units(1, 2)}

    found = winsorise(arms, kept_per_mille=500)

    assert found.arms["treated"] == of_units([UnitTotals(y=2, d=3, x=700, w=2, has_history=True, is_converter=True)])


def test_keeping_all_changes_nothing():
    arms = {"treated": units(5, 9_000), "control": units(1, 2)}

    assert winsorise(arms, kept_per_mille=1_000).arms == {name: of_units(arm) for name, arm in arms.items()}


@pytest.mark.parametrize(("arms", "share"), [({}, 999), ({"treated": []}, 999), ({"treated": units(1)}, 0)])
def test_a_cap_needs_units_and_a_share(arms, share):
    with pytest.raises(ValueError):
        winsorise(arms, kept_per_mille=share)
