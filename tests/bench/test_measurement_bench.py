"""The acceptance table in its reduced form, with fixed seeds: a tenth of the worlds, wider gates."""

from types import SimpleNamespace

import numpy as np
import pytest

from bench.measurement import run
from bench.measurement.covering import Coverage
from bench.measurement.customers import History, draw_attached, draw_customers, moments_of_rows
from bench.measurement.households import load_households
from bench.measurement.outcome import LEFT_OUT, Outcome, Share
from bench.measurement.worlds import HEAVY_TAIL, Calendar, Shop, daily_sums, draw_sums
from shopify_upsell.experiments.fieller import Interval

REDUCED = 0.1


@pytest.mark.parametrize("module", run.row_modules(), ids=lambda module: module.__name__.rsplit(".", 1)[-1])
def test_every_row_passes_in_its_reduced_form(module, monkeypatch):
    monkeypatch.delenv("MEASUREMENT_DATA", raising=False)
    found = list(module.rows(REDUCED, run.SEED))

    assert found
    assert {outcome.row for outcome in found} <= set(module.ROWS)
    assert [run.line_of(outcome) for outcome in found if not outcome.passed] == []


def test_rows_can_be_chosen_and_the_rest_is_not_run():
    found = list(run.outcomes(0.01, run.SEED, {"B3"}))

    assert {outcome.row for outcome in found} == {"B3"}


def test_the_command_prints_the_rows_and_says_by_its_exit_code_whether_all_passed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["run", "--scale", "0.01", "--rows", "B2"])
    with pytest.raises(SystemExit) as ended:
        run.main()

    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert "widened by 3 Monte-Carlo standard errors" in printed
    assert printed.count("| B2 |") == 4
    assert printed.endswith("0 failed\n")


def test_a_failing_row_fails_the_command(monkeypatch, capsys):
    module = SimpleNamespace(rows=lambda scale, seed: iter([Outcome("Z1", "t", "g", "o", passed=False)]), ROWS=("Z1",))
    monkeypatch.setattr(run, "row_modules", lambda: [module])
    monkeypatch.setattr("sys.argv", ["run"])

    with pytest.raises(SystemExit) as ended:
        run.main()

    assert ended.value.code == 1
    assert "| Z1 | t | g | o | FAIL |" in capsys.readouterr().out


def test_households_are_cut_into_a_past_and_a_present(tmp_path, monkeypatch):
    (tmp_path / "household_sales.csv").write_text(
        "household_id,day,minor_units\n7,0,10\n7,150,200\n7,150,300\n7,160,50\n9,201,400\n9,400,1\n"
    )
    monkeypatch.setenv("MEASUREMENT_DATA", str(tmp_path))

    assert load_households().tolist() == [[0, 0, 550, 2, 1], [400, 1, 0, 0, 0]]


def test_the_same_seed_gives_the_same_table():
    first, again = (list(run.outcomes(0.01, 5, {"B2"})) for _ in range(2))

    assert first == again


def test_a_row_left_out_is_neither_passed_nor_failed_in_the_table():
    line = run.line_of(Outcome("B5", "real households", "[4, 6]", f"{LEFT_OUT}no data", passed=True))

    assert line == "| B5 | real households | [4, 6] | left out: no data | – |  |"


def test_gates_hold_both_ends_and_widen_only_in_a_reduced_run():
    share = Share(920, 1_000)

    assert not share.is_within(0.935, 0.965, scale=1)
    assert share.is_within(0.935, 0.965, scale=0.1)
    assert Share(935, 1_000).is_within(0.935, 0.965, scale=1)
    assert not Share(900, 1_000).is_within(0.935, 0.965, scale=0.1)


def test_an_interval_that_misses_on_one_side_fails_although_it_covers():
    coverage = Coverage(0.0)
    for miss in (0, 1):
        for _ in range(1_900 if miss == 0 else 100):
            coverage.count(Interval(-1.0, 1.0) if miss == 0 else Interval(0.5, 1.0))

    assert str(coverage) == "95.0 (0.0/5.0)"
    assert not coverage.is_within(scale=1)
    assert coverage.is_within(scale=1, tails=(0.0, 0.05))


@pytest.mark.parametrize(
    ("shop", "units"),
    [(Shop(), 5_000), (HEAVY_TAIL, 5_000), (Shop(orders=3.0, intent=1.0, pull=0.4, refund=0.2), 200)],
)
def test_worlds_have_the_means_that_their_shop_says(shop, units):
    sums = draw_sums(shop, np.random.default_rng(1), worlds=400, units=units)

    error = (sums.y / units).std() / 20
    assert abs((sums.y / units).mean() - shop.revenue) < 4 * error
    assert abs((sums.d / units).mean() - shop.orders) < 4 * (sums.d / units).std() / 20
    assert sums.y.sum() / sums.d.sum() == pytest.approx(shop.order_value, rel=0.03)


def test_worlds_claim_the_share_that_their_shop_says():
    shop = Shop(claimed=0.3)

    sums = draw_sums(shop, np.random.default_rng(1), worlds=400, units=5_000, by="claimed")

    assert (sums.d / sums.n).mean() == pytest.approx(shop.claimed_revenue, rel=0.02)


def test_days_add_up_to_the_calendars_truth_and_never_lose_a_unit():
    shop, calendar = Shop(refund=0.2), Calendar(days=21, units_per_day=300, returning=0.4)

    sums = daily_sums(shop, np.random.default_rng(1), worlds=300, calendar=calendar)

    assert sums.y.shape == (300, 21)
    assert (sums.n[:, -1] == calendar.units_by_day.sum()).all()
    assert (np.diff(sums.converters, axis=1) >= 0).all()
    assert (sums.y[:, -1] / sums.n[:, -1]).mean() == pytest.approx(calendar.revenue(shop), rel=0.02)
    assert (np.diff(sums.y, axis=1) < 0).any(), "late refunds take revenue back"


def test_attach_rates_have_the_truth_they_were_given():
    sums = draw_attached(Shop(orders=3.0), 0.2, np.random.default_rng(1), worlds=200, units=300)

    assert sums.y.sum() / sums.d.sum() == pytest.approx(0.2, abs=0.005)


def test_customers_carry_their_spending_over_and_newcomers_have_no_past():
    shop = Shop(orders=6.0, intent=1.0, spread=0.6)

    rows = draw_customers(shop, np.random.default_rng(1), worlds=20, units=500, history=History(shop))

    known = rows[rows[..., 4] == 1]
    assert 0.8 < np.corrcoef(known[:, 0], known[:, 2])[0, 1] < 0.9
    assert not rows[rows[..., 4] == 0][:, 2:4].any()


@pytest.mark.parametrize("factor", [1, 10**9])
def test_moments_of_rows_are_exact_however_large(factor):
    rows = np.array([[3, 1, 0, 0, 0], [5, 2, 7, 1, 1]]) * [factor, 1, factor, 1, 1]

    moments = moments_of_rows(rows)

    assert (moments.n, moments.converters, moments.total("y")) == (2, 2, 8 * factor)
    assert moments.cross("y", "y") == 34 * factor**2
    assert moments.cross("y", "x") == 35 * factor**2
