"""Plans of sends: inside open windows only, a fifth by lot with the true chance, and a planted best window is found."""

from datetime import timedelta

import numpy as np
import pytest
from builders_database import NOW
from scipy.stats import chisquare

from shopify_upsell.core import CustomerId, OrderId, ProductId
from shopify_upsell.ledger.owned import OwnedLine
from shopify_upsell.matrix.timed import ACCESSORY, COMPLEMENT, LEARNED_TIME, NO_INTERVAL, TimingWord, prior_word
from shopify_upsell.sends.fit import Trade, speaks_against
from shopify_upsell.sends.learned import NOTHING_LEARNED, Tried, learn_windows
from shopify_upsell.sends.plan import Delivered, Opening, Owner, Partner, openings, plan_for
from shopify_upsell.sends.sent import Ending, PlannedSend, ending_of

BOOTS, SOCKS, WAX = ProductId(1), ProductId(2), ProductId(3)
DAY = timedelta(days=1)
ANY_DAY = prior_word(BOOTS, SOCKS, ACCESSORY)
MENU = {BOOTS: (Partner(SOCKS, 0.3, ANY_DAY), Partner(WAX, 0.2, ANY_DAY))}


def a_word(window=(0, 270), blocked=()):
    return TimingWord(BOOTS, SOCKS, "pair", window, blocked, False, 50, NO_INTERVAL, LEARNED_TIME)


def an_owner(number=7, *products, days_ago=0.0, told=()):
    delivered = NOW - days_ago * DAY
    had = tuple(Delivered(product, OrderId(100 + number), delivered) for product in products or (BOOTS,))
    return Owner(CustomerId(number), had, frozenset(told))


def a_send(**changes):
    fields = {
        "send_id": 5, "customer_id": CustomerId(7), "anchor_product_id": BOOTS, "companion_product_id": SOCKS,
        "anchor_order_id": OrderId(107), "relation": COMPLEMENT, "eligible": (1, 2), "window": 1, "is_random": False,
        "propensity": 0.5, "planned_at": NOW - 20 * DAY, "due_at": NOW - 18 * DAY, "closes_at": NOW + DAY,
        "state": "planned", "reason": None, "decision_id": None, "is_holdout": False, "offered_product_id": None,
        "pitched_at": None, "sent_at": None, "bought_at": None, "ended_at": None,
    }  # fmt: skip
    return PlannedSend(**(fields | changes))


def a_line(product, days_ago, order=107):
    return OwnedLine(ProductId(product), OrderId(order), NOW - days_ago * DAY, 1, None, None)


def test_a_window_is_open_from_its_first_free_day_to_the_end_of_its_last():
    found = openings(a_word((10, 40), blocked=((15, 20), (31, 60))), NOW - 12 * DAY, now=NOW)

    assert found == (Opening(2, NOW, NOW + 3 * DAY), Opening(3, NOW + 9 * DAY, NOW + 19 * DAY))


def test_nothing_is_open_after_the_pairs_days_and_all_eight_are_on_the_day_of_delivery():
    assert openings(a_word((0, 30)), NOW - 31 * DAY, now=NOW) == ()
    assert [one.window for one in openings(ANY_DAY, NOW, now=NOW)] == list(range(8))


def test_the_pair_most_readily_taken_is_planned_and_never_what_is_owned_or_was_told():
    told = {(OrderId(107), BOOTS, SOCKS)}

    assert plan_for(an_owner(), MENU, NOTHING_LEARNED, seed="s", now=NOW).companion_product_id == SOCKS
    assert plan_for(an_owner(told=told), MENU, NOTHING_LEARNED, seed="s", now=NOW).companion_product_id == WAX
    assert plan_for(an_owner(7, BOOTS, SOCKS, WAX), MENU, NOTHING_LEARNED, seed="s", now=NOW) is None


def test_what_has_not_arrived_is_no_anchor():
    assert plan_for(an_owner(days_ago=-1), MENU, NOTHING_LEARNED, seed="s", now=NOW) is None


def test_without_a_log_windows_are_uniform_over_those_that_are_open():
    plans = [plan_for(an_owner(n, days_ago=20), MENU, NOTHING_LEARNED, seed="s", now=NOW) for n in range(2_000)]

    windows = [plan.window for plan in plans]
    assert {plan.eligible for plan in plans} == {(3, 4, 5, 6, 7)}
    assert {round(plan.propensity, 12) for plan in plans} == {0.2}
    assert chisquare([windows.count(window) for window in range(3, 8)]).pvalue > 0.001


