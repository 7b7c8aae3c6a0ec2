"""What may be tried without evidence: of the same line, another kind, and hardly sold; kept beside the evidence."""

import json

import numpy as np
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion
from sqlalchemy import select, update

from shopify_upsell.database import bind_shop
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.products import products_from_table
from shopify_upsell.matrix.store import MatrixBuild, MatrixRow, companions_of, evidence_for, replace_kinds
from shopify_upsell.matrix.tally import tally_of
from shopify_upsell.matrix.untried import MOST_UNTRIED, UNTRIED_SCORE, untried_companions

NOTHING = np.zeros(0, dtype=np.int64)
HEEL, CARE = "Heel & Co", "Care Ltd"


def a_catalogue(*rows):
    """Products from (id, brand, type)."""
    ids, brands, types = zip(*rows, strict=True)
    return products_from_table({"id": ids, "brand": brands, "subcategory": types})


def sold(orders=0, **each):
    """Counts of a shop in which products were sold so often and never met; names are p1, p2 ..."""
    return tally_of(orders, {int(name[1:]): n for name, n in each.items()}, NOTHING, NOTHING, NOTHING)


def untried_for(session, shop_id, anchors):
    return evidence_for(session, shop_id, anchors, with_untried=True).untried


def tried(rows, product):
    return [one.product_id for one in rows.get(product, ())]


SHOES = a_catalogue((1, HEEL, "Boots"), (2, HEEL, "Boots"), (3, HEEL, "Care"), (4, CARE, "Care"), (5, "", "Care"))


def test_a_new_shop_tries_the_same_brand_of_another_kind_and_nothing_else():
    rows = untried_companions(SHOES, sold(), {})

    assert {product: tried(rows, product) for product in range(1, 6)} == {1: [3], 2: [3], 3: [1, 2], 4: [], 5: []}
    assert rows[1] == (Companion(3, 0, 0, 0, 0, UNTRIED_SCORE),)


def test_products_that_sell_and_do_not_meet_are_not_untried():
    both_sell = untried_companions(SHOES, sold(100, p1=40, p2=40, p3=40), {})
    one_is_new = untried_companions(SHOES, sold(100, p1=40, p2=40, p3=9), {})

    assert both_sell == {}
    assert (tried(one_is_new, 1), tried(one_is_new, 3)) == ([3], [1, 2])
    assert one_is_new[1][0].companion_count == 9


def test_what_has_evidence_is_not_tried():
    rows = untried_companions(SHOES, sold(), {3: (a_companion(1),)})

    assert tried(rows, 3) == [2]


def test_a_few_are_kept_the_more_sold_first_and_among_equals_in_turn():
    line = a_catalogue(*((number, HEEL, f"type {number}") for number in range(1, 9)))

    rows = untried_companions(line, sold(20, p7=3), {})

    assert tried(rows, 1) == [7, 2, 3, 4]
    assert tried(rows, 6) == [7, 8, 1, 2]
    assert all(len(row) == MOST_UNTRIED for row in rows.values())


def test_they_are_kept_under_their_label_and_are_no_evidence(session, shop_id):
    row, cold = (a_companion(SOCKS, 0.3),), (a_companion(WAX, 1e-6, pair_count=0, companion_count=0),)
    alone = Companion(LACES, 0, 0, 2, 1000, 1e-6)

    build = MatrixBuild(1, NOW, 1000, 4, 1)
    replace_kinds(session, shop_id, build, {"with": {BOOTS: row}}, {BOOTS: cold, WAX: (alone,)})

    assert companions_of(session, shop_id, [BOOTS, WAX]) == {BOOTS: row}
    assert untried_for(session, shop_id, [BOOTS, WAX, LACES]) == {BOOTS: cold, WAX: (alone,)}
    text = session.scalar(select(MatrixRow.companions).where(MatrixRow.product_id == BOOTS))
    assert json.loads(text)["cold_start"] == [[WAX, 0, 0, 1e-6]]


def test_rows_of_builds_before_the_label_have_nothing_to_try(session, shop_id):
    replace_kinds(session, shop_id, MatrixBuild(1, NOW, 1000, 4, 1), {"with": {BOOTS: (a_companion(SOCKS, 0.3),)}})
    old = '{"anchor":60,"baskets":1000,"companions":[[2,30,80,0.3]]}'
    session.execute(update(MatrixRow).where(MatrixRow.shop_id == shop_id).values(companions=old))

    assert untried_for(session, shop_id, [BOOTS]) == {}
    assert companions_of(session, shop_id, [BOOTS]) == {BOOTS: (a_companion(SOCKS, 0.3),)}


def test_a_process_remembers_them_until_the_next_build(database):
    with database.write() as session:
        shop_id = add_shop(session)
    cold = (a_companion(WAX, 1e-6, pair_count=0),)

    def learned(version, untried):
        with database.write() as session:
            bind_shop(session, shop_id)
            replace_kinds(session, shop_id, MatrixBuild(version, NOW, 1000, 4, 1), {}, untried)

    def seen():
        with database.read() as session:
            bind_shop(session, shop_id)
            return untried_for(session, shop_id, [BOOTS])

    learned(1, {BOOTS: cold})
    assert (seen(), seen()) == ({BOOTS: cold}, {BOOTS: cold})
    learned(2, {})
    assert seen().get(BOOTS, ()) == ()
