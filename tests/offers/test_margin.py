"""The margin of a candidate: golden accounts to the cent, assumptions that are told, and the floor."""

from dataclasses import replace

import pytest
from builders_database import NOW, add_shop
from builders_offers import (
    BOOTS,
    SOCKS,
    WAX,
    a_candidate,
    a_cart,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    an_offer,
)
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.ledger.owned import ProductHealth
from shopify_upsell.money import Money
from shopify_upsell.offers.costs import ASSUMED_COSTS, Costs
from shopify_upsell.offers.kinds import up_sell
from shopify_upsell.offers.margin import below_floor, contribution_of, ranking_margin
from shopify_upsell.offers.store import read_costs, save_costs
from shopify_upsell.offers.terms import Floor, Incentive, Terms

ALL = tuple(name for name in Costs.__slots__ if name != "known")
KNOWN = Costs(refund_basis_points=0, known=ALL)
AFTER = a_request(placement="post_purchase/offer", cart=a_cart(BOOTS))


def socks(price=1999, cost=620, **changes):
    return a_product(
        SOCKS, variants=(a_variant(SOCKS, price=Money(price, "USD"), unit_cost_minor_units=cost),), **changes
    )


def parts_of(contribution):
    return {name: amount for name, amount in contribution.parts.items() if amount}


def test_post_purchase_account_to_the_cent():
    costs = replace(KNOWN, extra_shipping_minor_units=120, handling_minor_units=300, app_basis_points=100)
    offer = an_offer(discount_basis_points=1000)
    snapshot = a_snapshot(request=AFTER, products=(socks(refund_rate=0.1),), costs=costs)

    account = contribution_of(a_candidate(offer=offer), snapshot)

    assert parts_of(account) == {
        "list": 1999,
        "discount": -200,  # 1799 is charged
        "cost": -620,
        "payment_fee": -(52 + 30),  # 2.9 % of 17.99 is .52171
        "shipping": -120,
        "refunds": -118,  # a tenth of 17.99 - 6.20
        "returns": -92,  # a tenth of 6.20 + 3.00
        "app": -18,
    }
    assert account.minor_units == 1999 - 200 - 620 - 82 - 120 - 118 - 92 - 18
    assert (account.assumed, account.net_minor_units) == ((), 1799)


def test_line_beside_others_pays_no_second_fixed_fee():
    beside = a_snapshot(request=a_request(cart=a_cart(BOOTS)), products=(socks(),), costs=KNOWN)
    alone = a_snapshot(products=(socks(),), costs=KNOWN)

    assert contribution_of(a_candidate(), beside).parts["payment_fee"] == -58
    assert contribution_of(a_candidate(), alone).parts["payment_fee"] == -88


def test_contained_tax_is_not_the_shops():
    snapshot = a_snapshot(request=AFTER, products=(socks(1190, 300),), costs=replace(KNOWN, tax_basis_points=1900))

    account = contribution_of(a_candidate(), snapshot)

    assert (account.parts["tax"], account.net_minor_units) == (-190, 1000)


def test_upgrade_counts_the_difference_only():
    small = a_variant(BOOTS, 1, title="250 g", price=Money(1000, "USD"), unit_cost_minor_units=300)
    large = a_variant(BOOTS, 2, title="500 g", price=Money(1600, "USD"), unit_cost_minor_units=450)
    request = a_request(cart=a_cart(BOOTS, quantity=2))
    snapshot = a_snapshot(request=request, products=(a_product(BOOTS, variants=(small, large)),), costs=KNOWN)

    account = contribution_of(up_sell.propose(an_offer(kind="up_sell"), snapshot)[0], snapshot)

    assert parts_of(account) == {"list": 3200, "replaced": -2000, "cost": -300, "payment_fee": -35}
    assert account.minor_units == 865


def test_free_shipping_costs_what_it_costs():
    terms = Terms(incentive=Incentive("free_shipping", threshold_minor_units=1, currency="USD"))
    snapshot = a_snapshot(request=a_request(cart=a_cart(BOOTS)), products=(socks(),), costs=KNOWN)

    account = contribution_of(a_candidate(offer=an_offer(kind="free_shipping", terms=terms)), snapshot)

    assert account.parts["shipping"] == -500


