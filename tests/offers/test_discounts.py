"""What a cart costs under the shop's discounts, beside a slow checkout that was written by itself."""

from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations, product

import numpy as np
import pytest
from builders_database import NOW
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
    variant_id_of,
)

from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import CandidateItem
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.discounts import ActiveDiscount, Predicted, PricedLine, Unpredictable, active_at, predict
from shopify_upsell.offers.margin import contribution_of
from shopify_upsell.offers.money_rules import FIRST_MONEY_RULES
from shopify_upsell.offers.pricing import priced
from shopify_upsell.offers.terms import Floor, Incentive, Terms

CLASSES = ("product", "order", "shipping")
EVERYTHING = CLASSES


def a_discount(name="a", discount_class="product", value_kind="percentage", **changes):
    share = 1000 if value_kind == "percentage" else 0
    amount = 0 if value_kind == "percentage" else 300
    one = ActiveDiscount(name, discount_class, value_kind, basis_points=share, minor_units=amount)
    return replace(one, **changes)


def a_line(product_id=SOCKS, price=2000, quantity=1, **changes):
    return replace(PricedLine(product_id, variant_id_of(product_id), quantity, price), **changes)


def slow_checkout(lines, discounts):
    """Charge a cart the long way: every set of discounts, every way to put them on lines, in decimals.

    Returns the line totals and the cart's total, or None where two answers are equally good for the shopper.
    """
    meeting = [one for one in discounts if _is_reached(one, lines)]
    sets = [
        group
        for size in range(len(meeting) + 1)
        for group in combinations(meeting, size)
        if all(_allowed(one, other) for one, other in combinations(group, 2))
    ]
    full = [one for one in sets if not any(set(one) < set(other) for other in sets)]
    outcomes = {_charged(lines, group) for group in full}
    cheapest = min(total for _, total in outcomes)
    winners = [outcome for outcome in outcomes if outcome[1] == cheapest]
    return winners[0] if len(winners) == 1 else None


def _allowed(one, other):
    if one.discount_class == "shipping" and other.discount_class == "shipping":
        return False
    return one.discount_class in other.combines_with and other.discount_class in one.combines_with


def _is_meant_for(one, line):
    return one.discount_class != "product" or one.product_ids is None or line.product_id in one.product_ids


def _is_reached(one, lines):
    meant = [line.list_total for line in lines if _is_meant_for(one, line)]
    return bool(meant) and one.minimum_minor_units <= sum(meant)


def _nearest(amount):
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _piece_price(line, one):
    price = line.unit_minor_units
    if one is None:
        return price
    if one.value_kind == "percentage":
        return price - _nearest(Decimal(price) * one.basis_points / 10_000)
    return price - min(price, one.minor_units)


def _charged(lines, group):
    on_products = [one for one in group if one.discount_class == "product"]
    ways = product(*([None, *(one for one in on_products if _is_meant_for(one, line))] for line in lines))
    answers = [
        tuple(sum(_piece_price(line, one) for _ in range(line.quantity)) for line, one in zip(lines, way, strict=True))
        for way in ways
    ]
    best = min(answers, key=sum)
    taken = [
        _nearest(Decimal(sum(best)) * one.basis_points / 10_000) or one.minor_units
        for one in group
        if one.discount_class == "order"
    ]
    return best, max(0, sum(best) - sum(taken))


def random_discounts(rng, count):
    found = []
    for place in range(count):
        discount_class = CLASSES[rng.choice(3, p=[0.5, 0.35, 0.15])]
        kind = "percentage" if discount_class == "shipping" or rng.random() < 0.6 else "amount_each"
        if discount_class == "order" and kind == "amount_each":
            kind = "amount_once"
        allowed = tuple(name for name in CLASSES if rng.random() < 0.5)
        only = None if discount_class != "product" or rng.random() < 0.4 else (int(rng.choice([BOOTS, SOCKS, WAX])),)
        found.append(
            a_discount(
                f"d{place}",
                discount_class,
                kind,
                basis_points=int(rng.integers(1, 60)) * 100 if kind == "percentage" else 0,
                minor_units=int(rng.integers(1, 1500)) if kind != "percentage" else 0,
                combines_with=allowed,
                product_ids=only,
                minimum_minor_units=int(rng.choice([0, 0, 0, 3000])),
            )
        )
    return tuple(found)


