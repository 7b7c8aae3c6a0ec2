"""The dev store's planted truth comes back from learning: pairs are offered, never-expanding ones are not."""

from collections import Counter
from datetime import timedelta

import pytest
from builders_database import NOW as TODAY
from builders_database import add_shop
from builders_offers import a_request
from builders_orders import a_delivery
from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, ProductId
from shopify_upsell.database import bind_shop
from shopify_upsell.devstore.webhook_bodies import product_body
from shopify_upsell.devstore.world import history_csv, make_world
from shopify_upsell.ledger.importing import import_orders
from shopify_upsell.ledger.intake import record_product
from shopify_upsell.matrix.recording import count_orders, counts_of, rebuild_counts
from shopify_upsell.matrix.store import NEXT, companions_of
from shopify_upsell.matrix.upkeep import learn_shop
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.explain import explain_decision
from shopify_upsell.offers.pipeline import may_see
from shopify_upsell.offers.setup import create_default_offers
from shopify_upsell.shops.store import get_shop

WORLD = make_world(seed=7, order_count=6_000, now=TODAY)
TRUTH = WORLD.truth()
TITLES = {product.product_id: product.title for product in WORLD.products}


@pytest.fixture(scope="module")
def learned(migrated_database, tmp_path_factory):
    """The shop after its history was imported, counted and learned; nothing is committed."""
    path = tmp_path_factory.mktemp("world") / "orders.csv"
    path.write_text(history_csv(list(WORLD.orders)))
    with Session(migrated_database.engine, expire_on_commit=False) as session:
        shop_id = add_shop(session, "glow.myshopify.com")
        bind_shop(session, shop_id)
        report = import_orders(session, shop_id, path, currency="USD")
        for product in WORLD.products:
            stock = {variant.variant_id: variant.stock for variant in product.variants}
            body = product_body(product, stock, "https://glow.example", TODAY, "USD")
            record_product(session, a_delivery(shop_id, "products/create", body, triggered_at=TODAY))
        count_orders(session, shop_id, report.changed_order_ids)
        learn_shop(session, shop_id, TODAY)
        create_default_offers(session, shop_id, TODAY)
        yield session, shop_id
        session.rollback()


def look_at(learned, product_id, **changes):
    session, shop_id = learned
    return decide(
        session,
        a_request(product_id, shop_id=shop_id, **changes),
        now=TODAY + timedelta(hours=1),
        decision_id=DecisionId("d"),
        shop=get_shop(session, shop_id),
        holdout_basis_points=0,
    )


def eligible_beside(learned, product_id):
    eligible = may_see(look_at(learned, product_id).inputs)
    return {item.product_id for candidate in eligible for item in candidate.items} - {product_id}


def shown_beside(learned, product_id):
    return {item.product_id for offer in look_at(learned, product_id).chosen for item in offer.items} - {product_id}


def test_planted_pairs_are_offered_beside_their_anchor(learned):
    missing = {
        (TITLES[pair["a"]], TITLES[pair["b"]])
        for pair in TRUTH["pairs"]
        if pair["b"] not in eligible_beside(learned, pair["a"])
    }
    shown = [pair["b"] in shown_beside(learned, pair["a"]) for pair in TRUTH["pairs"]]

    assert len(missing) <= 2, missing
    assert sum(shown) >= 12, shown


def test_planted_never_expanding_pairs_are_refused_and_the_explanation_says_why(learned):
    explained = []
    for pair in TRUTH["never_expanding"]:
        for anchor, other in ((pair["a"], pair["b"]), (pair["b"], pair["a"])):
            assert other not in eligible_beside(learned, anchor), (TITLES[anchor], TITLES[other])
            text = explain_decision(look_at(learned, anchor))
            explained.append(f"{other} beside {anchor}: in 0 orders together where" in text)
    # The other two pairs sell so seldom that meeting never is no evidence: they are left out for want of any.
    assert sum(explained) == 4


def test_bestseller_is_not_offered_everywhere(learned):
    (planted,) = TRUTH["popularity"]
    shown = Counter(planted["product"] in eligible_beside(learned, product_id) for product_id in TITLES)

    assert shown[True] <= 3, shown


def test_nothing_is_shown_that_sells_together_less_than_by_chance(learned):
    for product_id in TITLES:
        for offer in look_at(learned, product_id).chosen:
            assert not offer.evidence or offer.evidence["association_lift"] > 1


def test_planted_sequences_come_next(learned):
    session, shop_id = learned
    rows = companions_of(session, shop_id, [row["a"] for row in TRUTH["sequences"]], kind=NEXT)
    found = [ProductId(row["b"]) in [one.product_id for one in rows[row["a"]][:6]] for row in TRUTH["sequences"]]
    windows = {
        one.product_id: one.window for row in TRUTH["sequences"] for one in rows[row["a"]] if one.product_id == row["b"]
    }

    assert sum(found) >= 5
    for row in TRUTH["sequences"]:
        first, last = windows[row["b"]]
        assert first <= row["peak"] <= last


def test_counts_of_the_import_are_those_of_a_rebuild(learned):
    session, shop_id = learned
    before = counts_of(session, shop_id)

    rebuild_counts(session, shop_id)

    assert counts_of(session, shop_id) == before
