"""A shopper's word is taken literally, and the latest one holds."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import select

from shopify_upsell.core import InvalidInput
from shopify_upsell.customers.courtesy import DEFAULT_CAPS
from shopify_upsell.customers.preferences import (
    LEVELS,
    Preference,
    allows,
    caps_for,
    check_level,
    preference_in_force,
)
from shopify_upsell.customers.preferences_store import (
    PreferenceRow,
    copy_preference,
    erase_preference,
    preference_of,
    save_preference,
)

LATER = NOW + timedelta(seconds=1)
ALLOWED = [
    # level, kind, shown already, allowed
    ("all", "cross_sell", 0, True),
    ("all", "cross_sell", 5, True),
    ("fewer", "bundle", 0, True),
    ("fewer", "bundle", 1, False),
    ("fewer", "replenish", 1, False),
    ("restock_only", "replenish", 0, True),
    ("restock_only", "replenish", 2, True),
    ("restock_only", "up_sell", 0, False),
    ("none", "replenish", 0, False),
    ("none", "cross_sell", 0, False),
]


@pytest.mark.parametrize(("level", "kind", "count", "allowed"), ALLOWED)
def test_each_level_allows_exactly_what_its_name_says(level, kind, count, allowed):
    assert allows(level, kind, count) is allowed


def test_every_level_has_a_row_in_the_table():
    assert {row[0] for row in ALLOWED} == set(LEVELS)


def test_fewer_is_a_third_of_every_cap_and_no_other_level_changes_one():
    fewer = caps_for("fewer", DEFAULT_CAPS)

    assert (fewer.session, fewer.day, fewer.month, fewer.offer_day, fewer.offer_month) == (4, 8, 40, 2, 4)
    assert {caps_for(level, DEFAULT_CAPS) for level in LEVELS if level != "fewer"} == {DEFAULT_CAPS}


def test_who_said_nothing_wants_all():
    assert preference_in_force([]) == "all"


def test_the_latest_word_holds_and_of_two_at_one_moment_the_stricter():
    assert preference_in_force([Preference("none", NOW), Preference("all", LATER)]) == "all"
    assert preference_in_force([Preference("all", NOW), Preference("none", LATER)]) == "none"
    assert preference_in_force([Preference("all", NOW), Preference("fewer", NOW)]) == "fewer"


@pytest.mark.parametrize("level", ["", "None", "some", "ALL"])
def test_a_word_that_is_not_on_the_page_is_refused_and_not_kept(session, shop_id, level):
    with pytest.raises(InvalidInput):
        check_level(level)
    with pytest.raises(InvalidInput):
        save_preference(session, shop_id, ["c:1"], level, now=NOW)

    assert session.scalars(select(PreferenceRow)).all() == []


def test_a_word_is_kept_under_every_name_of_its_speaker_and_for_nobody_else(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    save_preference(session, shop_id, ["c:1", "v:abc"], "none", now=NOW)

    assert [preference_of(session, shop_id, [name]) for name in ("c:1", "v:abc", "c:2")] == ["none", "none", "all"]
    assert preference_of(session, other_shop, ["c:1"]) == "all"
    assert preference_of(session, shop_id, []) == "all"


def test_none_said_as_a_guest_holds_after_logging_in_until_the_customer_says_otherwise(session, shop_id):
    save_preference(session, shop_id, ["c:1"], "all", now=NOW)
    save_preference(session, shop_id, ["v:abc"], "none", now=LATER)
    assert preference_of(session, shop_id, ["c:1", "v:abc"]) == "none"

    save_preference(session, shop_id, ["c:1"], "fewer", now=LATER + timedelta(seconds=1))

    assert preference_of(session, shop_id, ["c:1", "v:abc"]) == "fewer"


def test_an_earlier_word_that_arrives_later_replaces_nothing(session, shop_id):
    save_preference(session, shop_id, ["c:1"], "none", now=LATER)
    save_preference(session, shop_id, ["c:1"], "all", now=NOW)

    assert preference_of(session, shop_id, ["c:1"]) == "none"


def test_a_copied_word_keeps_its_time_and_never_replaces_a_later_one(session, shop_id):
    save_preference(session, shop_id, ["v:abc"], "none", now=NOW)
    save_preference(session, shop_id, ["c:1"], "fewer", now=LATER)

    assert copy_preference(session, shop_id, "v:abc", "c:1") is True
    assert copy_preference(session, shop_id, "v:abc", "c:2") is True
    assert copy_preference(session, shop_id, "v:nobody", "c:3") is False

    assert [preference_of(session, shop_id, [name]) for name in ("c:1", "c:2", "c:3")] == ["fewer", "none", "all"]
    kept = session.scalar(select(PreferenceRow.said_at).where(PreferenceRow.subject == "c:2"))
    assert kept == NOW


def test_an_erased_word_is_gone_for_that_person_alone(session, shop_id):
    save_preference(session, shop_id, ["c:1", "c:2"], "none", now=NOW)

    assert (erase_preference(session, shop_id, "c:1"), erase_preference(session, shop_id, "c:1")) == (1, 0)
    assert [preference_of(session, shop_id, [name]) for name in ("c:1", "c:2")] == ["all", "none"]
