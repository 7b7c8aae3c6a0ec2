from __future__ import annotations

import numpy as np
import pytest
from builders_matrix import DAY, lines_from

from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.ladders import content_of, ladders_of
from shopify_upsell.matrix.products import products_from_table
from shopify_upsell.matrix.replenishment import learn_replenishment


def test_a_ladder_climbs_within_the_family_and_within_reach():
    products = products_from_table(
        {
            "id": [1, 2, 3, 4],
            "title": ["Oil 250 ml", "Oil 0.5 l", "Oil 5 l", "Vinegar 500 ml"],
            "family": ["Oil", "Oil", "Oil", "Vinegar"],
            "price": [1_000, 1_600, 9_000, 1_500],
        }
    )

    rungs = ladders_of(products)

    assert [(rung.product, rung.above, rung.extra_price) for rung in rungs] == [(0, 1, 600)]
    assert rungs[0].saving_rate == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("title", "content"), [("Oil 1.5 L", (1500.0, "ml")), ("60 capsules", (60.0, "count")), ("Oil", None)]
)
def test_content_is_read_from_the_title(title, content):
    assert content_of(title) == content


def test_the_interval_between_purchases_is_pulled_to_the_shops_norm():
    rows = [(customer * 10 + visit, customer, visit * 30 * DAY, 1) for customer in range(20) for visit in range(3)]

    rhythm = learn_replenishment(baskets_from_lines(lines_from(rows), now=90 * DAY))

    assert np.allclose(rhythm.interval_days, [30.0])
    assert (rhythm.gap_count.tolist(), rhythm.buyer_count.tolist()) == ([40], [20])
