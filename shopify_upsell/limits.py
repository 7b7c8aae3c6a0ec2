"""Rate limits of public routes: token buckets in the process, so that one caller cannot use up a shop's share.

Several processes each keep their own buckets: the limit is a bound on harm, not an accounting.
"""

import threading
import time
from collections import OrderedDict

MOST_BUCKETS = 10_000


class RateLimiter:
    """Token buckets by key. Units: `rate` requests a second, bursts of up to `burst`."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, key: str, *, moment: float | None = None) -> bool:
        """Take one token; False when the bucket is empty. `moment` is a monotonic time in seconds."""
        now = time.monotonic() if moment is None else moment
        with self._lock:
            tokens, then = self._buckets.pop(key, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate)
            is_allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if is_allowed else tokens, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return is_allowed


def network_of(address: str) -> str:
    """The network a caller comes from: an IPv4 /24, an IPv6 /48, so that one person's addresses share a bucket."""
    if ":" in address:
        return ":".join(address.split(":")[:3])
    return ".".join(address.split(".")[:3])
