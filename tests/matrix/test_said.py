"""Words on pairs: the merchant's wins over what was learned, is logged, and lasts until it is taken back."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from builders_offers import BOOTS, BRUSH, SOCKS, WAX, a_companion, a_product, a_request, add_products, an_edge

from shopify_upsell.core import DecisionId, InvalidInput
from shopify_upsell.matrix.said import blocks_in_force
from shopify_upsell.matrix.store import (
    MatrixBuild,
    merchant_words,
    replace_learned_words,
    replace_rows,
    say,
    take_back,
    words_on,
)
from shopify_upsell.matrix.upkeep import learn_shop
from shopify_upsell.offers.decide import decide
from shopify_upsell.offers.explain import explain_decision
from shopify_upsell.offers.setup import create_default_offers
from shopify_upsell.offers.shelving import MOST_TOLD
from shopify_upsell.shops.store import get_shop

NEVER = {"source": "merchant", "reason": "blocked", "upper_bound": 0.0, "n": 0, "review_at": None, "observed": 0.0}


def blocked(**changes):
    return an_edge(**{**NEVER, "expected": 0.0, **changes})


def look_at_boots(session, shop_id):
    return decide(
        session,
        a_request(BOOTS, shop_id=shop_id),
        now=NOW,
        decision_id=DecisionId("d1"),
        shop=get_shop(session, shop_id),
        holdout_basis_points=0,
    )


def stock(session, shop_id):
    add_products(session, shop_id, *(a_product(number) for number in (BOOTS, SOCKS, WAX)))
    rows = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2))}
    replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 3, 2), rows)
    create_default_offers(session, shop_id, NOW)


def shown(decision):
    return {item.product_id for offer in decision.chosen for item in offer.items}


@pytest.mark.parametrize("reason", ["lifted", "pinned"])
def test_merchant_undoes_a_learned_edge(reason):
    learned = an_edge(BOOTS, SOCKS)

    assert blocks_in_force([learned], now=NOW) == (learned,)
    assert blocks_in_force([learned, blocked(reason=reason)], now=NOW) == ()


def test_learned_edge_blocks_until_its_review_and_a_merchants_for_good():
    words = [an_edge(BOOTS, SOCKS), blocked(companion=WAX)]

    later = blocks_in_force(words, now=NOW + timedelta(days=90))

    assert [word.companion_product_id for word in later] == [WAX]


def test_one_pair_blocks_once_though_both_say_so():
    words = [an_edge(BOOTS, SOCKS), blocked()]

    assert blocks_in_force(words, now=NOW) == (words[1],)


def test_words_are_stored_by_direction_and_shop(session, shop_id):
    other_shop = add_shop(session, "two.myshopify.com")
    say(session, other_shop, blocked(companion=BRUSH), NOW)
    say(session, shop_id, blocked(note="two acids"), NOW)
    learned = an_edge(BOOTS, WAX)
    replace_learned_words(session, shop_id, [learned], NOW)

    assert words_on(session, shop_id, [BOOTS]) == (blocked(note="two acids"), learned)
    assert words_on(session, shop_id, [SOCKS, WAX]) == ()
    assert merchant_words(session, shop_id) == (blocked(note="two acids"),)


def test_merchants_word_is_replaced_by_their_next_one_and_gone_when_taken_back(session, shop_id, caplog):
    caplog.set_level("INFO")
    replace_learned_words(session, shop_id, [an_edge()], NOW)
    say(session, shop_id, blocked(), NOW)
    say(session, shop_id, blocked(reason="lifted"), NOW)

    assert [word.reason for word in merchant_words(session, shop_id)] == ["lifted"]
    said = [record for record in caplog.records if record.message == "merchant_said"]
    assert [record.word for record in said] == ["blocked", "lifted"]

    take_back(session, shop_id, BOOTS, SOCKS, NOW)
    assert words_on(session, shop_id, [BOOTS]) == (an_edge(),)


def test_a_build_replaces_learned_words_and_leaves_the_merchants(session, shop_id):
    replace_learned_words(session, shop_id, [an_edge()], NOW)
    say(session, shop_id, blocked(companion=WAX), NOW)

    learn_shop(session, shop_id, NOW)

    assert words_on(session, shop_id, [BOOTS]) == (blocked(companion=WAX),)


def test_only_a_word_of_the_merchants_vocabulary_is_taken(session, shop_id):
    for word in (blocked(reason="pair"), an_edge()):
        with pytest.raises(InvalidInput):
            say(session, shop_id, word, NOW)

    assert words_on(session, shop_id, [BOOTS]) == ()


def test_refused_pair_is_not_offered_and_the_explanation_has_its_evidence(session, shop_id):
    stock(session, shop_id)
    assert SOCKS in shown(look_at_boots(session, shop_id))
    replace_learned_words(session, shop_id, [an_edge(BOOTS, SOCKS), an_edge(WAX, BRUSH)], NOW)

    decision = look_at_boots(session, shop_id)

    assert SOCKS not in shown(decision)
    assert [edge.companion_product_id for edge in decision.inputs.negative_edges] == [SOCKS]
    text = explain_decision(decision)
    assert "negative_edge" in text
    assert "2 beside 1: 1 later purchases by owners where 20 were expected of this pair, at most 0.28" in text

    say(session, shop_id, blocked(reason="lifted"), NOW)
    assert SOCKS in shown(look_at_boots(session, shop_id))


def test_merchants_block_is_told_with_their_note(session, shop_id):
    stock(session, shop_id)
    say(session, shop_id, blocked(note="two acids"), NOW)

    decision = look_at_boots(session, shop_id)

    assert SOCKS not in shown(decision)
    assert "2 beside 1: the merchant's word (two acids)" in explain_decision(decision)


def test_only_a_few_pairs_that_no_offer_could_make_are_kept_for_the_explanation(session, shop_id):
    stock(session, shop_id)
    crowd = [an_edge(BOOTS, 100 + number, upper_bound=number / 100) for number in range(30)]
    replace_learned_words(session, shop_id, [*crowd, an_edge(BOOTS, SOCKS, upper_bound=0.49)], NOW)

    edges = look_at_boots(session, shop_id).inputs.negative_edges

    assert edges[0].companion_product_id == SOCKS
    assert [edge.companion_product_id for edge in edges[1:]] == list(range(100, 100 + MOST_TOLD))
