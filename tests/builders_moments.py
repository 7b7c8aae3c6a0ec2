"""Units and arms for the tests of the statistics."""

from collections.abc import Sequence

from hypothesis import strategies

from shopify_upsell.experiments.moments import Moments, UnitTotals, of_units


def an_arm(y: Sequence[int], d: Sequence[int] | None = None) -> Moments:
    """An arm from its units' outcomes and divisors; a unit converts when it has a divisor, or an outcome if none."""
    divisors = d or [int(value > 0) for value in y]
    units = [UnitTotals(y=a, d=b, is_converter=b > 0) for a, b in zip(y, divisors, strict=True)]
    return of_units(units)


@strategies.composite
def units(draw: strategies.DrawFn, most: int = 200_000) -> UnitTotals:
    """One unit: some without history, some with refunds beyond what they bought."""
    money, count = strategies.integers(-most // 10, most), strategies.integers(0, 9)
    y, d, has_history, is_converter = draw(money), draw(count), draw(strategies.booleans()), draw(strategies.booleans())
    x, w = (draw(money), draw(count)) if has_history else (0, 0)
    return UnitTotals(y, d, x, w, has_history=has_history, is_converter=is_converter)