def random_lines(rng):
    return tuple(
        a_line(number, int(rng.integers(50, 4000)), int(rng.integers(1, 3)))
        for number in (BOOTS, SOCKS, WAX)[: int(rng.integers(1, 4))]
    )


def test_what_is_predicted_is_what_the_slow_checkout_charges():
    rng = np.random.default_rng(4)
    predicted = 0
    for _ in range(1500):
        lines, discounts = random_lines(rng), random_discounts(rng, int(rng.integers(0, 5)))
        answer = predict(lines, discounts)
        if isinstance(answer, Predicted):
            predicted += 1
            charged = slow_checkout(lines, discounts)
            assert charged is not None
            assert (answer.line_totals, answer.total) == charged, (lines, discounts)

    assert predicted > 900


COMBINATIONS = [
    (one, other, one_allows, other_allows)
    for one in CLASSES
    for other in CLASSES
    for one_allows in (True, False)
    for other_allows in (True, False)
]


@pytest.mark.parametrize(("one", "other", "one_allows", "other_allows"), COMBINATIONS)
def test_shown_is_charged_for_every_pair_of_classes(one, other, one_allows, other_allows):
    first = a_discount("a", one, basis_points=2000, combines_with=(other,) if one_allows else ())
    second = a_discount("b", other, basis_points=1500, combines_with=(one,) if other_allows else ())
    cart, offered = a_line(BOOTS, 3000), a_line(SOCKS, 2000)
    snapshot = _shop(discounts=(first, second), cart=a_cart(BOOTS))

    shown = priced(a_candidate(), snapshot)
    answer = predict((cart, offered), snapshot.discounts)

    if isinstance(answer, Unpredictable):
        assert "shipping" in (one, other)
        assert answer.reason == "shipping"
        assert shown.total == shown.original_total
        return
    totals, total = slow_checkout((cart, offered), snapshot.discounts)
    assert shown.total.minor_units == totals[1]
    assert answer.total == total


def _shop(*, discounts, cart=(), offer=None, placement="theme/cart", costs=None):
    boots = a_product(BOOTS, variants=(a_variant(BOOTS, price=Money(3000, "USD"), unit_cost_minor_units=900),))
    socks = a_product(SOCKS, variants=(a_variant(SOCKS, unit_cost_minor_units=700),))
    return a_snapshot(
        request=a_request(cart=cart, placement=placement),
        offers=(offer or an_offer(),),
        products=(boots, socks),
        discounts=discounts,
        knows_discounts=True,
        costs=costs or Costs(),
    )


def test_no_random_set_of_discounts_ends_below_the_floor_or_doubly_discounted():
    rng = np.random.default_rng(71)
    shown_count = promised_count = 0
    for _ in range(10_000):
        discounts = random_discounts(rng, int(rng.integers(0, 4)))
        share = int(rng.choice([0, 0, 1000, 1500, 2000]))
        if share and rng.random() < 0.7:
            own = a_discount("own", basis_points=share, product_ids=(SOCKS,), combines_with=("shipping",))
            discounts = (*discounts[:1], own)
        offer = an_offer(discount_basis_points=share, terms=Terms(floor=Floor(100, 500)))
        snapshot = _shop(discounts=discounts, cart=a_cart(BOOTS) if rng.random() < 0.7 else (), offer=offer)
        candidate = a_candidate(offer=offer)
        if any(rule(candidate, snapshot) for rule in FIRST_MONEY_RULES):
            continue
        shown_count += 1
        cart = (a_line(BOOTS, 3000),) if snapshot.request.cart else ()
        account = contribution_of(candidate, snapshot)
        assert account.minor_units >= 100
        assert account.minor_units * 20 >= account.net_minor_units
        if share:
            promised_count += 1
            charged = slow_checkout((*cart, a_line(SOCKS, 2000)), discounts)
            assert charged is not None
            assert charged[0][-1] == 2000 - 2000 * share // 10_000 == priced(candidate, snapshot).total.minor_units

    assert shown_count > 3000
    assert promised_count > 300


def test_best_product_discount_wins_the_line_and_they_never_add_up():
    both = (a_discount("a", combines_with=EVERYTHING), a_discount("b", basis_points=2500, combines_with=EVERYTHING))

    assert predict([a_line()], both) == Predicted((1500,), 0, ("a", "b"))


