"""What ranking goes by: how readily it is taken, what that leaves, whether it is the moment; never the price."""

from dataclasses import replace

import pytest
from builders_offers import (
    BOOTS,
    BRUSH,
    LACES,
    SOCKS,
    WAX,
    a_candidate,
    a_companion,
    a_decision,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    a_word,
    an_offer,
    owning,
)
from builders_signals import a_shopper, a_signal
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.money import Money
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.margin import contribution_of
from shopify_upsell.offers.snapshot import AcceptanceCount
from shopify_upsell.offers.worth import (
    LEAST_SCORE,
    LIKED,
    MIDDLE,
    NOTHING_KNOWN,
    OWN,
    PRIOR_CARDS,
    PRIOR_SHARE,
    TIMELY,
    personal_weight,
    valuations_of,
    worths_of,
)

KNOWN = Costs(fee_basis_points=0, fee_minor_units=0, known=tuple(name for name in Costs.__slots__ if name != "known"))
"""Costs under which a candidate leaves its price less the goods' cost."""


def costing(product_id, price, cost):
    variant = a_variant(product_id, price=Money(price, "USD"), unit_cost_minor_units=cost)
    return a_product(product_id, variants=(variant,), refund_rate=0.0)


def leaving(*margins, price=2000, **changes):
    """Socks, wax and laces that leave these margins; None: the cost is not known."""
    products = tuple(
        costing(number, price, None if margin is None else price - margin)
        for number, margin in zip((SOCKS, WAX, LACES), margins, strict=False)
    )
    changes = {"costs": KNOWN} | changes
    return a_snapshot(products=products, **changes)


def counted(product_id, shown, taken, anyway=0.0, offer_id=1):
    return AcceptanceCount(an_offer(offer_id).offer_id, product_id, shown, taken, anyway)


def shown_by(snapshot):
    return [[item.product_id for item in offer.items] for offer in a_decision(snapshot).chosen]


def test_worth_is_acceptance_times_what_is_left():
    socks, wax = worths_of([a_candidate(score=0.3), a_candidate(WAX, score=0.2)], leaving(500, 900))

    assert socks == pytest.approx(PRIOR_SHARE * 0.3 * 500)
    assert wax == pytest.approx(PRIOR_SHARE * 0.2 * 900)
    assert wax > socks


def test_better_margin_goes_first_where_both_are_taken_alike():
    even = {BOOTS: (a_companion(SOCKS, 0.2), a_companion(WAX, 0.2))}

    assert shown_by(leaving(500, 501, companions=even)) == [[WAX]]
    assert shown_by(leaving(501, 500, companions=even)) == [[SOCKS]]


def test_cost_that_is_not_known_counts_as_the_middle_of_what_others_leave():
    candidates = [a_candidate(number, score=0.2) for number in (SOCKS, WAX, LACES)]

    socks, wax, laces = valuations_of(candidates, leaving(100, None, 900, costs=replace(KNOWN, known=())))

    assert [(one.margin, one.basis) for one in (socks, wax, laces)] == [(100, OWN), (100, MIDDLE), (900, OWN)]


def test_without_any_known_cost_acceptance_alone_decides():
    none_known = replace(KNOWN, known=())
    values = valuations_of([a_candidate(score=0.3), a_candidate(WAX, score=0.2)], leaving(None, None, costs=none_known))

    assert [(one.margin, one.basis) for one in values] == [(1, NOTHING_KNOWN)] * 2
    assert values[0].worth > values[1].worth


def test_what_leaves_nothing_is_worth_nothing_and_never_less():
    assert worths_of([a_candidate(), a_candidate(WAX)], leaving(0, -300)) == [0.0, 0.0]


def test_counting_outweighs_the_score_bit_by_bit():
    candidate = a_candidate(score=0.3)

    def acceptance(*counts):
        return valuations_of([candidate], a_snapshot(acceptance=counts))[0].acceptance

    assert acceptance() == pytest.approx(PRIOR_SHARE * 0.3)
    assert acceptance(counted(SOCKS, PRIOR_CARDS, 0)) == pytest.approx(PRIOR_SHARE * 0.3 / 2)
    assert acceptance(counted(SOCKS, 200_000, 20_000)) == pytest.approx(0.1, abs=1e-3)
    assert acceptance(counted(SOCKS, 1000, 100, anyway=40.0)) == acceptance(counted(SOCKS, 1000, 60))
    assert acceptance(counted(SOCKS, 1000, 10, anyway=40.0)) == acceptance(counted(SOCKS, 1000, 0))
    assert acceptance(counted(WAX, 1000, 900), counted(SOCKS, 1000, 900, offer_id=2)) == acceptance()


def test_card_of_a_bundle_is_counted_by_the_product_that_it_adds_last():
    bundle = a_candidate(BOOTS, SOCKS, offer=an_offer(2, "bundle"), includes_anchor=True)

    (value,) = valuations_of([bundle], a_snapshot(acceptance=(counted(SOCKS, 100, 50, offer_id=2),)))

    assert (value.counted.shown_count, value.counted.taken_count) == (100, 50)


