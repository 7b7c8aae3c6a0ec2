"""Stars of products: averaged over the reviews that are kept, of this shop alone."""

from datetime import timedelta

from builders_database import NOW, add_shop

from shopify_upsell.core import ProductId
from shopify_upsell.customers.product_ratings import rate_products
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_intake import retain_signals
from shopify_upsell.customers.signal_store import erase_signals_of, record_signals
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.store import product_health

BOOTS, SOCKS = ProductId(1), ProductId(2)


def review(name, stars, product_id=BOOTS, subject="c:9", days_ago=1):
    return Signal("review", subject, NOW - timedelta(days=days_ago), "stars", name, value=stars, product_id=product_id)


def ratings(session, shop_id):
    health = product_health(session, shop_id, [BOOTS, SOCKS])
    return {product_id: (one.rating, one.rating_count) for product_id, one in health.items()}


def test_reviews_of_a_product_are_averaged_and_an_edited_one_counts_as_told_last(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    record_signals(session, other, [review("r1", 5)], NOW)
    told = [review("r1", 1, days_ago=3), review("r2", 4), review("r3", 2, subject="v:abcdefgh"), review("r4", 5, SOCKS)]
    record_signals(session, shop_id, [*told, review("r1", 3)], NOW)
    record_signals(session, shop_id, [review("r5", 1, None)], NOW)

    rate_products(session, shop_id, {BOOTS})

    assert ratings(session, shop_id) == {BOOTS: (3.0, 3)}
    assert ratings(session, other) == {}


def test_a_product_whose_reviews_are_gone_has_no_rating(session, shop_id):
    record_signals(session, shop_id, [review("r1", 1), review("r2", 5, SOCKS, subject="c:8")], NOW)
    rate_products(session, shop_id)
    assert ratings(session, shop_id) == {BOOTS: (1.0, 1), SOCKS: (5.0, 1)}

    erase_signals_of(session, shop_id, "c:9")
    retain_signals(session, Job(1, shop_id, "retain_signals", {}, 1, "lease", NOW))

    assert ratings(session, shop_id) == {BOOTS: (None, 0), SOCKS: (5.0, 1)}
