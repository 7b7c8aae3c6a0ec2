"""What decisions read of timing: planted rhythms come back as words, everything else is assumed and says so."""

import pytest
from builders_database import NOW as TODAY
from builders_database import add_shop
from builders_orders import a_delivery
from sqlalchemy.orm import Session

from shopify_upsell.database import bind_shop
from shopify_upsell.devstore.webhook_bodies import product_body
from shopify_upsell.devstore.world import history_csv, make_world
from shopify_upsell.ledger.delivered import ASSUMED
from shopify_upsell.ledger.delivery_store import shop_usual_delivery
from shopify_upsell.ledger.importing import import_orders
from shopify_upsell.ledger.intake import record_product
from shopify_upsell.ledger.store import product_health
from shopify_upsell.matrix.recording import count_orders
from shopify_upsell.matrix.store import KINDS, companions_of
from shopify_upsell.matrix.timed import (
    LEARNED_TIME,
    PRIOR_TIME,
    PRIOR_WINDOWS,
)
from shopify_upsell.matrix.timing_store import timing_for
from shopify_upsell.matrix.upkeep import learn_shop, shop_matrix

WORLD = make_world(seed=7, order_count=6_000, now=TODAY)
TRUTH = WORLD.truth()
PRODUCTS = [product.product_id for product in WORLD.products]
ON_THE_WAY = ASSUMED.altogether.days


@pytest.fixture(scope="module")
def learned(migrated_database, tmp_path_factory):
    """The dev store's shop after learning; nothing is committed."""
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
        yield session, shop_id
        session.rollback()


def test_planted_sequences_have_a_window_of_their_own_that_holds_the_peak(learned):
    session, shop_id = learned
    words = timing_for(session, shop_id, PRODUCTS)
    for row in TRUTH["sequences"]:
        word = words[row["a"], row["b"]]
        first, last = word.window
        assert first <= row["peak"] - ON_THE_WAY <= last, (row, word)
        assert (word.source, word.peaks_at_zero) == (LEARNED_TIME, False)
        assert word.n > 0
        assert 0 < word.interval[0] < word.interval[1] < 1


def test_every_pair_that_is_served_has_a_word_and_nothing_else_has(learned):
    session, shop_id = learned
    words = timing_for(session, shop_id, PRODUCTS)

    served = {
        (anchor, one.product_id)
        for kind in KINDS
        for anchor, row in companions_of(session, shop_id, PRODUCTS, kind=kind).items()
        for one in row
    }

    assert set(words) == served
    assert {word.window for word in words.values() if word.source == PRIOR_TIME} <= set(PRIOR_WINDOWS.values())


def test_words_are_those_of_the_curve_that_the_command_prints(learned):
    session, shop_id = learned
    matrix = shop_matrix(session, shop_id, TODAY)
    words = [w for w in timing_for(session, shop_id, PRODUCTS).values() if w.source == LEARNED_TIME]
    assert len(words) > 20

    for word in words:
        curve = matrix.timing(*word.pair)
        end = curve.edges_days.index(word.window[1] + 1) - 1
        assert (word.level, word.window, word.blocked) == (curve.level, curve.window, curve.blocked)
        assert word.n == sum(curve.events)
        assert word.interval == pytest.approx((curve.low[end], curve.high[end]), abs=1e-4)


def test_learning_keeps_how_products_fare_and_what_is_usual(learned):
    session, shop_id = learned

    assert shop_usual_delivery(session, shop_id) == ASSUMED
    assert product_health(session, shop_id, PRODUCTS[:1])[PRODUCTS[0]].sold > 0
