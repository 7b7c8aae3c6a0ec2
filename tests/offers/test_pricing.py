"""What is shown is what is charged, to the minor unit."""

import pytest
from builders_offers import (
    BOOTS,
    SOCKS,
    WAX,
    a_candidate,
    a_cart,
    a_companion,
    a_product,
    a_request,
    a_snapshot,
    an_offer,
    variant_id_of,
)
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import CandidateItem
from shopify_upsell.offers.kinds import up_sell
from shopify_upsell.offers.pricing import discounted, priced


@pytest.mark.parametrize(
    ("price", "basis_points", "expected"),
    [
        (1999, 0, 1999),
        (1999, 1000, 1799),  # 17.991
        (1995, 1000, 1796),  # 17.955
        (5, 1000, 5),  # 4.5 goes up
        (15, 1000, 14),  # 13.5 goes up
        (1, 5000, 1),
        (1, 9000, 0),
        (0, 1000, 0),
        (10**15, 9000, 10**14),
    ],
)
def test_discounted_unit_price_is_rounded_half_up(price, basis_points, expected):
    assert discounted(Money(price, "USD"), basis_points) == Money(expected, "USD")


@given(st.integers(0, 10**12), st.integers(0, 9000))
def test_discount_is_never_off_by_more_than_half_a_minor_unit(price, basis_points):
    exact_times_ten_thousand = price * (10_000 - basis_points)

    assert abs(discounted(Money(price, "JPY"), basis_points).minor_units * 10_000 - exact_times_ten_thousand) <= 5_000


def test_total_is_the_sum_of_rounded_units_not_the_rounded_sum():
    offer = an_offer(discount_basis_points=1000)
    snapshot = a_snapshot(products=(a_product(SOCKS, sizes=(("", 5),)), a_product(WAX, sizes=(("", 15),))))
    items = (CandidateItem(SOCKS, variant_id_of(SOCKS), 3), CandidateItem(WAX, variant_id_of(WAX)))

    shown = priced(a_candidate(offer=offer, items=items), snapshot)

    assert [item.price.minor_units for item in shown.items] == [5, 14]
    assert shown.total == Money(3 * 5 + 14, "USD")
    assert shown.original_total == Money(3 * 5 + 15, "USD")
    assert shown.discount_basis_points == 1000


def test_upgrade_names_what_it_replaces_and_what_that_cost():
    sized = a_product(BOOTS, sizes=(("250 g", 1000), ("500 g", 1600)))
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS)), products=(sized,))

    shown = priced(up_sell.propose(an_offer(kind="up_sell"), snapshot)[0], snapshot)

    assert (shown.total, shown.replaces_variant_id) == (Money(1600, "USD"), variant_id_of(BOOTS))
    assert shown.replaced_unit_minor_units == 1000
    assert shown.evidence == {}


def test_evidence_is_the_weakest_pair_with_its_version():
    strong, weak = a_companion(SOCKS, 0.3), a_companion(WAX, 0.2, pair_count=12)
    candidate = a_candidate(BOOTS, SOCKS, WAX, evidence=(strong, weak), score=0.4)

    shown = priced(candidate, a_snapshot())

    assert shown.evidence == {
        "matrix_version": 3,
        "anchor_product_id": BOOTS,
        "companion_product_id": WAX,
        "pair_count": 12,
        "anchor_count": 60,
        "companion_count": 80,
        "basket_count": 1000,
        "support": 12 / 1000,
        "confidence": 12 / 60,
        "association_lift": 2.5,
        "score": 0.4,
    }
    assert shown.replaced_unit_minor_units == 0


def test_name_that_shopify_gives_an_only_variant_is_not_shown():
    snapshot = a_snapshot(products=(a_product(SOCKS, sizes=(("Default Title", 500),)),))

    assert priced(a_candidate(), snapshot).items[0].variant_title == ""
