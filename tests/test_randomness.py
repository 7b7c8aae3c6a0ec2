"""Random bytes taken from blocks: as long as asked, in the right alphabet, and none is ever handed out twice."""

import base64
import os
import re
import threading
from collections import Counter

import pytest

from shopify_upsell.randomness import BLOCK_BYTES, RandomBytes


@pytest.mark.parametrize("count", [1, 15, 16, 18, 32])
def test_texts_have_their_length_and_alphabet(count):
    source = RandomBytes()
    in_hex = [source.hex(count) for _ in range(200)]
    in_base64 = [source.urlsafe(count) for _ in range(200)]

    assert all(re.fullmatch(rf"[0-9a-f]{{{2 * count}}}", text) for text in in_hex)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", text) for text in in_base64)
    assert {len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in in_base64} == {count}


def test_all_bytes_come_and_in_about_equal_numbers():
    source = RandomBytes()
    counts = Counter(b"".join(source.take(1000) for _ in range(256)))

    # Each of 256 values is expected 1,000 times, give or take 32; eight times that is never seen.
    assert len(counts) == 256
    assert all(750 < count < 1250 for count in counts.values())


@pytest.mark.parametrize("count", [1, 7, 16, 1000, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_across_the_end_of_a_block_no_take_is_short_and_none_is_repeated(count):
    source = RandomBytes()

    taken = [source.take(count) for _ in range(3 * BLOCK_BYTES // count + 3)]

    assert {len(one) for one in taken} == {count}
    if count >= 16:
        assert len(set(taken)) == len(taken)


def test_takes_of_changing_lengths_are_never_short():
    source = RandomBytes()
    lengths = [1 + number * 37 % 512 for number in range(500)]

    assert [len(source.take(length)) for length in lengths] == lengths


def test_of_sixteen_threads_no_two_are_given_the_same():
    source, found = RandomBytes(), [[] for _ in range(16)]
    start = threading.Barrier(16)

    def take(mine):
        start.wait(10)
        mine.extend(source.hex(8) for _ in range(2000))

    threads = [threading.Thread(target=take, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len({text for mine in found for text in mine}) == 16 * 2000


def in_a_child(work):
    """What a forked child finds; it ends without running anything else of ours."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, work())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_is_never_given_what_its_parent_or_its_sibling_is_given_next():
    source = RandomBytes()
    source.take(16)  # a block is begun, and both would go on in it

    one, two = in_a_child(lambda: source.take(64)), in_a_child(lambda: source.take(64))
    own = source.take(64)

    assert [len(told) for told in (one, two, own)] == [64, 64, 64]
    assert len({one, two, own}) == 3
    pieces = [told[at : at + 8] for told in (one, two, own) for at in range(57)]
    assert len(set(pieces)) == len(pieces)
    again = source.take(64)
    assert again not in (one, two, own)
