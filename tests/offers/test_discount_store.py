"""What was read of a shop's discounts: the newest reading counts, for its own shop, for two days."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import func, select

from shopify_upsell.database import bind_shop
from shopify_upsell.offers.discount_store import ShopDiscountRow, ShopDiscounts, discounts_in_force, save_discounts
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.shops.erase import erase_shop

HOUR = timedelta(hours=1)
EVERYTHING = ActiveDiscount("1", "product", "percentage", 1500, combines_with=("order",), title="Autumn")
SOME = ActiveDiscount(
    "2", "order", "amount_once", minor_units=500, product_ids=(3, 7), variant_ids=(), code="WALK",
    minimum_quantity=2, minimum_minor_units=4000, is_for_subscriptions=True, is_for_one_time=False,
)  # fmt: skip
NOTHING_KNOWN = ShopDiscounts((), are_known=False)


def save(session, shop_id, *discounts, is_whole=True, read_at=NOW):
    save_discounts(session, shop_id, discounts, is_whole=is_whole, read_at=read_at)


def in_force(session, shop_id, now=NOW):
    return discounts_in_force(session, shop_id, now=now)


def test_discounts_come_back_as_they_were_read(session, shop_id):
    save(session, shop_id, EVERYTHING, SOME)

    assert in_force(session, shop_id) == ShopDiscounts((EVERYTHING, SOME), are_known=True)


def test_a_shop_that_was_never_read_knows_nothing_and_another_shops_reading_is_not_its_own(session, shop_id):
    other = add_shop(session, "other.myshopify.com")
    bind_shop(session, other)
    save(session, other, EVERYTHING)
    bind_shop(session, shop_id)

    assert in_force(session, shop_id) == NOTHING_KNOWN


def test_only_what_runs_is_in_force_and_its_dates_are_left_behind(session, shop_id):
    over = ActiveDiscount("3", "product", "percentage", 100, ends_at=NOW)
    later = ActiveDiscount("4", "product", "percentage", 200, starts_at=NOW + HOUR)
    save(session, shop_id, over, later)

    assert in_force(session, shop_id) == ShopDiscounts((), are_known=True)
    assert in_force(session, shop_id, NOW - HOUR).running == (ActiveDiscount("3", "product", "percentage", 100),)
    assert in_force(session, shop_id, NOW + HOUR).running == (ActiveDiscount("4", "product", "percentage", 200),)


@pytest.mark.parametrize(("age", "are_known"), [(timedelta(hours=47, minutes=59), True), (2 * 24 * HOUR, False)])
def test_after_two_days_without_a_reading_there_may_be_others(session, shop_id, age, are_known):
    save(session, shop_id, EVERYTHING)

    assert in_force(session, shop_id, NOW + age) == ShopDiscounts((EVERYTHING,), are_known=are_known)


def test_a_reading_that_is_not_whole_is_not_all_there_is(session, shop_id):
    save(session, shop_id, EVERYTHING, is_whole=False)

    assert in_force(session, shop_id) == ShopDiscounts((EVERYTHING,), are_known=False)


def test_a_later_reading_replaces_an_earlier_one_and_never_the_other_way_round(session, shop_id):
    save(session, shop_id, SOME)
    save(session, shop_id, EVERYTHING, read_at=NOW + HOUR)
    save(session, shop_id, SOME, read_at=NOW - HOUR)

    assert in_force(session, shop_id) == ShopDiscounts((EVERYTHING,), are_known=True)


def test_a_shop_that_is_erased_leaves_no_discount_behind(session, shop_id):
    save(session, shop_id, EVERYTHING)

    erase_shop(session, shop_id, now=NOW)

    assert session.scalar(select(func.count()).select_from(ShopDiscountRow)) == 0
