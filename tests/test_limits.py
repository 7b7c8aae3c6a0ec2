"""Token buckets: how much a caller may do at once and in time, and that no caller uses up another's."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shopify_upsell.limits import MOST_BUCKETS, RateLimiter, network_of


def allowed(limiter, key, count, moment):
    return sum(limiter.allows(key, moment=moment) for _ in range(count))


def test_a_burst_is_allowed_and_nothing_beyond_it():
    limiter = RateLimiter(rate=2, burst=5)

    assert allowed(limiter, "one", 20, moment=100.0) == 5


def test_tokens_come_back_at_the_rate_and_never_beyond_the_burst():
    limiter = RateLimiter(rate=2, burst=5)
    allowed(limiter, "one", 5, moment=100.0)

    assert allowed(limiter, "one", 20, moment=100.49) == 0
    assert allowed(limiter, "one", 20, moment=101.5) == 3
    assert allowed(limiter, "one", 20, moment=10_000.0) == 5


def test_a_refused_request_costs_nothing():
    limiter = RateLimiter(rate=1, burst=1)
    allowed(limiter, "one", 1, moment=0.0)

    for moment in (0.2, 0.4, 0.6, 0.8):
        assert not limiter.allows("one", moment=moment)
    assert limiter.allows("one", moment=1.0)


def test_one_callers_flood_leaves_another_alone():
    limiter = RateLimiter(rate=1, burst=3)

    assert allowed(limiter, "flood", 1000, moment=0.0) == 3
    assert allowed(limiter, "other", 3, moment=0.0) == 3


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten_first():
    limiter = RateLimiter(rate=0.001, burst=1)
    limiter.allows("first", moment=0.0)
    limiter.allows("second", moment=0.0)
    for number in range(MOST_BUCKETS - 2):
        limiter.allows(f"key {number}", moment=0.0)

    assert not limiter.allows("first", moment=0.0), "seen again, so it is now the newest"
    limiter.allows("one too many", moment=0.0)

    assert not limiter.allows("first", moment=0.0)
    assert limiter.allows("second", moment=0.0), "forgotten, so its bucket is full again"
    assert len(limiter._buckets) == MOST_BUCKETS


def test_threads_together_get_no_more_than_the_burst():
    limiter = RateLimiter(rate=0.001, burst=100)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: limiter.allows("one"), range(1000)))

    assert sum(outcomes) == 100


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113"), ("203.0.113.255", "203.0.113"), ("203.0.114.7", "203.0.114"),
        ("2001:db8:1:2::3", "2001:db8:1"), ("2001:db8:1:ffff::9", "2001:db8:1"), ("2001:db8:2::1", "2001:db8:2"),
        ("", ""),
    ],
)  # fmt: skip
def test_addresses_of_one_network_share_a_bucket(address, network):
    assert network_of(address) == network
