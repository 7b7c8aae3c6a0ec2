"""Random bytes in small amounts, asked of the operating system in bulk: every call to it gives other threads the turn.

Source of the bytes: `os.urandom`. A child process never hands out what is left of its parent's.
"""

import base64
import os
import threading

BLOCK_BYTES = 4096


class RandomBytes(threading.local):
    """Bytes of which none is ever handed out twice. Each thread has a block of its own, so that none waits."""

    def __init__(self) -> None:
        self._block, self._at, self._owner = b"", 0, os.getpid()

    def take(self, count: int) -> bytes:
        """So many bytes. Raises: ValueError for more than BLOCK_BYTES."""
        if count > BLOCK_BYTES:
            raise ValueError(f"at most {BLOCK_BYTES} bytes at once")
        if self._at + count > len(self._block) or self._owner != os.getpid():
            self._block, self._at, self._owner = os.urandom(BLOCK_BYTES), 0, os.getpid()
        taken = self._block[self._at : self._at + count]
        self._at += count
        return taken

    def hex(self, count: int) -> str:
        """So many bytes in lower-case hex."""
        return self.take(count).hex()

    def urlsafe(self, count: int) -> str:
        """So many bytes in base64url, without padding."""
        return base64.urlsafe_b64encode(self.take(count)).rstrip(b"=").decode()
