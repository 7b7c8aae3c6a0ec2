"""What a card is told of a decision: every number computed, nothing personal without consent, every kind addable."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    LACES,
    SOCKS,
    WAX,
    a_cart,
    a_decision,
    a_product,
    a_request,
    a_snapshot,
    an_offer,
    owning,
    variant_id_of,
)

from shopify_upsell.customers.shopper import ANONYMOUS, Shopper
from shopify_upsell.experiments.kinds import single_factor_check
from shopify_upsell.keyring import SigningKey
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.offers.claims import LONGEST_BENEFIT, MOST_BENEFITS, benefit_problems, decline_problems
from shopify_upsell.offers.decide import OWNED_SINCE
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.terms import Floor, Incentive, Terms
from shopify_upsell.offers.texts import FACTS, GREETINGS, HEADLINES, fact_of, greeting_of
from shopify_upsell.surfaces.rendering import OfferRenderer
from shopify_upsell.surfaces.schemas import OfferJson

KEY = SigningKey("k1", b"k" * 32)
FRIEND = Shopper(True, "established", (), True, True, {}, {})
STRANGER = replace(FRIEND, marketing_consent=None, may_personalise=False)
TENTH = Terms(incentive=Incentive("percentage", basis_points=1000))
AT_A_LOSS = Floor(minor_units=-5000)
SIZES = (("30 ml", 1000), ("100 ml", 2500))


def rendered(snapshot, locale="en"):
    decision = a_decision(snapshot)
    return OfferRenderer(decision, locale=locale, key=KEY, new_nonce=lambda: "n" * 16).offers()


def the_card(snapshot, locale="en"):
    (card,) = rendered(snapshot, locale)
    return card


def usd(minor_units):
    return {"minor_units": minor_units, "currency": "USD"}


def a_tenth_off(*products):
    return ActiveDiscount("tenth", "product", "percentage", 1000, product_ids=products)


def in_cart(*products, quantity=1, **changes):
    return a_snapshot(request=a_request(cart=a_cart(*products, quantity=quantity), limit=1), **changes)


def restocking(shopper=FRIEND, order_count=3, **changes):
    """A customer whose socks are nearly used up."""
    return a_snapshot(
        request=a_request(placement="theme/product_page", limit=1),
        offers=(an_offer(kind="replenish", terms=Terms(supply_days=40)),),
        owned=owning(SOCKS, days_ago=39, order_count=order_count),
        shopper=shopper,
        **changes,
    )


def test_a_saving_is_the_list_price_less_what_is_charged_to_the_cent():
    snapshot = in_cart(
        BOOTS, offers=(an_offer(terms=TENTH),), discounts=(a_tenth_off(SOCKS, WAX, LACES),), knows_discounts=True
    )

    card = the_card(snapshot)

    assert (card["total"], card["original_total"], card["saving"]) == (usd(1800), usd(2000), usd(200))
    assert (card["items"][0]["price"], card["items"][0]["original_price"]) == (usd(1800), usd(2000))
    assert card["discount"] == {"basis_points": 1000}


def test_nothing_is_said_to_be_saved_at_the_list_price():
    card = the_card(a_snapshot(request=a_request(limit=1)))

    assert (card["original_total"], card["saving"], card["discount"]) == (None, None, None)
    assert card["items"][0]["original_price"] is None


def test_a_subscription_names_its_plan_and_what_it_takes_out_and_claims_no_saving():
    plan = SellingPlan(71, "Monthly", "subscribe", 1000)
    product = a_product(BOOTS, selling_plans=(plan,))

    card = the_card(
        in_cart(
            BOOTS, quantity=2, offers=(an_offer(kind="subscribe", terms=Terms(floor=AT_A_LOSS)),), products=(product,)
        )
    )

    (item,) = card["items"]
    assert (item["selling_plan_id"], item["quantity"], item["price"]) == ("gid://shopify/SellingPlan/71", 2, usd(1800))
    assert (card["saving"], card["original_total"], item["original_price"]) == (None, None, None)
    assert card["replaces"] == {"variant_id": f"gid://shopify/ProductVariant/{variant_id_of(BOOTS)}", "quantity": 2}


def test_an_up_sell_names_how_many_pieces_it_replaces():
    oil = a_product(BOOTS, sizes=SIZES)

    card = the_card(in_cart(BOOTS, quantity=3, offers=(an_offer(kind="up_sell"),), products=(oil,)))

    assert (card["replaces"]["quantity"], card["items"][0]["quantity"]) == (3, 3)
    assert card["why"]["text"] == "Larger size of the one in your cart"


def test_a_quantity_is_the_missing_pieces_and_replaces_nothing():
    card = the_card(in_cart(BOOTS, offers=(an_offer(kind="quantity", terms=Terms(quantity=3)),)))

    assert (card["items"][0]["quantity"], card["total"], card["replaces"]) == (2, usd(4000), None)


def test_what_the_shopper_bought_before_is_told_with_the_count_of_their_own_orders():
    assert the_card(restocking())["why"] == {
        "code": "running_out",
        "text": "The one you bought may be running out",
        "fact": "You have bought this 3 times in the last two years",
    }
    assert the_card(restocking(order_count=1), "de")["why"]["fact"] == (
        "Sie haben das in den letzten zwei Jahren einmal gekauft"
    )


def test_two_years_is_how_far_back_a_decision_looks():
    assert timedelta(days=730) == OWNED_SINCE
    assert all("two years" in text for text in FACTS["en"].values())
    assert all("zwei Jahren" in text for text in FACTS["de"].values())


@pytest.mark.parametrize("shopper", [STRANGER, ANONYMOUS])
def test_without_consent_nothing_is_told_of_own_orders_and_nobody_is_greeted(shopper):
    card = the_card(restocking(shopper=shopper))

    assert (card["why"]["fact"], card["greeting"]) == (None, None)


def test_a_fact_is_about_one_product_that_was_bought_and_no_larger_size_of_it():
    oil = a_product(BOOTS, sizes=SIZES)
    mine = {"owned": owning(BOOTS, days_ago=400), "shopper": FRIEND}

    of_a_set = the_card(a_snapshot(offers=(an_offer(kind="bundle"),), shopper=FRIEND, owned=owning(BOOTS, days_ago=3)))
    larger = the_card(in_cart(BOOTS, offers=(an_offer(kind="up_sell"),), products=(oil,), **mine))
    of_another = the_card(a_snapshot(request=a_request(limit=1), shopper=FRIEND, owned=owning(BOOTS)))

    assert len(of_a_set["items"]) > 1
    assert [card["why"]["fact"] for card in (of_a_set, larger, of_another)] == [None, None, None]


def test_who_agreed_is_greeted_with_a_place_for_a_name_that_we_do_not_have():
    assert the_card(restocking())["greeting"] == {
        "with_name": "{first_name}, this may suit you",
        "without_name": "This may suit you",
    }


def test_nobody_is_greeted_after_a_purchase_where_no_page_knows_a_name():
    after = a_request(placement="post_purchase/offer", limit=1)

    assert the_card(a_snapshot(request=after, shopper=FRIEND))["greeting"] is None


@pytest.mark.parametrize("language", GREETINGS)
def test_every_language_greets_and_tells_facts_in_one_short_line_without_pressure(language):
    assert greeting_of(language)["with_name"].count("{first_name}") == 1
    assert "{" not in greeting_of(language)["without_name"]
    assert GREETINGS.keys() == FACTS.keys() == HEADLINES.keys()
    texts = [*greeting_of(language).values(), fact_of(1, language), fact_of(12, language)]
    for text in texts:
        assert len(text) <= LONGEST_BENEFIT
        assert decline_problems(text) == ()
    assert "12" in fact_of(12, language)
    assert not re.search(r"\d", fact_of(1, language))


def test_a_card_carries_the_benefits_of_the_decision_and_a_fourth_is_never_published():
    benefits = ("Keeps leather soft", "Made in one piece", "One size for all")
    card = the_card(a_snapshot(request=a_request(limit=1), offers=(an_offer(terms=Terms(benefits=benefits)),)))

    assert card["benefits"] == list(benefits)
    assert len(benefits) == MOST_BENEFITS
    assert benefit_problems((*benefits, "Warm"), is_reserved=False) == ("at most 3 lines",)


EVERY_KIND = {
    "cross_sell": a_snapshot(request=a_request(limit=1)),
    "up_sell": in_cart(BOOTS, offers=(an_offer(kind="up_sell"),), products=(a_product(BOOTS, sizes=SIZES),)),
    "bundle": a_snapshot(offers=(an_offer(kind="bundle"),)),
    "quantity": in_cart(BOOTS, offers=(an_offer(kind="quantity", terms=Terms(quantity=3)),)),
    "replenish": restocking(),
    "subscribe": in_cart(
        BOOTS,
        offers=(an_offer(kind="subscribe", terms=Terms(floor=AT_A_LOSS)),),
        products=(a_product(BOOTS, selling_plans=(SellingPlan(71, "Monthly", "subscribe", 1000),)),),
    ),
    "free_shipping": in_cart(
        BOOTS,
        offers=(
            an_offer(
                kind="free_shipping",
                terms=Terms(
                    incentive=Incentive("free_shipping", threshold_minor_units=3500, currency="USD", is_shop_rate=True)
                ),
            ),
        ),
        knows_discounts=True,
    ),
    "gift": in_cart(
        BOOTS,
        offers=(
            an_offer(
                kind="gift",
                companions=(SOCKS,),
                terms=Terms(incentive=Incentive("gift", gift_variant_id=variant_id_of(SOCKS)), floor=AT_A_LOSS),
            ),
        ),
        discounts=(ActiveDiscount("gift", "product", "percentage", 10_000, product_ids=(SOCKS,)),),
        knows_discounts=True,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_kind_is_drawn_with_a_headline_a_reason_and_items_that_one_click_can_add(kind, locale):
    card = the_card(EVERY_KIND[kind], locale)

    assert (card["kind"], card["headline"]) == (kind, HEADLINES[locale][kind])
    assert card["why"]["text"]
    for item in card["items"]:
        assert item["variant_id"].startswith("gid://shopify/ProductVariant/")
        assert item["quantity"] >= 1
        assert item["token"]
    assert card["total"]["minor_units"] == sum(
        item["price"]["minor_units"] * item["quantity"] for item in card["items"]
    )
    assert OfferJson().dump(card) == card


def test_every_field_served_is_in_the_schema_of_the_answer():
    fields = set().union(*(the_card(snapshot) for snapshot in EVERY_KIND.values()))

    assert fields == set(OfferJson().fields) - {"changes"}


def test_two_answers_of_one_decision_differ_in_nothing_that_an_experiment_may_not_vary():
    first, second = (the_card(EVERY_KIND["gift"]) for _ in range(2))
    second["items"][0]["token"] = "another"

    assert single_factor_check("creative", first, second) == ()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("creative", {"headline": "New"}),
        ("personalisation", {"greeting": {"with_name": "a", "without_name": "b"}}),
        ("personalisation", {"why": {"code": "running_out", "text": "b", "fact": "c"}}),
        ("discount", {"total": usd(1), "original_total": usd(2), "saving": usd(1), "discount": {"basis_points": 1}}),
    ],
)
def test_what_an_experiment_varies_is_served_under_the_name_it_knows(kind, change):
    plain = the_card(EVERY_KIND["cross_sell"])

    assert change.keys() <= plain.keys()
    assert single_factor_check(kind, plain, plain | change) == ()
    assert single_factor_check("placement", plain, plain | change) != ()


def test_no_card_says_a_name_or_anything_else_of_the_customer():
    text = json.dumps(the_card(restocking()))

    assert "established" not in text
    assert text.count("{first_name}") == 1
    assert NOW.isoformat() not in text
