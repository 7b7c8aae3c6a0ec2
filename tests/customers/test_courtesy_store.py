"""The budget as rows: swapped only by whoever read the newest, merged over names, forgotten in time."""

from datetime import timedelta

import pytest
from builders_courtesy import swap_state
from builders_database import NOW, add_shop
from sqlalchemy import select

from shopify_upsell.core import CustomerId, InvalidInput, OfferId, ProductId
from shopify_upsell.customers.courtesy import DEFAULT_CAPS, NOTHING_SHOWN, Caps, spend
from shopify_upsell.customers.courtesy_store import (
    SHOP_SUBJECT,
    WHOLE_SHOP,
    CourtesyRow,
    Swap,
    forget_old_states,
    read_states,
    rules_of,
    save_caps,
    save_throttle,
    swap_states,
    take_from_shop,
)
from shopify_upsell.customers.dismissals import Scope
from shopify_upsell.customers.dismissals_store import dismissals_of, remember_dismissal
from shopify_upsell.customers.preferences_store import preference_of, save_preference
from shopify_upsell.customers.throttle import ThrottleState
from shopify_upsell.customers.upkeep import erase_courtesy, merge_courtesy

ONE, TWO = OfferId(1), OfferId(2)


def charge(session, shop_id, subjects, *offers, now=NOW):
    """Show cards to somebody as a decision does."""
    own = read_states(session, shop_id, subjects).own
    assert swap_state(session, shop_id, subjects[0], own, spend(own, offers, now=now), now=now)


def total(session, shop_id, *subjects):
    return sum(cards for _, _, cards in read_states(session, shop_id, subjects).merged.shown)


def test_what_was_swapped_in_is_read_back_with_its_version(session, shop_id):
    charge(session, shop_id, ["c:1"], ONE)
    charge(session, shop_id, ["c:1"], ONE, TWO)

    expected = spend(spend(NOTHING_SHOWN, [ONE], now=NOW), [ONE, TWO], now=NOW)
    courtesy = read_states(session, shop_id, ["c:1"])
    assert courtesy.own == courtesy.merged == expected
    assert courtesy.own.version == 2


def test_of_two_who_read_the_same_state_the_second_changes_nothing(session, shop_id):
    for _ in range(2):  # the first round makes the row, the second changes it
        before = read_states(session, shop_id, ["c:1"]).own
        first, second = spend(before, [ONE], now=NOW), spend(before, [TWO, TWO], now=NOW)

        assert swap_state(session, shop_id, "c:1", before, first, now=NOW) is True
        assert swap_state(session, shop_id, "c:1", before, second, now=NOW) is False

        assert read_states(session, shop_id, ["c:1"]).own == first


