"""Who counts, in which arm and from when: the same whatever arm served what, and in whatever order it is counted."""

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
    store,
)

from shopify_upsell.core import ConflictingRequest, InvalidInput, NotFound, ShopId
from shopify_upsell.customers.standing import read_standing
from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.running import arms_for
from shopify_upsell.offers.experiment_store import end_experiment, read_experiment, set_waiting, widen_traffic
from shopify_upsell.offers.unit_store import STANDING_WITH_UNIT, Sighting, link_subjects, people_of, unit_among
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.outcome_store import arm_totals, records_in, surface_counts
from shopify_upsell.reports.outcomes import forget_in_experiments, measure_orders

PATCH = {"treatment": {"placements": ["theme/cart"]}}


@pytest.fixture
def offer(session, shop_id):
    """The shop's one offer."""
    return a_live_offer(session, shop_id)


def unit_for(session, shop_id, subjects):
    """The unit as a decision finds it."""
    standing = read_standing(session, shop_id, subjects, now=NOW, statement=STANDING_WITH_UNIT)
    return unit_among(standing.more, subjects)


def visitors_in(experiment, arm, count):
    """Visitors whose hash puts them into the arm."""
    running = (getattr(experiment, "running", experiment),)
    found = (f"v{n}" for n in range(10_000) if arms_for(running, f"v:v{n}")[0].arm == arm)
    return [next(found) for _ in range(count)]


def units_of(session, shop_id, experiment):
    return {one.arm: one for one in records_in(session, shop_id, experiment.experiment_id, 1)}


def test_a_unit_counts_from_the_first_decision_at_which_any_arm_would_have_shown_the_offer(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH)
    running = (experiment.running,)
    stays, moves = visitors_in(experiment, "control", 1)[0], visitors_in(experiment, "treatment", 1)[0]
    page, cart = LAUNCH + timedelta(hours=1), LAUNCH + timedelta(hours=2)
    for visitor in (stays, moves):
        store(
            session,
            shop_id,
            a_decision(shop_id, (offer,), cart, visitor=visitor, experiments=running, placement="theme/cart"),
            a_decision(shop_id, (offer,), page, visitor=visitor, experiments=running),
        )

    count_exposures(session, shop_id, now=NOW)

    found = units_of(session, shop_id, experiment)
    assert {arm: one.first_at for arm, one in found.items()} == {"control": page, "treatment": page}


def test_a_decision_where_no_arm_shows_the_offer_triggers_nobody(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH)
    elsewhere = a_decision(
        shop_id, (offer,), LAUNCH + timedelta(hours=1), visitor="v1", experiments=(experiment.running,),
        placement="post_purchase/offer",
    )  # fmt: skip
    store(session, shop_id, elsewhere)

    count_exposures(session, shop_id, now=NOW)

    assert counted(session, shop_id) == [[], []]


def test_the_holdout_counts_at_the_point_where_it_would_have_seen_an_offer_and_is_in_no_experiment(
    session, shop_id, offer
):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH)
    at = LAUNCH + timedelta(hours=1)
    store(
        session,
        shop_id,
        a_decision(shop_id, (offer,), at, visitor="v1", experiments=(experiment.running,), holdout_basis_points=10_000),
    )

    count_exposures(session, shop_id, now=NOW)

    assert {arm: one.units for arm, one in arm_totals(session, shop_id, 0, 20264).items()} == {"holdout": 1}
    assert arm_totals(session, shop_id, experiment.experiment_id, 1) == {}


