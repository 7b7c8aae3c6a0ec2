"""What units amount to is the same, however it came to be counted; and sums are those of the units at every moment."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_experiments import (
    LAUNCH,
    a_decision,
    a_live_offer,
    an_experiment,
    book_order,
    counted,
    kept_costs,
    store,
)
from builders_offers import a_product, a_variant, add_products
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from shopify_upsell.attribution.store import add_touchpoint
from shopify_upsell.attribution.touches import Touch
from shopify_upsell.core import DecisionId, OfferId, VariantId, digest_of
from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.moments import NO_UNITS
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.money import Money
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.measures import MEASURES, added, moments_of
from shopify_upsell.reports.outcome_store import arm_totals, records_in
from shopify_upsell.reports.outcomes import measure_orders, quarter_end, rebuild_outcomes

PATCHES = {"treatment": {"placements": ["theme/product_page", "theme/cart"]}}
slowly = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

hours = st.integers(1, 400)
names = st.sampled_from([("a", None), ("b", None), ("a", 5), (None, 5), ("b", 6), (None, 6), ("c", 5)])
carts = st.sampled_from([None, "x", "y", "z"])
decisions = st.tuples(st.just("decision"), names, carts, hours, st.booleans())
orders = st.tuples(
    st.just("order"), st.integers(1, 4), st.sampled_from([None, 5, 6, 7]), carts, hours, st.integers(0, 9_000),
    st.integers(0, 3_000),
)  # fmt: skip


def place(session, shop_id, said):
    _, order_id, customer, cart, hour, net, part = said
    at = LAUNCH - timedelta(hours=100) + timedelta(hours=hour)
    claimed = part if part <= net else 0
    return book_order(
        session, shop_id, order_id, net, at, customer=customer, cart=cart, claimed=claimed, refunded=part % 7 * 100
    )


def without_labels(rows):
    """Everything counted; which number a person has says nothing."""
    units, arms = rows
    return sorted(((*unit[:2], *unit[3:]) for unit in units), key=str), arms


@slowly
@given(st.lists(st.one_of(decisions, orders), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_what_is_counted_does_not_depend_on_order_or_number_of_what_came_and_equals_a_rebuild(session, news, chance):
    # The newest word on an order wins, as in the ledger; one shopper asks once at a moment.
    known = {(said[0], said[1:4] if said[0] == "decision" else said[1]): said for said in news}
    in_order, shuffled = list(known.values()), list(known.values())
    chance.shuffle(shuffled)
    shuffled += [said for said in shuffled if said[0] == "order" and chance.random() < 0.5]

    with session.begin_nested() as trial:
        first = lived_through(session, in_order, "one", counts_each=False)
        second = lived_through(session, shuffled, "two", counts_each=True)
        trial.rollback()

    assert first == second


def lived_through(session, news, name, *, counts_each):
    """A shop hears the news; what is counted in the end must equal a rebuild. Returns it without its own numbers."""
    shop_id = add_shop(session, f"{name}.example.myshopify.com")
    bind_shop(session, shop_id)
    offer = a_live_offer(session, shop_id)
    experiment = an_experiment(session, shop_id, offer, "placement", PATCHES, salt="fixed")
    for said in news:
        if said[0] == "order":
            measure_orders(session, shop_id, [place(session, shop_id, said)])
        else:
            store(session, shop_id, asked(shop_id, offer, experiment, said))
            if counts_each:
                count_exposures(session, shop_id, now=NOW, since=LAUNCH)
    if not counts_each:
        count_exposures(session, shop_id, now=NOW, since=LAUNCH)
    incremental = counted(session, shop_id)
    rebuild_outcomes(session, shop_id)
    assert counted(session, shop_id) == incremental
    assert_sums_are_those_of_units(session, shop_id)
    return without_ids(without_labels(incremental), experiment.experiment_id)


def asked(shop_id, offer, experiment, said):
    _, (visitor, customer), cart, hour, in_cart = said
    decision = a_decision(
        shop_id, (offer,), LAUNCH + timedelta(hours=hour), visitor=visitor, customer=customer,
        experiments=(experiment.running,), cart_token=cart,
        placement="theme/cart" if in_cart else "theme/product_page",
    )  # fmt: skip
    return replace(decision, decision_id=DecisionId(digest_of([*said[1], *said[2:4]])[:32]))


def without_ids(rows, experiment_id):
    """Say "it" instead of the experiment's number, which differs from shop to shop."""
    return [[tuple("it" if i == 0 and v == experiment_id else v for i, v in enumerate(row)) for row in part]
            for part in rows]  # fmt: skip


def assert_sums_are_those_of_units(session, shop_id):
    for experiment_id, phase in {(row[0], row[1]) for row in counted(session, shop_id)[0]}:
        sums = {}
        for record in records_in(session, shop_id, experiment_id, phase):
            sums[record.arm] = added(sums.get(record.arm, {}), moments_of([record.totals]))
        held = {arm: one.moments for arm, one in arm_totals(session, shop_id, experiment_id, phase).items()}
        assert held == sums