def test_missing_cost_is_assumed_told_and_kept_out_of_ranking():
    snapshot = a_snapshot(request=AFTER, products=(socks(2000, None, refund_rate=0.0),), costs=KNOWN)
    told = replace(snapshot, products=snapshot.products | {SOCKS: socks(2000, 1000, refund_rate=0.0)})
    unstated = replace(snapshot, costs=Costs())

    guess, known = contribution_of(a_candidate(), unstated), contribution_of(a_candidate(), told)

    assert guess.minor_units == known.minor_units == 2000 - 1000 - 58 - 30
    assert guess.assumed == ("cost", "payment_fee", "returns", "shipping", "tax")
    assert (ranking_margin(guess), ranking_margin(known), ranking_margin(None)) == (None, 912, None)
    assert contribution_of(a_candidate(), snapshot).assumed == ()  # the merchant stated the share


def test_refund_rate_is_the_ledgers_count_where_the_catalogue_tells_none():
    health = {SOCKS: ProductHealth(sold=20, refunded=4), WAX: ProductHealth(sold=0, refunded=0)}
    snapshot = a_snapshot(request=AFTER, products=(socks(2000, 1000),), costs=KNOWN, health=health)

    account = contribution_of(a_candidate(), snapshot)

    assert (account.parts["refunds"], account.parts["returns"], account.assumed) == (-200, -200, ())
    unsold = contribution_of(a_candidate(WAX), replace(snapshot, costs=Costs()))
    assert "refunds" in unsold.assumed


def test_one_unknown_cost_in_a_bundle_makes_the_whole_an_assumption():
    snapshot = a_snapshot(products=(socks(), a_product(WAX)))

    assert not contribution_of(a_candidate(SOCKS, WAX), snapshot).may_rank


def test_product_that_is_not_in_the_catalogue_has_no_margin():
    assert contribution_of(a_candidate(), a_snapshot(products=(a_product(SOCKS, variants=()),))) is None


@pytest.mark.parametrize(
    ("floor", "is_below"),
    [
        (Floor(), False),
        (Floor(minor_units=912), False),
        (Floor(minor_units=913), True),
        (Floor(basis_points=4560), False),
        (Floor(basis_points=4561), True),
        (Floor(minor_units=-100), False),
    ],
)
def test_floor_is_met_to_the_minor_unit_and_the_basis_point(floor, is_below):
    snapshot = a_snapshot(request=AFTER, products=(socks(2000, 1000),), costs=KNOWN)
    offer = an_offer(terms=Terms(floor=floor))

    assert below_floor(contribution_of(a_candidate(offer=offer), snapshot), offer) is is_below


def test_without_a_floor_a_loss_is_below_it():
    snapshot = a_snapshot(request=AFTER, products=(socks(1000, 971),), costs=KNOWN)

    account = contribution_of(a_candidate(), snapshot)

    assert account.minor_units == -30
    assert below_floor(account, an_offer())


@given(
    price=st.integers(0, 10**9),
    cost=st.one_of(st.none(), st.integers(0, 10**9)),
    rate=st.floats(0, 1),
    discount=st.integers(0, 9000),
    tax=st.integers(0, 3000),
)
def test_parts_add_up_to_the_contribution(price, cost, rate, discount, tax):
    snapshot = a_snapshot(
        request=AFTER, products=(socks(price, cost, refund_rate=rate),), costs=replace(KNOWN, tax_basis_points=tax)
    )

    account = contribution_of(a_candidate(offer=an_offer(discount_basis_points=discount)), snapshot)

    assert sum(account.parts.values()) == account.minor_units
    assert account.parts["list"] + account.parts["discount"] >= 0


def test_stated_costs_are_kept_per_shop_and_the_rest_stays_assumed(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    save_costs(session, other_shop, Costs(goods_basis_points=1, known=("goods_basis_points",)), now=NOW)
    assert read_costs(session, shop_id) == ASSUMED_COSTS

    save_costs(session, shop_id, Costs(fee_minor_units=25, known=("fee_minor_units",)), now=NOW)
    stated = Costs(goods_basis_points=4000, fee_minor_units=99, known=("goods_basis_points",))
    kept = save_costs(session, shop_id, stated, now=NOW)

    assert kept == Costs(goods_basis_points=4000, known=("goods_basis_points",))
    assert kept.fee_minor_units == 30


@pytest.mark.parametrize(
    "costs", [Costs(fee_basis_points=10_001), Costs(handling_minor_units=-1), Costs(known=("profit",))]
)
def test_costs_that_cannot_be_are_refused_and_nothing_is_written(session, shop_id, costs):
    with pytest.raises(InvalidInput):
        save_costs(session, shop_id, costs, now=NOW)

    assert read_costs(session, shop_id) == ASSUMED_COSTS
