"""Waiting for what other threads do."""

import time

SOON = 20.0


def until(condition):
    """Wait until something is so."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.0005)
