"""The budget as rows: swapped only by whoever read the newest, merged over names, forgotten in time."""

from dataclasses import replace
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
    SwapsCollided,
    erase_states,
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


def shuffled(names):
    """The same names in an order that is neither theirs nor its reverse."""
    return sorted(names, key=lambda name: (len(name), name[::-1]))


def test_swaps_of_many_people_new_and_known_are_all_made_in_whatever_order_they_come(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    known = [f"c:{number}" for number in range(20)]
    for name in known:
        charge(session, shop_id, [name], ONE)
    charge(session, other_shop, ["c:1"], ONE)
    names = shuffled([*known, *(f"v:{number}" for number in range(25))])
    before = {name: read_states(session, shop_id, [name]).own for name in names}
    swaps = [Swap(name, before[name], spend(before[name], [TWO], now=NOW)) for name in names]

    assert swap_states(session, shop_id, swaps, now=NOW) is None

    assert [read_states(session, shop_id, [swap.subject]).own for swap in swaps] == [swap.after for swap in swaps]
    assert [total(session, shop_id, name) for name in names] == [2 if name in known else 1 for name in names]
    assert total(session, other_shop, "c:1") == 1


def test_no_swaps_are_all_made(session, shop_id):
    assert swap_states(session, shop_id, [], now=NOW) is None


@pytest.mark.parametrize("count", [2, 3, 16, 17, 40])
def test_one_stale_swap_among_several_is_a_collision(database, count):
    with database.write() as session:
        shop_id = add_shop(session)
        charge(session, shop_id, ["c:7"], ONE)
    after = spend(NOTHING_SHOWN, [TWO], now=NOW)
    names = ["c:7", *(f"v:{number}" for number in range(count - 1))]

    with pytest.raises(SwapsCollided), database.write() as session:
        swap_states(session, shop_id, [Swap(name, NOTHING_SHOWN, after) for name in names], now=NOW)

    with database.read() as session:
        assert [total(session, shop_id, name) for name in names] == [1] + [0] * (count - 1)
        assert read_states(session, shop_id, ["c:7"]).own == spend(NOTHING_SHOWN, [ONE], now=NOW)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_swap_alone_from_a_state_that_is_not_the_newest_says_so_and_changes_nothing(session, shop_id, version):
    charge(session, shop_id, ["c:1"], ONE)
    charge(session, shop_id, ["c:1"], ONE)
    newest = read_states(session, shop_id, ["c:1"]).own
    stale = replace(newest, version=version)

    assert swap_state(session, shop_id, "c:1", stale, spend(stale, [TWO], now=NOW), now=NOW) is False

    assert read_states(session, shop_id, ["c:1"]).own == newest


def test_a_state_that_nobody_holds_any_more_is_begun_anew(session, shop_id):
    for name in ("c:1", "c:2", "c:3"):
        charge(session, shop_id, [name], ONE)
        charge(session, shop_id, [name], ONE)
    before = {name: read_states(session, shop_id, [name]).own for name in ("c:1", "c:2", "c:3")}
    after = {name: spend(state, [TWO], now=NOW) for name, state in before.items()}
    for name in ("c:1", "c:2"):
        assert erase_states(session, shop_id, name) == 1

    assert swap_state(session, shop_id, "c:1", before["c:1"], after["c:1"], now=NOW) is True
    swap_states(session, shop_id, [Swap(name, before[name], after[name]) for name in ("c:3", "c:2")], now=NOW)

    for name, state in after.items():
        assert read_states(session, shop_id, [name]).own == state
        charge(session, shop_id, [name], TWO)
    assert [total(session, shop_id, name) for name in after] == [4, 4, 4]


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