def test_decisions_outside_the_time_an_experiment_ran_count_for_the_holdout_alone(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH)
    running = (experiment.running,)
    set_waiting(session, shop_id, experiment.experiment_id, is_waiting=True, now=LAUNCH + timedelta(days=1))
    set_waiting(session, shop_id, experiment.experiment_id, is_waiting=False, now=LAUNCH + timedelta(days=2))
    end_experiment(session, shop_id, experiment.experiment_id, now=LAUNCH + timedelta(days=3), reason="enough")
    days = {"before": -1.0, "settling": 0.0001, "first": 0.5, "waiting": 1.5, "second": 2.5, "after": 3.5}
    for visitor, day in days.items():
        served = running if visitor in ("first", "second") else ()
        decided_at = LAUNCH + timedelta(days=day)
        store(session, shop_id, a_decision(shop_id, (offer,), decided_at, visitor=visitor, experiments=served))

    count_exposures(session, shop_id, now=NOW)

    times = {one.first_at for one in records_in(session, shop_id, experiment.experiment_id, 1)}
    assert times == {LAUNCH + timedelta(days=0.5), LAUNCH + timedelta(days=2.5)}
    assert arm_totals(session, shop_id, 0, 20264)["open"].units == len(days)


def test_who_is_let_in_later_counts_from_then_and_who_was_in_stays_in_the_same_arm(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH, traffic_basis_points=2_000)
    everybody = replace(experiment.running, traffic_basis_points=10_000)
    inside = next(v for v in visitors_in(everybody, "treatment", 90) if arms_for((experiment.running,), f"v:{v}"))
    outside = next(v for v in visitors_in(everybody, "control", 90) if not arms_for((experiment.running,), f"v:{v}"))
    widened_at, later = LAUNCH + timedelta(days=1), LAUNCH + timedelta(days=2)
    for visitor in (inside, outside):
        for number, at in enumerate((LAUNCH + timedelta(hours=1), widened_at + timedelta(seconds=1), later)):
            running = (everybody if number else experiment.running,)
            store(session, shop_id, a_decision(shop_id, (offer,), at, visitor=visitor, experiments=running))

    widen_traffic(session, shop_id, experiment.experiment_id, 10_000, now=widened_at)
    count_exposures(session, shop_id, now=NOW)

    found = {one.arm: one.first_at for one in records_in(session, shop_id, experiment.experiment_id, 1)}
    assert found == {"treatment": LAUNCH + timedelta(hours=1), "control": later}


def test_traffic_is_never_made_less_and_nothing_is_let_in_after_the_end(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH, traffic_basis_points=2_000)
    number = experiment.experiment_id

    with pytest.raises(ConflictingRequest, match="only be widened"):
        widen_traffic(session, shop_id, number, 1_999, now=NOW)
    with pytest.raises(InvalidInput):
        widen_traffic(session, shop_id, number, 10_001, now=NOW)
    with pytest.raises(NotFound):
        widen_traffic(session, ShopId(shop_id + 1), number, 10_000, now=NOW)
    assert widen_traffic(session, shop_id, number, 2_000, now=NOW) == experiment
    end_experiment(session, shop_id, number, now=NOW, reason="enough")
    with pytest.raises(ConflictingRequest, match="has ended"):
        widen_traffic(session, shop_id, number, 10_000, now=NOW)
    assert read_experiment(session, shop_id, number).running == experiment.running


def test_an_experiment_widened_while_it_waits_goes_on_with_more(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH, traffic_basis_points=2_000)
    number, day = experiment.experiment_id, timedelta(days=1)
    set_waiting(session, shop_id, number, is_waiting=True, now=LAUNCH + day)

    widen_traffic(session, shop_id, number, 5_000, now=LAUNCH + 2 * day)
    found = set_waiting(session, shop_id, number, is_waiting=False, now=LAUNCH + 3 * day)

    assert found.traffics == (2_000, 5_000)
    assert [found.ran_at(LAUNCH + part * day) for part in (0.5, 1.5, 2.5, 3.5)] == [True, False, False, True]


def test_a_late_decision_moves_the_trigger_back_and_counting_again_changes_nothing(session, shop_id, offer):
    late, early = LAUNCH + timedelta(hours=5), LAUNCH + timedelta(hours=1)
    store(session, shop_id, a_decision(shop_id, (offer,), late, visitor="v1"))
    count_exposures(session, shop_id, now=late)
    store(session, shop_id, a_decision(shop_id, (offer,), early, visitor="v1"))

    count_exposures(session, shop_id, now=NOW, since=LAUNCH)
    once = counted(session, shop_id)
    count_exposures(session, shop_id, now=NOW, since=LAUNCH)

    assert [row[4] for row in once[0]] == [early]
    assert counted(session, shop_id) == once


