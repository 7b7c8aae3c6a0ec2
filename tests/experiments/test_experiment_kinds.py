"""Each kind of experiment varies one factor, and every other difference between served offers is named."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.assignment import Arm
from shopify_upsell.experiments.kinds import (
    KINDS,
    MARGIN,
    NET_REVENUE,
    ExperimentPlan,
    common_horizon_days,
    is_mature,
    is_within_horizon,
    kind_named,
    out_of_stock_arms,
    primary_metric,
    single_factor_check,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HALVES = (Arm("control", 5_000), Arm("warm", 5_000))


def an_item(number, price=1_000, **changes):
    item = {
        "product_id": f"gid://shopify/Product/{number}",
        "variant_id": f"gid://shopify/ProductVariant/{number}",
        "title": f"Product {number}",
        "variant_title": "",
        "url": f"/products/p-{number}",
        "image": {"url": f"https://cdn.example/{number}.png", "alt": f"Product {number}"},
        "quantity": 1,
        "price": {"minor_units": price, "currency": "EUR"},
        "token": f"token-{number}",
    }
    return item | changes


def an_offer(*items, **changes):
    items = list(items) or [an_item(1), an_item(2)]
    total = sum(item["price"]["minor_units"] for item in items)
    offer = {
        "offer_id": "7",
        "kind": "bundle",
        "placement": "theme/product_page",
        "headline": "Complete the set",
        "why": {"code": "completes_the_set", "text": "Often bought as a set"},
        "total": {"minor_units": total, "currency": "EUR"},
        "items": items,
        "replaces": None,
        "expires_at": None,
    }
    return offer | changes


def retold(**changes):
    offer = an_offer()
    offer.update(changes)
    return offer


CHANGES = {
    "placement": retold(placement="theme/cart"),
    "discount": an_offer(an_item(1, price=800), an_item(2)),
    "creative": retold(headline="Better together"),
    "personalisation": an_offer(an_item(1), an_item(3), why={"code": "for_you", "text": "Picked for you"}),
    "bundle_composition": an_offer(an_item(1), an_item(4)),
    "time_window": retold(expires_at="2026-12-01T00:00:00Z"),
}
"""One offer that differs from the plain one by exactly the factor of each kind."""


def test_there_are_six_kinds():
    assert set(KINDS) == set(CHANGES)


@pytest.mark.parametrize("kind", KINDS)
def test_factor_of_a_kind_may_differ(kind):
    assert single_factor_check(kind, an_offer(), CHANGES[kind]) == ()


ELSEWHERE = [
    (kind, other)
    for kind in CHANGES
    for other in CHANGES
    # Picking products for a person and swapping a bundle's products are one change of the payload, told apart by "why".
    if kind != other and (kind, other) != ("personalisation", "bundle_composition")
]


@pytest.mark.parametrize(("kind", "other"), ELSEWHERE)
def test_factor_of_another_kind_may_not_differ(kind, other):
    assert single_factor_check(kind, an_offer(), CHANGES[other]) != ()


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_and_offer_ids_differ_between_any_two_answers(kind):
    other = an_offer(an_item(1, token="x"), an_item(2, token="y"), offer_id="8")

    assert single_factor_check(kind, an_offer(), other) == ()


def test_forbidden_fields_are_named_by_their_path():
    other = an_offer(an_item(1, price=900, quantity=2), an_item(2), headline="New!")

    assert single_factor_check("creative", an_offer(), other) == (
        "items.0.price.minor_units",
        "items.0.quantity",
        "total.minor_units",
    )
    assert single_factor_check("discount", an_offer(), other) == ("headline", "items.0.quantity")


def test_product_that_both_bundles_hold_keeps_its_price_whatever_its_place():
    other = an_offer(an_item(4), an_item(1, price=700))

    assert single_factor_check("bundle_composition", an_offer(), other) == (
        "items.gid://shopify/ProductVariant/1.price.minor_units",
    )


def test_order_of_the_products_that_both_offers_hold_is_a_factor_of_its_own():
    other = an_offer(an_item(2), an_item(1), an_item(5))

    assert single_factor_check("bundle_composition", an_offer(), other) == ("items.order",)


def test_same_product_twice_is_not_lost_in_the_comparison():
    other = an_offer(an_item(1), an_item(1, price=500), an_item(2))

    assert single_factor_check("bundle_composition", an_offer(an_item(1), an_item(1), an_item(2)), other) == (
        "items.gid://shopify/ProductVariant/1@1.price.minor_units",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_currency_never_differs(kind):
    other = deepcopy(CHANGES[kind])
    for money in (other["total"], *(item["price"] for item in other["items"])):
        money["currency"] = "USD"

    assert "currency" in single_factor_check(kind, an_offer(), other)


def test_discount_that_one_arm_shows_and_the_other_does_not_have_is_the_factor():
    other = an_offer(an_item(1, price=900), discount_basis_points=1_000,
                     original_total={"minor_units": 2_000, "currency": "EUR"})  # fmt: skip

    assert single_factor_check("discount", an_offer(an_item(1)), other) == ()
    assert "discount_basis_points" in single_factor_check("creative", an_offer(an_item(1)), other)


@pytest.mark.parametrize("kind", KINDS)
def test_field_that_no_kind_knows_is_forbidden(kind):
    assert single_factor_check(kind, an_offer(), an_offer(urgency="high")) == ("urgency",)


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(CHANGES)), st.sampled_from(sorted(CHANGES)))
def test_which_arm_is_named_first_does_not_matter(kind, one, other):
    first, second = CHANGES[one], CHANGES[other]

    assert single_factor_check(kind, first, second) == single_factor_check(kind, second, first)
    assert single_factor_check(kind, first, first) == ()


def test_true_is_not_one():
    assert single_factor_check("creative", an_offer(is_gift=True), an_offer(is_gift=1)) == ("is_gift",)


def test_margin_decides_where_discounts_differ():
    assert primary_metric("discount", discounts_differ=True) == MARGIN
    assert primary_metric("creative", discounts_differ=True) == MARGIN
    assert primary_metric("creative", discounts_differ=False) == NET_REVENUE
    assert KINDS["discount"].primary == KINDS["bundle_composition"].primary == MARGIN


def test_empty_shelf_in_one_arm_pauses_bundle_tests_only():
    has_stock = {"control": True, "warm": False, "cold": False}

    assert out_of_stock_arms("bundle_composition", has_stock) == ("cold", "warm")
    assert out_of_stock_arms("creative", has_stock) == ()
    assert out_of_stock_arms("bundle_composition", {"control": True}) == ()


def test_arms_of_a_time_window_test_are_measured_equally_long():
    assert common_horizon_days((1, 7)) == 60
    assert common_horizon_days((1, 90)) == 90


def test_late_buyer_of_a_long_window_counts_as_much_as_an_early_buyer():
    exposed = NOW - timedelta(days=60)

    assert is_within_horizon(exposed, exposed + timedelta(hours=3), 60)
    assert is_within_horizon(exposed, exposed + timedelta(days=59, hours=23), 60)
    assert not is_within_horizon(exposed, exposed + timedelta(days=60), 60)
    assert not is_within_horizon(exposed, exposed - timedelta(seconds=1), 60)


def test_unit_is_compared_only_when_its_measuring_time_is_over():
    assert is_mature(NOW - timedelta(days=60), NOW, 60)
    assert not is_mature(NOW - timedelta(days=59), NOW, 60)


def a_plan(**changes):
    return ExperimentPlan(
        **{
            "kind": "creative",
            "objective": "More revenue from the product page",
            "hypothesis": "A plain headline is clearer",
            "primary_metric": NET_REVENUE,
            "arms": HALVES,
            "n_max": 20_000,
        }
        | changes
    )


def test_plan_compares_each_arm_with_control_on_their_part_of_the_units():
    plan = a_plan(arms=(Arm("control", 5_000), Arm("warm", 3_000), Arm("cold", 2_000)))

    sequential = plan.sequential_plan("cold")

    assert (sequential.n_max, sequential.alpha, sequential.longest) == (14_000, 0.045, timedelta(days=104))
    with pytest.raises(InvalidInput):
        plan.sequential_plan("control")
    with pytest.raises(InvalidInput):
        plan.sequential_plan("mild")


def test_plan_has_the_guardrails_of_its_kind():
    assert [rail.metric for rail in a_plan().guardrails] == ["dismissal_rate", "refund_rate"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "weather"},
        {"objective": "  "},
        {"hypothesis": ""},
        {"primary_metric": "clicks"},
        {"primary_metric": MARGIN},
        {"discounts_differ": True},
        {"arms": (Arm("control", 10_000),)},
        {"arms": (Arm("warm", 5_000), Arm("cold", 5_000))},
        {"arms": (Arm("control", 5_000), Arm("control", 5_000))},
        {"arms": (Arm("control", 5_000), Arm("", 5_000))},
        {"arms": (Arm("control", 5_000), Arm("warm", 4_999))},
        {"arms": (Arm("control", 10_000), Arm("warm", 0))},
        {"n_max": 399},
        {"alpha": 0.0},
        {"alpha": 0.21},
        {"horizon_days": 0},
        {"horizon_days": 366},
        {"kind": "time_window", "horizon_days": 59},
        {"longest_days": 6},
    ],
)
def test_plan_with_a_part_that_makes_no_sense_is_refused(changes):
    with pytest.raises(InvalidInput):
        a_plan(**changes)


def test_unknown_kind_is_refused():
    with pytest.raises(InvalidInput):
        kind_named("weather")
    with pytest.raises(InvalidInput):
        single_factor_check("weather", {}, {})
    with pytest.raises(InvalidInput):
        common_horizon_days(())
