import math

import numpy as np
import pytest
from builders_moments import an_arm

from shopify_upsell.experiments.calibration import (
    Calibration,
    Incremental,
    KappaPrior,
    ShownKappa,
    calibrate,
    incremental_from_attributed,
    shown_kappa,
)
from shopify_upsell.experiments.estimators import critical_value
from shopify_upsell.experiments.fieller import Interval, Unbounded
from shopify_upsell.experiments.shortage import NotEnoughData

TREATED = an_arm([900, 0, 1_500, 0, 400, 1_200, 0, 800], [400, 0, 900, 0, 0, 300, 0, 400])
CONTROL = an_arm([500, 0, 600, 0, 400, 300, 0, 200])


def calibrated(treated=TREATED, control=CONTROL) -> Calibration:
    """Calibrate two arms that have enough data."""
    found = calibrate(treated, control)
    assert isinstance(found, Calibration)
    return found


def programme(*, caused: float, claimed: float, units: int = 20_000, seed: int = 1) -> Calibration:
    """A programme on `units` visitors an arm: 5 % order; of treated orders a share is caused and a share claimed."""
    random = np.random.default_rng(seed)
    treated = random.random(units) < 0.05 * (1 + caused)
    control = random.random(units) < 0.05
    value = np.rint(random.lognormal(8, 0.5, (2, units))).astype(int)
    is_claimed = random.random(units) < claimed
    return calibrated(
        an_arm((value[0] * treated).tolist(), (value[0] * treated * is_claimed).tolist()),
        an_arm((value[1] * control).tolist()),
    )


def test_kappa_is_the_difference_over_what_was_attributed():
    found = calibrated()

    assert found.kappa == pytest.approx((600 - 250) / 250)
    assert found.comparison.difference == 350.0
    assert found.incremental.amount == 8 * 350


def test_the_interval_is_fiellers_with_the_covariance_of_revenue_and_attributed_revenue():
    y = np.tile([900, 0, 1_500, 0, 400, 1_200, 0, 800], 10)
    a = np.tile([400, 0, 900, 0, 0, 300, 0, 400], 10)
    c = np.tile([500, 0, 600, 0, 400, 300, 0, 200], 10)
    found = calibrated(an_arm(y.tolist(), a.tolist()), an_arm(c.tolist()))
    critical = critical_value(found.comparison.degrees)

    assert isinstance(found.interval, Interval)
    for end in (found.interval.low, found.interval.high):
        # At an end, the combination y - end·a differs from control by exactly the critical value.
        combined = y - end * a
        error = math.sqrt(combined.var(ddof=1) / 80 + c.var(ddof=1) / 80)
        assert abs(combined.mean() - c.mean()) == pytest.approx(critical * error, rel=1e-9)


def test_claimed_over_caused_is_the_inverse_and_unbounded_where_nothing_need_have_been_caused():
    sure, unsure = programme(caused=0.6, claimed=0.5), programme(caused=0.0, claimed=0.5)

    assert isinstance(sure.interval, Interval)
    assert isinstance(sure.claimed_over_caused, Interval)
    assert sure.claimed_over_caused.low == pytest.approx(1 / sure.interval.high)
    assert sure.claimed_over_caused.high == pytest.approx(1 / sure.interval.low)
    assert isinstance(unsure.claimed_over_caused, Unbounded)


def test_a_programme_without_effect_shows_none_while_it_claims_revenue():
    found = programme(caused=0.0, claimed=0.5)

    assert not found.comparison.is_measurable
    assert isinstance(found.interval, Interval)
    assert found.interval.contains(0)
    assert found.incremental.low < 0 < found.incremental.high


def test_money_caused_is_rounded_outwards_at_its_ends():
    found = calibrated()
    absolute = found.comparison.absolute

    assert found.incremental.low == math.floor(8 * absolute.low)
    assert found.incremental.high == math.ceil(8 * absolute.high)


def test_a_narrow_kappa_is_shown_as_it_is():
    found = programme(caused=0.6, claimed=0.8)

    shown = shown_kappa(found, KappaPrior(0.3, 0.1))

    assert shown == ShownKappa(found.kappa, found.interval, is_shrunk=False)


def test_a_wide_kappa_is_pulled_to_the_category_by_the_weight_of_each():
    found = programme(caused=0.1, claimed=0.05)
    assert isinstance(found.interval, Interval)
    assert found.interval.width > 1

    shown = shown_kappa(found, KappaPrior(0.3, 0.2))

    own, given = 1 / found.variance, 1 / 0.04
    assert shown.is_shrunk
    assert shown.kappa == pytest.approx((own * found.kappa + given * 0.3) / (own + given))
    assert shown.interval.width == pytest.approx(2 * 1.959964 / math.sqrt(own + given))


def test_an_unbounded_kappa_is_pulled_too():
    found = calibrated(an_arm([900, 0, 1_500, 0], [5, 0, 0, 0]), an_arm([500, 0, 600, 0]))
    assert isinstance(found.interval, Unbounded)

    shown = shown_kappa(found, KappaPrior(0.4, 0.2))

    assert shown.is_shrunk
    assert shown.kappa == pytest.approx(0.4, abs=0.01)


def test_incremental_money_is_kappa_of_the_attributed():
    shown = ShownKappa(0.5, Interval(0.2, 0.85), is_shrunk=False)

    assert incremental_from_attributed(1_001, shown) == Incremental(amount=500, low=200, high=851)
    with pytest.raises(ValueError):
        incremental_from_attributed(-1, shown)


@pytest.mark.parametrize(
    ("treated", "control", "code"),
    [
        (an_arm([900, 0, 1_500], [0, 0, 0]), CONTROL, "no_attributed_revenue"),
        (an_arm([900], [100]), CONTROL, "too_few_units"),
        (TREATED, an_arm([0, 0, 0]), "no_variation"),
    ],
)
def test_nothing_to_calibrate_is_said(treated, control, code):
    found = calibrate(treated, control)

    assert isinstance(found, NotEnoughData)
    assert found.code == code


def test_a_prior_without_spread_is_refused():
    with pytest.raises(ValueError):
        shown_kappa(calibrated(), KappaPrior(0.4, 0.0))