@pytest.fixture(scope="module")
def simulated():
    """Nights of planning in a world where window 4 is the best: each night learns from the log of those before."""
    truth = np.array([0.05, 0.05, 0.06, 0.08, 0.30, 0.08, 0.05, 0.05])
    generator = np.random.default_rng(11)
    log, nights = {}, []
    for night in range(5):
        learned = learn_windows(counts_of(log), seed=night)
        owners = [an_owner(10_000 * night + n) for n in range(1_000)]
        plans = [plan_for(owner, MENU, learned, seed="shop", now=NOW) for owner in owners]
        nights.append((learned, plans))
        for plan in plans:
            is_holdout = bool(generator.random() < 0.1)
            rate = 0.03 if is_holdout else truth[plan.window]
            tried, bought = log.get((plan.window, is_holdout), (0, 0))
            log[plan.window, is_holdout] = (tried + 1, bought + int(generator.random() < rate))
    return nights


def counts_of(log):
    return [
        Tried((BOOTS, SOCKS), ACCESSORY, window, is_holdout, tried, bought)
        for (window, is_holdout), (tried, bought) in log.items()
    ]


def test_the_planted_best_window_is_found_from_the_planners_own_log(simulated):
    learned, plans = simulated[-1]

    assert learned.chances_of((BOOTS, SOCKS), ACCESSORY)[4] > 0.99
    assert sum(plan.window == 4 for plan in plans) / len(plans) == pytest.approx(0.8 + 0.2 / 8, abs=0.03)
    # A pair that was never tried takes the word of its kind.
    assert learned.chances_of((BOOTS, WAX), ACCESSORY)[4] > 0.9


def test_a_fifth_is_uniform_whatever_was_learned_and_every_propensity_is_the_true_one(simulated):
    plans = [plan for _, night in simulated[2:] for plan in night]
    random = [plan.window for plan in plans if plan.is_random]
    by_lot = [
        (plan, learned.chances_of((BOOTS, SOCKS), ACCESSORY).get(plan.window, 1 / 8))
        for learned, night in simulated[2:]
        for plan in night
    ]

    assert len(random) / len(plans) == pytest.approx(0.2, abs=0.02)
    assert chisquare([random.count(window) for window in range(8)]).pvalue > 0.001
    assert all(plan.propensity == pytest.approx(0.2 / 8 + 0.8 * chance) for plan, chance in by_lot)
    # Weighted by the chance of its own draw, every window is as frequent as every other.
    weight = [sum(1 / plan.propensity for plan in plans if plan.window == window) for window in range(8)]
    assert np.array(weight) / len(plans) == pytest.approx(np.ones(8), abs=0.35)


def test_what_the_holdout_buys_as_well_is_no_reason_for_a_window():
    log = {(window, side): (2_000, 100) for window in range(8) for side in (False, True)}
    log |= {(6, False): (2_000, 900), (6, True): (2_000, 900), (2, False): (2_000, 500)}

    learned = learn_windows(counts_of(log), seed=1)

    assert learned.chances_of((BOOTS, SOCKS), ACCESSORY)[2] > 0.99
    assert learn_windows(counts_of(log), seed=1) == learned


def test_an_empty_log_teaches_nothing():
    assert learn_windows([], seed=1) == NOTHING_LEARNED
    assert learn_windows(counts_of({(1, True): (50, 5)}), seed=1) == NOTHING_LEARNED


def test_a_purchase_counts_for_fourteen_days_and_ends_the_send():
    sent = a_send(state="handed_over", pitched_at=NOW - 14 * DAY, offered_product_id=WAX)
    kept = [a_line(1, 30), a_line(3, 0.5, order=9), a_line(2, 1, order=9)]

    assert ending_of(sent, kept, now=NOW) == Ending(5, "bought", bought_at=NOW - 0.5 * DAY)
    assert ending_of(sent, [a_line(1, 30), a_line(3, 0, order=9)], now=NOW) == Ending(5, "handed_over")
    assert ending_of(sent, [a_line(1, 30)], now=NOW - timedelta(seconds=1)) is None


def test_a_plan_ends_when_the_companion_is_bought_the_anchor_goes_back_or_the_window_is_over():
    held = a_send(state="held", reason="no_positive_signal")

    assert ending_of(a_send(), [a_line(1, 30), a_line(2, 3, order=9)], now=NOW).state == "bought"
    assert ending_of(a_send(), [a_line(1, 30), a_line(2, 30)], now=NOW) is None
    assert ending_of(a_send(), [], now=NOW) == Ending(5, "expired", "anchor_returned")
    assert ending_of(held, [a_line(1, 30)], now=NOW + DAY) == Ending(5, "expired", "no_positive_signal")
    assert ending_of(a_send(), [a_line(1, 30)], now=NOW + DAY) == Ending(5, "expired", "window_over")


def test_a_shop_of_one_time_buyers_is_no_fit():
    assert speaks_against(Trade(900, 880, 20)) == ("few_repeaters",)
    assert speaks_against(Trade(199, 150, 40)) == ("few_orders",)
    assert speaks_against(Trade(200, 100, 5)) == ()
    assert speaks_against(Trade(0, 0, 0)) == ("few_orders", "few_repeaters")