def test_names_are_merged_and_only_the_best_known_is_charged(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    charge(session, shop_id, ["v:abc"], ONE)
    charge(session, shop_id, ["c:1", "v:abc"], ONE)
    charge(session, other_shop, ["c:1"], ONE, ONE, ONE)

    assert total(session, shop_id, "c:1", "v:abc") == 2
    assert total(session, shop_id, "c:1") == total(session, shop_id, "v:abc") == 1
    assert total(session, other_shop, "c:1") == 3


def test_somebody_without_a_name_has_no_past(session, shop_id):
    charge(session, shop_id, ["c:1"], ONE)

    assert read_states(session, shop_id, []).merged == NOTHING_SHOWN


def test_many_swaps_of_one_transaction_each_say_whether_they_were_made(session, shop_id):
    charge(session, shop_id, ["c:2"], ONE)
    stale, after = NOTHING_SHOWN, spend(NOTHING_SHOWN, [TWO], now=NOW)
    swaps = [Swap("v:z", stale, after), Swap("c:2", stale, after), Swap("c:1", stale, after)]

    assert swap_states(session, shop_id, swaps, now=NOW) == [True, False, True]
    assert [total(session, shop_id, name) for name in ("v:z", "c:2", "c:1")] == [1, 1, 1]


def test_decisions_that_follow_each_other_in_one_transaction_can_all_be_swapped(session, shop_id):
    first = spend(NOTHING_SHOWN, [ONE], now=NOW)
    second = spend(first, [TWO], now=NOW)

    made = swap_states(session, shop_id, [Swap("c:1", first, second), Swap("c:1", NOTHING_SHOWN, first)], now=NOW)

    assert made == [True, True]
    assert read_states(session, shop_id, ["c:1"]).own == second


def test_states_that_no_window_reaches_are_forgotten_after_thirty_one_days(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    charge(session, shop_id, ["c:1"], ONE)
    charge(session, shop_id, ["c:2"], ONE, now=NOW + timedelta(seconds=1))
    charge(session, other_shop, ["c:1"], ONE)

    assert forget_old_states(session, shop_id, now=NOW + timedelta(days=31, seconds=1)) == 1

    assert session.execute(select(CourtesyRow.shop_id, CourtesyRow.subject)).all() != []
    left = set(session.execute(select(CourtesyRow.shop_id, CourtesyRow.subject)))
    assert left == {(shop_id, "c:2"), (other_shop, "c:1")}


def test_the_shop_cap_lets_through_exactly_as_many_cards_as_it_says_and_frees_after_a_day(session, shop_id):
    caps = Caps(shop_day=5)

    taken = [take_from_shop(session, shop_id, 2, caps, now=NOW) for _ in range(3)]

    assert taken == [True, True, False]
    assert take_from_shop(session, shop_id, 1, caps, now=NOW) is True
    assert take_from_shop(session, shop_id, 1, caps, now=NOW + timedelta(hours=24, minutes=59)) is False
    assert take_from_shop(session, shop_id, 5, caps, now=NOW + timedelta(hours=25)) is True


def test_a_shop_without_a_cap_keeps_no_count_of_everybody(session, shop_id):
    assert take_from_shop(session, shop_id, 10_000, DEFAULT_CAPS, now=NOW) is True

    assert session.scalars(select(CourtesyRow.subject).where(CourtesyRow.subject == SHOP_SUBJECT)).all() == []


def test_rules_are_the_defaults_until_the_merchant_says_otherwise(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    caps, throttle = Caps(session=6), ThrottleState(level=2, note="n")
    assert rules_of(session, shop_id).caps == DEFAULT_CAPS

    save_throttle(session, shop_id, WHOLE_SHOP, throttle)
    save_caps(session, shop_id, caps)
    save_throttle(session, shop_id, TWO, ThrottleState(level=1))
    save_caps(session, other_shop, Caps(session=1))

    rules = rules_of(session, shop_id)
    assert rules.caps == caps
    assert rules.throttles == {WHOLE_SHOP: throttle, TWO: ThrottleState(level=1)}


def test_caps_that_contradict_each_other_are_not_kept(session, shop_id):
    with pytest.raises(InvalidInput):
        save_caps(session, shop_id, Caps(session=100))

    assert rules_of(session, shop_id).caps == DEFAULT_CAPS


def test_logging_in_moves_what_the_visitor_was_shown_and_dismissed_and_copies_their_word(session, shop_id):
    charge(session, shop_id, ["v:abc"], ONE, TWO)
    charge(session, shop_id, ["c:5"], ONE)
    remember_dismissal(session, shop_id, "v:abc", [Scope(offer_id=ONE)], now=NOW)
    save_preference(session, shop_id, ["v:abc"], "none", now=NOW)

    assert merge_courtesy(session, shop_id, "abc", CustomerId(5), NOW) is True

    assert (total(session, shop_id, "c:5"), total(session, shop_id, "v:abc")) == (3, 0)
    assert [one.scope for one in dismissals_of(session, shop_id, ["c:5"], now=NOW)] == [Scope(offer_id=ONE)]
    assert dismissals_of(session, shop_id, ["v:abc"], now=NOW) == ()
    assert [preference_of(session, shop_id, [name]) for name in ("c:5", "v:abc")] == ["none", "none"]


def test_merging_twice_counts_nothing_twice(session, shop_id):
    charge(session, shop_id, ["v:abc"], ONE)
    for _ in range(3):
        assert merge_courtesy(session, shop_id, "abc", CustomerId(5), NOW) is True

    assert total(session, shop_id, "c:5", "v:abc") == 1


def test_a_visitor_with_no_past_leaves_no_rows_behind(session, shop_id):
    assert merge_courtesy(session, shop_id, "abc", CustomerId(5), NOW) is True

    assert session.scalars(select(CourtesyRow.subject)).all() == []


def test_a_decision_of_the_visitor_that_was_under_way_while_merging_is_told_to_try_again(session, shop_id):
    charge(session, shop_id, ["v:abc"], ONE)
    before = read_states(session, shop_id, ["v:abc"]).own
    merge_courtesy(session, shop_id, "abc", CustomerId(5), NOW)

    assert swap_state(session, shop_id, "v:abc", before, spend(before, [TWO], now=NOW), now=NOW) is False
    assert total(session, shop_id, "c:5", "v:abc") == 1


def test_erasing_a_person_leaves_others_and_other_shops(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    for shop, name in ((shop_id, "c:1"), (shop_id, "c:2"), (other_shop, "c:1")):
        charge(session, shop, [name], ONE)
        save_preference(session, shop, [name], "fewer", now=NOW)
        remember_dismissal(session, shop, name, [Scope(product_id=ProductId(7))], now=NOW)

    assert erase_courtesy(session, shop_id, "c:1") == 3

    assert (total(session, shop_id, "c:1"), preference_of(session, shop_id, ["c:1"])) == (0, "all")
    assert dismissals_of(session, shop_id, ["c:1"], now=NOW) == ()
    for shop, name in ((shop_id, "c:2"), (other_shop, "c:1")):
        assert (total(session, shop, name), preference_of(session, shop, [name])) == (1, "fewer")
        assert len(dismissals_of(session, shop, [name], now=NOW)) == 1
