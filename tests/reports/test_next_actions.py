"""Exactly three next actions, always the same for the same facts, by expected margin a minute."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.reports.next_actions import (
    LABELS,
    MINUTES,
    DraftFact,
    IncidentFact,
    SellingFact,
    ShopFacts,
    listed,
    next_actions,
)

FACTS = ShopFacts("USD", margin_basis_points=5000, order_count=1000, order_value=6000)


def told(facts):
    return [(one.code, one.entity[1]) for one in next_actions(facts)]


def test_a_shop_with_nothing_to_do_still_gets_three():
    assert told(FACTS) == [("set_target", "targets"), ("read_holds", "customers"), ("write_offer", "offers")]


def test_the_best_margin_a_minute_comes_first_and_each_names_its_thing_and_its_number():
    facts = replace(
        FACTS,
        sold_out=(SellingFact(11, sold=2400, refunded=0, price=5000),),
        poor=(SellingFact(12, sold=600, refunded=240, price=5000),),
        uncosted=(SellingFact(13, sold=1200, refunded=0, price=5000),),
        drafts=(DraftFact(21, failing_count=0),),
        incidents=(IncidentFact(31, taken_count=40, regretted_count=10),),
    )

    first, second, third = next_actions(facts)

    # 1,000 orders, 3 % taken, half of 60.00 left: 900.00 a month for 5 minutes.
    assert (first.code, first.entity, first.expected_minor_units) == ("launch_draft", ("offer", "21"), 90_000)
    # 2,400 pieces a year at 25.00 left: 5,000.00 a month for an hour.
    assert (second.code, second.expected_minor_units, second.minutes) == ("restock_product", 500_000, 60)
    assert second.measured == ("pieces_sold_last_year", 2400)
    assert (third.code, third.entity, third.measured) == (
        "state_cost",
        ("product", "13"),
        ("pieces_sold_last_year", 1200),
    )
    assert first.worth > second.worth > third.worth


def test_what_is_done_drops_out_and_the_next_best_moves_up():
    facts = replace(FACTS, drafts=(DraftFact(21, 0), DraftFact(22, 2)), empty_placements=("theme/cart",))
    before = told(facts)

    after = told(replace(facts, drafts=(DraftFact(22, 2),)))

    assert before == [("launch_draft", "21"), ("finish_draft", "22"), ("write_offer", "theme/cart")]
    assert after[:2] == before[1:]


def test_an_offer_that_paused_itself_is_named_with_what_was_regretted():
    action = next_actions(replace(FACTS, incidents=(IncidentFact(31, 40, 10),)))[0]

    assert (action.code, action.entity, action.measured) == ("resume_offer", ("offer", "31"), ("regretted_lines", 10))


def test_ties_go_by_the_number_of_the_thing_not_by_its_digits():
    facts = replace(FACTS, drafts=tuple(DraftFact(number, 0) for number in (10, 9, 100)))

    assert told(facts) == [("launch_draft", "9"), ("launch_draft", "10"), ("launch_draft", "100")]


def test_every_action_has_a_sentence_and_a_time_and_says_that_it_is_an_estimate():
    assert set(LABELS) == set(MINUTES)
    assert all(one["is_assumed"] for one in listed(next_actions(FACTS), "USD"))


products = st.lists(
    st.builds(SellingFact, st.integers(1, 99), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7)),
    max_size=5,
).map(tuple)


@given(products, products, products, st.lists(st.builds(DraftFact, st.integers(1, 99), st.integers(0, 9)), max_size=5))
def test_there_are_exactly_three_whatever_the_facts_and_the_order_they_come_in(sold_out, poor, uncosted, drafts):
    facts = replace(FACTS, sold_out=sold_out, poor=poor, uncosted=uncosted, drafts=tuple(drafts))
    turned = replace(facts, sold_out=sold_out[::-1], poor=poor[::-1], drafts=tuple(drafts[::-1]))

    actions = next_actions(facts)

    assert len(actions) == 3
    assert [one.worth for one in actions] == sorted((one.worth for one in actions), reverse=True)
    assert sorted(map(repr, actions)) == sorted(map(repr, next_actions(turned))) or [one.worth for one in actions] == [
        one.worth for one in next_actions(turned)
    ]