def test_counting_goes_on_some_minutes_before_where_it_stopped(session, shop_id, offer):
    store(session, shop_id, a_decision(shop_id, (offer,), NOW - timedelta(hours=1), visitor="v1"))
    count_exposures(session, shop_id, now=NOW)
    store(session, shop_id, a_decision(shop_id, (offer,), NOW - timedelta(minutes=1), visitor="stored-late"))
    store(session, shop_id, a_decision(shop_id, (offer,), NOW - timedelta(minutes=3), visitor="too-late"))

    count_exposures(session, shop_id, now=NOW + timedelta(minutes=1))

    assert arm_totals(session, shop_id, 0, 20264)["open"].units == 2


def test_a_visitor_who_logs_in_keeps_the_earliest_arm_and_is_counted_once_as_crossed(session, shop_id, offer):
    experiment = an_experiment(session, shop_id, offer, "placement", PATCH)
    running = (experiment.running,)
    first = visitors_in(experiment, "control", 1)[0]
    customer = next(n for n in range(100) if arms_for(running, f"c:{n}")[0].arm == "treatment")
    hours = [LAUNCH + timedelta(hours=n) for n in (1, 2)]
    store(
        session,
        shop_id,
        a_decision(shop_id, (offer,), hours[0], visitor=first, experiments=running),
        a_decision(shop_id, (offer,), hours[1], visitor=first, customer=customer, experiments=running),
    )

    count_exposures(session, shop_id, now=NOW)

    (record,) = records_in(session, shop_id, experiment.experiment_id, 1)
    assert (record.arm, record.first_at, record.is_crossed) == ("control", hours[0], True)
    assert arm_totals(session, shop_id, experiment.experiment_id, 1)["control"].crossed == 1
    assert record.customer_id is None


def test_a_unit_is_named_as_it_was_first_met(session, shop_id, offer):
    hours = [LAUNCH + timedelta(hours=n) for n in (1, 2)]
    store(session, shop_id, a_decision(shop_id, (offer,), hours[0], visitor="phone"))
    store(session, shop_id, a_decision(shop_id, (offer,), hours[1], visitor="phone", customer=5))
    assert unit_for(session, shop_id, ("c:5", "v:phone")) == "c:5"

    count_exposures(session, shop_id, now=NOW)

    assert unit_for(session, shop_id, ("c:5", "v:laptop")) == "v:phone"
    assert unit_for(session, shop_id, ("v:stranger",)) == "v:stranger"
    assert unit_for(session, shop_id, ()) is None


def test_names_become_one_person_in_any_order(session, shop_id):
    pairs = [("v:a", "c:1"), ("v:b", "t:x"), ("t:x", "c:1"), ("v:c", "c:2")]
    other = add_shop(session, "three.myshopify.com")
    for shop, order in ((shop_id, pairs), (other, pairs[::-1])):
        bind_shop(session, shop)
        for pair in order:
            link_subjects(session, shop, [Sighting(pair)])

    groups = []
    for shop in (shop_id, other):
        bind_shop(session, shop)
        people = people_of(session, shop, ["v:a", "v:b", "v:c", "c:1", "c:2", "t:x"])
        groups.append([{name for name in people if people[name] == person} for person in set(people.values())])

    expected = [{"v:c", "c:2"}, {"v:a", "v:b", "c:1", "t:x"}]
    assert all(sorted(found, key=len) == expected for found in groups)


