"""What a process remembers for a few seconds, so that a busy page does not read the same rows again and again.

The caller brings the clock, in seconds that never go back. Values must be immutable: every thread gets the same one.
"""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ShortMemory(Generic[Key, Value]):
    """A few values by key, each believed for a while; the least lately used go first.

    Units: `seconds` that a value is believed.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._lock = Lock()
        self._held: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def find(self, key: Key, *, clock: float) -> Value | None:
        """The value, unless it is unknown or too old."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            if held[1] < clock:
                del self._held[key]
                return None
            self._held.move_to_end(key)
            return held[0]

    def keep(self, key: Key, value: Value, *, clock: float) -> None:
        """Remember a value that was read or made just now."""
        with self._lock:
            self._held[key] = (value, clock + self._seconds)
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Drop one value, if it is held."""
        with self._lock:
            self._held.pop(key, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._held.clear()
