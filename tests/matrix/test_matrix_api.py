from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders_matrix import DAY, NOW, a_catalogue, a_shop, lines_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_upsell.matrix import Matrix, MerchantWord, OrderLines, learn, load, save

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_IDS = st.lists(st.integers(0, 13).map(lambda place: place * 7 + 3), max_size=8)
SOME_QUERIES = [[3], [10, 17], [], [3, 24, 80]]


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return learn(a_shop(), a_catalogue(unavailable=(17,)), now=NOW)


def asked(matrix: Matrix) -> list[object]:
    histories = [[10], [3, 31], [45], []]
    return [
        matrix.complete(SOME_QUERIES, limit=8),
        matrix.next(SOME_QUERIES, histories, at=NOW, limit=8),
        matrix.timing(3, 10),
        matrix.negative_edges(),
        matrix.explain(10, 3),
    ]


@given(basket=ANY_IDS, history=ANY_IDS, limit=st.integers(1, 20))
@QUICK
def test_no_answer_is_in_the_basket_or_the_history_or_out_of_stock(matrix, basket, history, limit):
    completed = {companion.product_id for companion in matrix.complete([basket], limit=limit)[0]}
    stepped = {companion.product_id for companion in matrix.next([basket], [history], at=NOW, limit=limit)[0]}

    assert not completed & (set(basket) | {17})
    assert not stepped & (set(basket) | set(history) | {17})


@given(blocked=st.sets(st.tuples(st.sampled_from([3, 10, 24]), st.sampled_from([31, 38, 45])), max_size=5))
@QUICK
def test_what_the_merchant_blocks_is_never_returned_for_its_anchor(matrix, blocked):
    told = matrix.with_merchant(MerchantWord(blocked=frozenset(blocked)))

    for anchor in (3, 10, 24):
        answers = told.complete([[anchor]], limit=12)[0] + told.next([[anchor]], [[]], at=NOW, limit=12)[0]
        assert not {(anchor, companion.product_id) for companion in answers} & blocked


def test_a_pinned_pair_comes_first_and_the_rest_keep_their_order(matrix):
    plain = [companion.product_id for companion in matrix.complete([[3]], limit=8)[0]]

    pinned = matrix.with_merchant(MerchantWord(pinned=frozenset({(3, plain[-1])})))

    told = [companion.product_id for companion in pinned.complete([[3]], limit=8)[0]]
    assert told == [plain[-1], *plain[:-1]]


@given(factor=st.integers(2, 50), exponent=st.sampled_from([0.0, 0.25, 1.0]))
@QUICK
def test_scaling_prices_at_constant_margin_changes_no_rank(factor, exponent):
    lines = a_shop(customers=20)
    dearer = OrderLines(
        lines.order_id,
        lines.customer_id,
        lines.ordered_at,
        lines.product_id,
        lines.quantity,
        lines.unit_price * factor,
    )

    before = learn(lines, a_catalogue(), now=NOW)
    after = learn(dearer, a_catalogue(price_factor=factor), now=NOW)

    for ask in ("complete", "next"):
        given_lists = [SOME_QUERIES] if ask == "complete" else [SOME_QUERIES, [[], [], [], []]]
        extra = {} if ask == "complete" else {"at": NOW}
        assert getattr(before, ask)(*given_lists, margin_exponent=exponent, **extra) == getattr(after, ask)(
            *given_lists, margin_exponent=exponent, **extra
        )


@given(seed=st.integers(0, 1_000))
@QUICK
def test_the_order_of_the_lines_changes_nothing(seed):
    lines = a_shop(customers=20)
    shuffled = np.random.default_rng(seed).permutation(len(lines))
    moved = OrderLines(*(getattr(lines, name)[shuffled] for name in lines.__dataclass_fields__))

    assert asked(learn(moved, a_catalogue(), now=NOW)) == asked(learn(lines, a_catalogue(), now=NOW))


@given(seed=st.integers(0, 1_000))
@QUICK
def test_the_same_seed_gives_the_same_answers(seed):
    lines = a_shop(customers=20)

    first, second = (asked(learn(lines, now=NOW, seed=seed)) for _ in range(2))

    assert first == second


def test_a_saved_and_loaded_matrix_gives_the_same_answers(matrix, tmp_path: Path):
    save(matrix, tmp_path / "shop.matrix")

    assert asked(load(tmp_path / "shop.matrix")) == asked(matrix)


def test_a_file_of_another_layout_is_refused(tmp_path: Path):
    np.savez(tmp_path / "other.npz", format=np.int64(99))

    with pytest.raises(ValueError, match="layout"):
        load(tmp_path / "other.npz")


def test_orders_after_now_are_not_learned_from():
    early = [(order, order, order * DAY, product) for order in range(30) for product in (1, 2)]
    late = [(100 + order, order, NOW + DAY, product) for order in range(30) for product in (1, 3)]

    matrix = learn(lines_from(early + late), now=NOW)

    assert [companion.product_id for companion in matrix.complete([[1]])[0]] == [2]


def test_a_shop_without_orders_answers_with_the_catalogue_prior_and_says_so():
    matrix = learn(lines_from([]), a_catalogue(), now=NOW)

    answers = matrix.complete([[3]])[0]

    assert answers
    assert {companion.evidence.sources for companion in answers} == {("cold_start",)}


def test_a_shop_without_orders_and_catalogue_answers_with_nothing():
    matrix = learn(lines_from([]), now=NOW)

    assert matrix.complete([[3], []]) == [[], []]
    assert matrix.next([[3]], [[]], at=NOW) == [[]]


def test_baskets_and_histories_of_different_number_are_refused(matrix):
    with pytest.raises(ValueError, match="1 baskets but 2 histories"):
        matrix.next([[3]], [[], []], at=NOW)


def test_evidence_counts_the_orders_that_hold_both():
    rows = [(order, order, order * DAY, product) for order in range(9) for product in (1, 2)]
    rows += [(order, order, order * DAY, 1) for order in range(9, 12)]

    companion = learn(lines_from(rows), now=NOW).complete([[1]])[0][0]

    assert (companion.product_id, companion.evidence.support, companion.evidence.anchor_id) == (2, 9, 1)
    assert companion.evidence.association == pytest.approx(9 / (12 * 9 / 12))


def test_a_new_product_borrows_from_its_family():
    rows = [(order, order, order * DAY, product) for order in range(60) for product in (3, 24)]
    rows += [(100 + order, order, order * DAY, product) for order in range(60) for product in (45, 66)]

    matrix = learn(lines_from(rows), a_catalogue(), now=NOW)

    # Product 10 never sold; it is of product 3's family, whose buyers take 24.
    assert [companion.product_id for companion in matrix.complete([[10]])[0]][:1] == [24]