def test_candidate_without_evidence_is_behind_everything_that_has_some_until_it_was_counted():
    picked, paired = a_candidate(BRUSH, score=0.0), a_candidate(score=0.01)

    before = worths_of([picked, paired], a_snapshot())
    after = worths_of([picked, paired], a_snapshot(acceptance=(counted(BRUSH, 400, 40),)))

    assert 0 < before[0] < before[1]
    assert before[0] == pytest.approx(PRIOR_SHARE * LEAST_SCORE)
    assert after[0] > after[1]


@given(
    prices=st.lists(st.integers(500, 9000), min_size=3, max_size=3),
    margins=st.lists(st.integers(1, 499), min_size=3, max_size=3),
    factor=st.integers(1, 1000),
    which=st.integers(0, 2),
)
def test_scaling_a_price_at_constant_margin_changes_nothing_in_the_ranking(prices, margins, factor, which):
    def shop(prices):
        products = tuple(
            costing(number, price, price - margin)
            for number, price, margin in zip((SOCKS, WAX, LACES), prices, margins, strict=True)
        )
        return a_snapshot(products=products, costs=KNOWN)

    dearer = [price * factor if at == which else price for at, price in enumerate(prices)]
    before, after = a_decision(shop(prices)), a_decision(shop(dearer))

    assert contribution_of(a_candidate(), shop(dearer)).minor_units == margins[0]
    assert [offer.items[0].product_id for offer in after.chosen] == [
        offer.items[0].product_id for offer in before.chosen
    ]
    assert after.rejections == before.rejections


def test_margin_is_held_constant_with_fees_too():
    costs = replace(KNOWN, fee_basis_points=290)
    companions = {BOOTS: (a_companion(SOCKS, 0.2), a_companion(WAX, 0.2), a_companion(LACES, 0.2))}

    def shop(socks_price):
        fee = (2 * socks_price * 290 + 10_000) // 20_000
        dear = costing(SOCKS, socks_price, socks_price - fee - 700)
        return a_snapshot(
            products=(dear, costing(WAX, 2000, 1000), costing(LACES, 2000, 1500)), costs=costs, companions=companions
        )

    rankings = [[one.product_id for one in a_decision(shop(price)).rejections] for price in (2000, 4321, 999_999)]

    assert shown_by(shop(2000)) == shown_by(shop(999_999)) == [[WAX]]
    assert rankings == [[SOCKS, LACES]] * 3


def test_unrelated_expensive_product_is_never_chosen():
    gold = costing(99, 9_999_999, 1)

    assert shown_by(a_snapshot(products=(gold,))) == [[SOCKS]]
    assert 99 not in {one.product_id for one in a_decision(a_snapshot(products=(gold,))).rejections}


def test_moment_that_buyers_or_the_merchant_set_weighs_more_than_an_assumed_one():
    def weight(**changes):
        snapshot = a_snapshot(
            request=a_request(placement="account/page"), owned=owning(BOOTS), timing=(a_word(**changes),)
        )
        return personal_weight(a_candidate(), snapshot)

    assert weight() == weight(source="merchant") == TIMELY
    assert weight(source="prior") == weight(window=None) == weight(window=(50, 60)) == 1.0
    assert personal_weight(a_candidate(), a_snapshot(timing=(a_word(),))) == 1.0


def test_taste_decides_among_equals_and_not_against_a_better_companion():
    products = (a_product(SOCKS, product_type="Wool"), a_product(WAX, product_type="Wax", vendor="Alp"))
    likes_wax = a_shopper(a_signal("quiz_done"), affinities={"Wax": 0.4, "Alp": 0.9, "Wool": -3.0})
    even = {BOOTS: (a_companion(SOCKS, 0.2), a_companion(WAX, 0.2))}
    uneven = {BOOTS: (a_companion(SOCKS, 0.9), a_companion(WAX, 0.2))}

    def shop(companions, **changes):
        return a_snapshot(products=products, companions=companions, **changes)

    assert shown_by(shop(even)) == [[SOCKS]]
    assert shown_by(shop(even, shopper=likes_wax)) == [[WAX]]
    assert shown_by(shop(uneven, shopper=likes_wax)) == [[SOCKS]]
    assert personal_weight(a_candidate(WAX), shop(even, shopper=likes_wax)) == pytest.approx(1 + LIKED * 0.9)
    assert personal_weight(a_candidate(), shop(even, shopper=likes_wax)) == 1.0
    beyond = a_shopper(affinities={"Wax": 7.0})
    assert personal_weight(a_candidate(WAX), shop(even, shopper=beyond)) == 1 + LIKED
    assert personal_weight(a_candidate(77), shop(even, shopper=beyond)) == 1.0