def test_an_order_is_found_by_its_cart_whichever_of_both_came_first(session, shop_id, offer):
    at = LAUNCH + timedelta(hours=1)
    for visitor, cart, order_id in (("v1", "cart-1", 1), ("v2", "cart-2", 2)):
        decision = a_decision(shop_id, (offer,), at, visitor=visitor, cart_token=cart)
        if order_id == 1:
            store(session, shop_id, decision)
            count_exposures(session, shop_id, now=at)
        order = book_order(session, shop_id, order_id, 5_000, at + timedelta(hours=1), customer=order_id, cart=cart)
        measure_orders(session, shop_id, [order])
        if order_id == 2:
            store(session, shop_id, decision)
            count_exposures(session, shop_id, now=NOW, since=LAUNCH)
        later = book_order(session, shop_id, 10 + order_id, 1_000, at + timedelta(days=3), customer=order_id)
        measure_orders(session, shop_id, [later])

    records = list(records_in(session, shop_id, 0, 20264))
    assert [(one.totals.net, one.totals.orders) for one in records] == [(6_000, 2), (6_000, 2)]


def test_what_is_taken_right_after_paying_counts_though_its_order_was_placed_before(session, shop_id):
    offer = a_live_offer(session, shop_id, placements=("post_purchase/offer",))
    paid = LAUNCH + timedelta(hours=1)
    decision = a_decision(shop_id, (offer,), paid + timedelta(minutes=1), customer=5, placement="post_purchase/offer")
    store(session, shop_id, decision)
    book_order(session, shop_id, 1, 7_000, paid, customer=5)
    book_order(session, shop_id, 2, 9_000, paid - timedelta(hours=2), customer=5)

    count_exposures(session, shop_id, now=NOW)

    (record,) = records_in(session, shop_id, 0, 20264)
    assert (record.totals.net, record.totals.prior_net) == (7_000, 9_000)
    assert surface_counts(session, shop_id, 0, 20264) == {"post_purchase": {"open": 1}}


def test_only_who_was_known_at_the_trigger_has_a_past(session, shop_id, offer):
    at = LAUNCH + timedelta(days=2)
    store(session, shop_id, a_decision(shop_id, (offer,), at, visitor="anonymous", cart_token="cart-1"))
    store(session, shop_id, a_decision(shop_id, (offer,), at, customer=6))
    for customer, order_id in ((5, 1), (6, 2)):
        book_order(session, shop_id, order_id, 4_000, at - timedelta(days=1), customer=customer)
    book_order(session, shop_id, 3, 1_000, at + timedelta(days=1), customer=5, cart="cart-1")
    book_order(session, shop_id, 4, 8_000, at - timedelta(days=29), customer=6)

    count_exposures(session, shop_id, now=NOW)

    totals = sorted((one.totals.has_history, one.totals.prior_net, one.totals.net)
                    for one in records_in(session, shop_id, 0, 20264))  # fmt: skip
    assert totals == [(False, 0, 1_000), (True, 4_000, 0)]


def test_a_forgotten_customer_leaves_a_number_and_no_name(session, shop_id, offer):
    store(session, shop_id, a_decision(shop_id, (offer,), LAUNCH + timedelta(hours=1), customer=5))
    book_order(session, shop_id, 1, 4_000, LAUNCH, customer=5)
    count_exposures(session, shop_id, now=NOW)

    forget_in_experiments(session, shop_id, 5)

    (record,) = records_in(session, shop_id, 0, 20264)
    assert (record.customer_id, record.totals.has_history, record.totals.prior_net) == (None, False, 0)
    assert people_of(session, shop_id, ["c:5"]) == {}


def test_another_shops_decisions_and_orders_count_for_nobody_here(session, shop_id, offer):
    other = add_shop(session, "three.myshopify.com")
    bind_shop(session, other)
    foreign = a_live_offer(session, other)
    store(session, other, a_decision(ShopId(other), (foreign,), LAUNCH + timedelta(hours=1), customer=5))
    book_order(session, other, 1, 4_000, LAUNCH + timedelta(hours=2), customer=5)
    bind_shop(session, shop_id)
    store(session, shop_id, a_decision(shop_id, (offer,), LAUNCH + timedelta(hours=1), customer=5))

    count_exposures(session, shop_id, now=NOW)
    measure_orders(session, shop_id, [1])

    (record,) = records_in(session, shop_id, 0, 20264)
    assert record.totals.net == 0
    assert list(records_in(session, other, 0, 20264)) == []
