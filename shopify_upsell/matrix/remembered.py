"""What a process remembers of the newest evidence, so that a busy page does not read it again and again.

Pure but for its own state: callers bring the clock. Rows are kept by (shop, build, kind, product), the least lately
asked for go first, and a shop's newest build is believed for a few seconds before it is asked for again.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar

from shopify_upsell.core import ProductId, ShopId

T = TypeVar("T")

MOST_ROWS = 2_000
"""Rows of up to 50 companions, about 10 KB each in memory: 20 MB a process at most."""

MOST_SHOPS = 10_000

FRESH_SECONDS = 5.0
"""How long another process may serve the last build after a new one. Our choice: learning itself waits minutes."""

Build = tuple[int, datetime | None]
"""Version and time: a shop that was erased and came back counts its versions from 1 again."""


class RememberedRows(Generic[T]):
    """Rows of evidence, each a tuple of pieces, shared by the threads of one process."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._lock = Lock()
        self._builds: OrderedDict[ShopId, tuple[Build, float]] = OrderedDict()
        self._rows: OrderedDict[tuple[ShopId, Build, str, ProductId], tuple[T, ...]] = OrderedDict()

    def find(
        self, shop_id: ShopId, kind: str, anchor_ids: Sequence[ProductId], *, clock: float
    ) -> tuple[int, dict[ProductId, tuple[T, ...]]] | None:
        """Give the version and the anchors' rows, if all are remembered and the build is fresh.

        Units: `clock` in seconds that never go back.
        """
        with self._lock:
            known = self._builds.get(shop_id)
            if known is None or known[1] < clock:
                return None
            build = known[0]
            found: dict[ProductId, tuple[T, ...]] = {}
            for anchor_id in anchor_ids:
                key = (shop_id, build, kind, anchor_id)
                row = self._rows.get(key)
                if row is None:
                    return None
                self._rows.move_to_end(key)
                if row:
                    found[anchor_id] = row
            return build[0], found

    def keep(
        self, shop_id: ShopId, build: Build, kind: str, rows: Mapping[ProductId, tuple[T, ...]], *, clock: float
    ) -> None:
        """Remember rows that were read just now; an empty row says that there is none."""
        with self._lock:
            self._builds[shop_id] = (build, clock + FRESH_SECONDS)
            self._builds.move_to_end(shop_id)
            for anchor_id, row in rows.items():
                self._rows[(shop_id, build, kind, anchor_id)] = row
                self._rows.move_to_end((shop_id, build, kind, anchor_id))
            while len(self._rows) > self._most_rows:
                self._rows.popitem(last=False)
            while len(self._builds) > MOST_SHOPS:
                self._builds.popitem(last=False)

    def forget(self, shop_id: ShopId) -> None:
        """Drop what is known of a shop: after a build of this process, and where versions begin anew."""
        with self._lock:
            self._builds.pop(shop_id, None)
            for key in [key for key in self._rows if key[0] == shop_id]:
                del self._rows[key]

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._builds.clear()
            self._rows.clear()
