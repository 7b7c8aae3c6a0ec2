from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.matrix.counts import OrderState, PairCounts, rebuild_counts

MESSAGES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 5), st.frozensets(st.integers(1, 6), max_size=4)), max_size=25
)


@given(messages=MESSAGES, data=st.data())
def test_incremental_counts_equal_a_rebuild_in_any_order_and_with_repeats(messages, data):
    arrived = data.draw(st.permutations(messages + messages[: len(messages) // 2]))
    counts = PairCounts()

    for order_id, version, products in arrived:
        counts.record_order(order_id, products, version=version)

    rebuilt = rebuild_counts((order_id, OrderState(version, products)) for order_id, version, products in messages)
    assert (counts.product_count, counts.pair_count) == (rebuilt.product_count, rebuilt.pair_count)


def test_a_refund_takes_its_pairs_back():
    counts = PairCounts()
    counts.record_order(1, [5, 6, 7], version=1)

    touched = counts.record_order(1, [5, 6], version=2)

    assert touched == {5, 6, 7}
    assert (counts.count_of(6, 5), counts.count_of(5, 7)) == (1, 0)


def test_an_old_message_changes_nothing():
    counts = PairCounts()
    counts.record_order(1, [5], version=3)

    assert counts.record_order(1, [5, 6], version=2) == frozenset()
    assert counts.product_count == {5: 1}
