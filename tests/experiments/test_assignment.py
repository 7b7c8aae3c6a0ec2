"""Assignment is exact, uniform, and independent between experiments."""

import hashlib
from collections import Counter
from fractions import Fraction

import pytest

from shopify_upsell.experiments.assignment import Arm, assign, is_in_holdout, unit_interval

HALVES = (Arm("control", 5000), Arm("treatment", 5000))


def test_place_is_the_first_eight_bytes_of_sha256_read_big_endian():
    digest = hashlib.sha256(b"salt\x1fc:42").hexdigest()

    assert unit_interval("salt", "c:42") == Fraction(int(digest[:16], 16), 2**64)


def test_place_of_a_known_unit_never_changes_between_releases():
    assert format(float(unit_interval("d41d8cd9", "v:abc")), ".12f") == "0.656095225221"


def test_separator_keeps_salt_and_unit_apart():
    assert unit_interval("ab", "c") != unit_interval("a", "bc")


def test_holdout_of_nobody_and_of_everybody():
    units = [f"v:{number}" for number in range(1000)]

    assert not any(is_in_holdout("s", unit, 0) for unit in units)
    assert all(is_in_holdout("s", unit, 10_000) for unit in units)


def test_holdout_share_is_met_within_four_standard_errors():
    held = sum(is_in_holdout("shop-salt", f"v:{number}", 1000) for number in range(20_000))

    assert abs(held - 2000) < 4 * (20_000 * 0.1 * 0.9) ** 0.5


def test_widening_the_holdout_never_frees_a_unit():
    units = [f"c:{number}" for number in range(5000)]
    narrow = {unit for unit in units if is_in_holdout("s", unit, 500)}
    wide = {unit for unit in units if is_in_holdout("s", unit, 1500)}

    assert narrow < wide


def test_places_are_uniform():
    deciles = Counter(int(unit_interval("uniform", f"v:{number}") * 10) for number in range(20_000))

    chi_square = sum((deciles[decile] - 2000) ** 2 / 2000 for decile in range(10))

    assert chi_square < 27.88  # 99.9 % point of chi-square with 9 degrees of freedom


def test_two_experiments_split_the_same_units_independently():
    pairs = Counter(
        (assign("first", f"v:{number}", HALVES), assign("second", f"v:{number}", HALVES)) for number in range(20_000)
    )

    chi_square = sum((count - 5000) ** 2 / 5000 for count in pairs.values())

    assert len(pairs) == 4
    assert chi_square < 16.27  # 99.9 % point with 3 degrees of freedom


def test_arms_take_half_open_ranges_in_the_order_given():
    arms = (Arm("a", 2500), Arm("b", 2500), Arm("c", 5000))

    for number in range(2000):
        place = unit_interval("ranges", f"v:{number}")
        expected = "a" if place < Fraction(1, 4) else "b" if place < Fraction(1, 2) else "c"
        assert assign("ranges", f"v:{number}", arms) == expected


def test_units_beyond_the_last_arm_are_in_no_arm():
    named = [assign("small", f"v:{number}", (Arm("a", 100), Arm("b", 100))) for number in range(10_000)]

    assert 100 < sum(name is not None for name in named) < 300


@pytest.mark.parametrize("arms", [(Arm("a", -1),), (Arm("a", 6000), Arm("b", 6000)), (Arm("a", 10_001),)])
def test_impossible_shares_are_refused(arms):
    with pytest.raises(ValueError, match="basis points"):
        assign("s", "v:1", arms)


@pytest.mark.parametrize("share", [-1, 10_001])
def test_impossible_holdout_is_refused(share):
    with pytest.raises(ValueError, match="basis points"):
        is_in_holdout("s", "v:1", share)
