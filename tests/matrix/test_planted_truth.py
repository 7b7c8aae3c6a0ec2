from __future__ import annotations

from bench.planted import planted_recall, planted_shop


def test_planted_sequences_are_found_with_their_window_in_a_shop_of_two_thousand_customers():
    recall = planted_recall(planted_shop(customer_count=2_000, seed=41))

    assert recall.sequence >= 0.8
    assert recall.wrongly_suppressed <= 0.02