def test_order_discounts_share_one_subtotal_after_product_discounts():
    discounts = (
        a_discount("p", basis_points=5000, product_ids=(SOCKS,), combines_with=EVERYTHING),
        a_discount("x", "order", basis_points=1000, combines_with=EVERYTHING),
        a_discount("y", "order", basis_points=500, combines_with=EVERYTHING),
    )

    answer = predict([a_line(SOCKS, 2000), a_line(BOOTS, 3000)], discounts)

    assert (answer.line_totals, answer.order_discount, answer.total) == ((1000, 3000), 600, 3400)


def test_one_sided_consent_is_no_combination():
    discounts = (
        a_discount("p", basis_points=1000, combines_with=("order",)),
        a_discount("o", "order", basis_points=2000, combines_with=()),
    )

    assert predict([a_line()], discounts) == Predicted((2000,), 400, ("o",))


def test_code_applies_only_when_it_was_entered():
    code = (a_discount(code="Walk10"),)

    assert predict([a_line()], code).total == 2000
    assert predict([a_line()], code, ["WALK10"]).total == 1800


@pytest.mark.parametrize(
    ("discounts", "reason"),
    [
        ((a_discount(value_kind="opaque"),), "opaque"),
        ((a_discount(basis_points=1025),), "rounding"),  # 1025 of 1000 is 102.5
        ((a_discount(value_kind="amount_once"),), "spread"),
        (tuple(a_discount(f"d{n}") for n in range(11)), "too_many"),
        ((a_discount("a"), a_discount("b", product_ids=(SOCKS,), basis_points=1000)), None),
        (
            (
                a_discount("a", combines_with=("order",), basis_points=2000),
                a_discount("b", "order", minimum_minor_units=1900, combines_with=("product",)),
            ),
            "minimum",
        ),
        ((a_discount("a", "order", basis_points=2000), a_discount("b", "shipping", basis_points=10_000)), "shipping"),
        ((a_discount("a", product_ids=(SOCKS,)), a_discount("b", product_ids=(BOOTS,))), "tie"),
    ],
)
def test_what_is_not_documented_is_not_predicted(discounts, reason):
    answer = predict([a_line(SOCKS, 1000), a_line(BOOTS, 1000)], discounts)

    if reason is None:
        assert isinstance(answer, Predicted)
    else:
        assert answer == Unpredictable(reason)


def test_piece_and_line_rounded_apart_are_not_predicted():
    # 10 % of 1.26 is .13 a piece, so .39; of three together, 3.78, it is .38.
    assert predict([a_line(price=126, quantity=3)], (a_discount(),)) == Unpredictable("rounding")
    assert predict([a_line(price=126)], (a_discount(),)) == Predicted((113,), 0, ("a",))


def test_minimum_and_quantity_that_are_not_reached_leave_the_price_alone():
    short = (a_discount(minimum_minor_units=2001), a_discount("b", minimum_quantity=2))

    assert predict([a_line()], short) == Predicted((2000,), 0, ())
    assert predict([a_line(quantity=2)], short).total == 3600


def test_discount_for_subscriptions_leaves_one_time_lines_alone():
    plan = (a_discount(is_for_subscriptions=True, is_for_one_time=False),)

    assert predict([a_line(), a_line(WAX, is_subscription=True)], plan).line_totals == (2000, 1800)


def test_only_running_discounts_are_active_and_the_end_is_excluded():
    ends = [a_discount(str(n), ends_at=NOW + timedelta(hours=n)) for n in (1, 0, -1)]
    starts = [a_discount(f"s{n}", starts_at=NOW + timedelta(hours=n)) for n in (1, 0)]

    assert [one.discount_id for one in active_at([*ends, *starts], NOW)] == ["1", "s0"]


def test_amount_over_several_pieces_is_refused_and_a_single_piece_is_exact():
    offer = an_offer(terms=Terms(incentive=Incentive("amount", minor_units=500, currency="USD")))
    several = (CandidateItem(SOCKS, variant_id_of(SOCKS), 3),)
    own = (a_discount("own", value_kind="amount_each", minor_units=500, product_ids=(SOCKS,)),)
    snapshot = _shop(discounts=own, cart=a_cart(BOOTS), offer=offer)

    codes = [rule(a_candidate(offer=offer, items=several), snapshot) for rule in FIRST_MONEY_RULES]

    assert "discount_unpredictable" in {one.code for one in codes if one}
    assert [rule(a_candidate(offer=offer), snapshot) for rule in FIRST_MONEY_RULES] == [None] * len(FIRST_MONEY_RULES)
    assert priced(a_candidate(offer=offer), snapshot).total == Money(1500, "USD")
