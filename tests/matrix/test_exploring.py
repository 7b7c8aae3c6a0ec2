"""Exploration is capped, drawn by lot, repeatable, and says its chance."""

from datetime import UTC, datetime, timedelta

import pytest

from shopify_upsell.matrix.exploring import EXPLORATION_CAP, Exploration, explores

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
UNITS = [f"v:{number}" for number in range(20_000)]


def drawn(seed="s", now=NOW, share=EXPLORATION_CAP):
    return {unit for unit in UNITS if explores(seed, unit, now, share=share).is_allowed}


def test_about_the_capped_share_explores_and_a_day_is_one_lot():
    today = drawn()

    assert 0.045 < len(today) / len(UNITS) < 0.055
    assert drawn(now=NOW + timedelta(hours=11)) == today
    assert len(drawn(now=NOW + timedelta(hours=13)) & today) < 100
    assert len(drawn(seed="other") & today) < 100


def test_a_merchant_may_lower_the_share_but_not_raise_it():
    assert explores("s", "v:1", NOW, share=0.5).propensity == EXPLORATION_CAP
    assert drawn(share=0.5) == drawn()
    assert drawn(share=0.01) < drawn()
    assert explores("s", "v:1", NOW, share=0.0) == Exploration(False, 0.0)


def test_the_days_boundary_is_utc_and_a_naive_time_is_refused():
    tokyo = NOW.astimezone(tz=None)
    assert explores("s", "v:7", tokyo) == explores("s", "v:7", NOW)
    with pytest.raises(ValueError, match="zone"):
        explores("s", "v:1", NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="share"):
        explores("s", "v:1", NOW, share=-0.1)