@pytest.fixture
def offer(session, shop_id):
    """The shop's one offer."""
    return a_live_offer(session, shop_id)


def the_totals(session, shop_id):
    (record,) = records_in(session, shop_id, 0, 20264)
    return record.totals


def test_revenue_margin_claims_and_refunds_of_an_order_follow_it_up_and_down(session, shop_id, offer):
    at = LAUNCH + timedelta(hours=1)
    store(session, shop_id, a_decision(shop_id, (offer,), at, customer=5))
    count_exposures(session, shop_id, now=NOW)

    measure_orders(session, shop_id, [book_order(session, shop_id, 1, 10_000, at, customer=5, claimed=2_000)])
    bought = the_totals(session, shop_id)
    measure_orders(session, shop_id, [book_order(session, shop_id, 1, 0, at, customer=5, refunded=10_000)])
    returned = the_totals(session, shop_id)

    # Goods are assumed to cost half of the list price, cards 2.9 % and 30 cents.
    assert (bought.net, bought.margin, bought.attributed, bought.orders) == (
        10_000,
        10_000 - 5_000 - 290 - 30,
        2_000,
        1,
    )
    assert (bought.offer_orders, bought.refunded_orders) == (1, 0)
    assert (returned.net, returned.margin, returned.attributed, returned.orders) == (0, 0, 0, 1)
    assert (returned.offer_orders, returned.refunded_orders, returned.refunded) == (0, 1, 10_000)


def test_goods_cost_what_they_cost_when_the_order_was_first_measured(session, shop_id, offer):
    at = LAUNCH + timedelta(hours=1)
    add_products(session, shop_id, a_product(1, variants=(a_variant(1, price=Money(10_000, "USD")),)))
    mine = update(VariantRow).where(VariantRow.shop_id == shop_id, VariantRow.variant_id == 11)
    session.execute(mine.values(unit_cost_minor_units=3_000))
    store(session, shop_id, a_decision(shop_id, (offer,), at, customer=5))
    book_order(session, shop_id, 1, 10_000, at, customer=5)
    count_exposures(session, shop_id, now=NOW)
    session.execute(mine.values(unit_cost_minor_units=9_000))

    measure_orders(session, shop_id, [1])
    rebuild_outcomes(session, shop_id)

    assert the_totals(session, shop_id).margin == 10_000 - 3_000 - 290 - 30
    assert kept_costs(session, shop_id) == {(1, 11): (3_000, False)}


def test_orders_count_from_the_trigger_to_the_quarters_end_and_in_an_experiment_to_its_horizon(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCHES)
    at = LAUNCH + timedelta(hours=1)
    store(session, shop_id, a_decision(shop_id, (offer,), at, customer=5, experiments=(experiment.running,)))
    moments = [at - timedelta(seconds=1), at, at + timedelta(days=14), quarter_end(20264)]
    for order_id, moment in enumerate(moments, 1):
        book_order(session, shop_id, order_id, 10**order_id, moment, customer=5)

    count_exposures(session, shop_id, now=NOW)

    (record,) = records_in(session, shop_id, experiment.experiment_id, 1)
    assert (the_totals(session, shop_id).net, the_totals(session, shop_id).prior_net) == (1_100, 10)
    assert (record.totals.net, record.totals.prior_net) == (100, 10)


def test_orders_in_another_currency_are_left_out(session, shop_id, offer):
    at = LAUNCH + timedelta(hours=1)
    store(session, shop_id, a_decision(shop_id, (offer,), at, customer=5))
    book_order(session, shop_id, 1, 10_000, at, customer=5)
    from shopify_upsell.ledger.tables import OrderRow

    session.execute(update(OrderRow).where(OrderRow.shop_id == shop_id).values(currency="EUR"))

    count_exposures(session, shop_id, now=NOW)

    assert the_totals(session, shop_id).net == 0


def test_a_dismissal_after_the_trigger_is_counted(session, shop_id, offer):
    at = LAUNCH + timedelta(hours=1)
    store(session, shop_id, a_decision(shop_id, (offer,), at, visitor="v1"))
    for minutes in (-1, 1):
        touch = Touch(
            decision_id=DecisionId(f"d{minutes}"), offer_id=OfferId(1), variant_id=VariantId(0), kind="dismiss",
            placement="theme/product_page", occurred_at=at + timedelta(minutes=minutes), unit="v:v1",
        )  # fmt: skip
        add_touchpoint(session, shop_id, touch)

    count_exposures(session, shop_id, now=NOW)

    assert the_totals(session, shop_id).dismissals == 1


def test_an_empty_arm_is_no_arm(session, shop_id):
    assert arm_totals(session, shop_id, 0, 20264) == {}
    assert set(added({}, {})) == set(MEASURES)
    assert added({}, {})["revenue"] == NO_UNITS
