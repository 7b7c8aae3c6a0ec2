"""An upgrade is the next larger variant of the same product, at a price not far away."""

import pytest

from shopify_upsell.core import VariantId
from shopify_upsell.matrix.upgrade import Step, steps_up
from shopify_upsell.money import Money


def steps(*rows: tuple[str, int]) -> list[Step]:
    """Variants written as (title, price in cents), with ids and positions 1, 2, 3."""
    return [
        Step(VariantId(number), number, title, Money(price, "USD")) for number, (title, price) in enumerate(rows, 1)
    ]


def upgrades(*rows: tuple[str, int], of: int = 1) -> tuple[int, ...]:
    return steps_up(steps(*rows), VariantId(of))


def test_next_larger_sizes_come_nearest_first():
    assert upgrades(("30 ml", 1900), ("100 ml", 4500), ("50 ml", 2700)) == (3, 2)


def test_largest_size_has_no_upgrade():
    assert upgrades(("30 ml", 1900), ("50 ml", 2700), of=2) == ()


def test_price_beyond_two_and_a_half_times_is_no_step():
    assert upgrades(("250 g", 1000), ("1 kg", 2500)) == (2,)
    assert upgrades(("250 g", 1000), ("1 kg", 2501)) == ()


def test_dearer_but_smaller_is_no_upgrade():
    assert upgrades(("50 ml", 1900), ("30 ml", 2700)) == ()


def test_larger_at_the_same_price_is_left_alone():
    assert upgrades(("50 ml", 1900), ("100 ml", 1900)) == ()


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("500 g", "1 kg"),
        ("0.5 l", "750ml"),
        ("0,5 l", "750 ml"),
        ("330 ml", "6 x 330 ml"),
        ("3-pack", "6-pack"),
        ("Pack of 3", "Pack of 12"),
        ("30 Capsules", "90 capsules"),
        ("8 oz", "1 lb"),
        ("Beans 250 g", "Beans 500 g"),
    ],
)
def test_amounts_are_understood_across_units(small, large):
    assert upgrades((small, 1000), (large, 1800)) == (2,)
    assert upgrades((large, 1000), (small, 1800)) == ()


@pytest.mark.parametrize(("small", "large"), [("M", "XL"), ("38", "42"), ("S", "3XL"), ("Red / M", "Red / L")])
def test_size_of_a_body_is_no_upgrade(small, large):
    assert upgrades((small, 2000), (large, 2400)) == ()


def test_other_options_stay_as_the_shopper_chose_them():
    rows = (("Red / 250 g", 1000), ("Blue / 500 g", 1500), ("Red / 500 g", 1600))

    assert upgrades(*rows) == (3,)


def test_without_an_amount_a_later_and_clearly_dearer_variant_is_better():
    assert upgrades(("Basic", 2000), ("Pro", 3000)) == (2,)
    assert upgrades(("Linen", 2000), ("Silk", 2199)) == ()
    assert upgrades(("Pro", 2000), ("Basic", 3000), of=1) == (2,)
    assert upgrades(("Basic", 3000), ("Pro", 2000), of=2) == ()


def test_amounts_of_different_kind_are_not_compared():
    assert upgrades(("250 g", 1000), ("500 ml", 1500)) == ()
    assert upgrades(("250 g", 1000), ("Deluxe", 1500)) == ()


def test_free_products_and_unknown_variants_have_no_upgrade():
    assert upgrades(("250 g", 0), ("500 g", 0)) == ()
    assert upgrades(("250 g", 1000), ("500 g", 1500), of=9) == ()


def test_prices_in_two_currencies_are_not_compared():
    mixed = [Step(VariantId(1), 1, "250 g", Money(1000, "USD")), Step(VariantId(2), 2, "500 g", Money(1500, "EUR"))]

    assert steps_up(mixed, VariantId(1)) == ()
