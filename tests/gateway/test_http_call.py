"""One call against a real server on this machine that drips, stalls, cuts off, redirects and swells."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from shopify_upsell.gateway.admin_api import AdminClient
from shopify_upsell.gateway.failures import AnswerTooLarge, ShopifyUnreachable
from shopify_upsell.gateway.http_call import MOST_ANSWER_BYTES, Limits, new_session, post

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
QUICK = Limits(connect_seconds=0.5, read_seconds=0.5, call_seconds=1.0)


class Peer:
    """Counts what came in, and answers each connection with a script."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            self.requests.append(connection.recv(65536))
            try:
                self.script(connection)
            except OSError:
                return


@contextmanager
def a_peer(script: Callable[[socket.socket], None]) -> Iterator[Peer]:
    peer = Peer(script)
    thread = threading.Thread(target=peer.serve, daemon=True)
    thread.start()
    yield peer
    peer.stopping.set()
    peer.listener.shutdown(socket.SHUT_RDWR)
    peer.listener.close()
    thread.join(timeout=5)


def drip(text: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    return script


def send(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


def call(peer: Peer, limits: Limits = QUICK) -> bytes:
    with new_session() as session:
        return post(session, f"{peer.origin}/x", headers={"X-Token": "secret"}, body=b"{}", limits=limits).body


def test_whole_answer_is_returned() -> None:
    with a_peer(send(HEAD + b"Content-Length: 2\r\n\r\n{}")) as peer:
        assert call(peer) == b"{}"


def test_two_calls_of_one_session_share_a_connection() -> None:
    def twice(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        connection.recv(65536)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n[]")

    with a_peer(twice) as peer, new_session() as session:
        bodies = [post(session, peer.origin, headers={}, body=b"", limits=QUICK).body for _ in range(2)]

        assert bodies == [b"{}", b"[]"]
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "script",
    [
        drip(HEAD + b"Content-Length: 2\r\n\r\n{}"),
        drip(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1000),
        lambda connection: (connection.sendall(HEAD + b"Content-Length: 600\r\n\r\n"), drip(b"x" * 600)(connection)),
        lambda connection: (
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
            drip(b"1\r\nx\r\n" * 100)(connection),
        ),
        lambda connection: time.sleep(3),
    ],
    ids=["everything", "a header", "the body", "chunks", "nothing"],
)
def test_peer_that_drips_cannot_hold_a_worker(script: Callable[[socket.socket], None]) -> None:
    with a_peer(script) as peer:
        started = time.monotonic()
        with pytest.raises(ShopifyUnreachable):
            call(peer)

        assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        HEAD + b"Content-Length: 50\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"not HTTP at all\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
    ],
    ids=["closed", "cut body", "cut chunk", "no HTTP", "no gzip"],
)
def test_answer_that_breaks_off_is_for_later(answer: bytes) -> None:
    with a_peer(send(answer)) as peer, pytest.raises(ShopifyUnreachable):
        call(peer)


def test_nobody_listening_is_for_later() -> None:
    with a_peer(send(b"")) as peer:
        pass
    with pytest.raises(ShopifyUnreachable):
        call(peer)


def test_redirect_is_not_followed_and_the_token_stays_at_home() -> None:
    with a_peer(send(HEAD + b"Content-Length: 2\r\n\r\n{}")) as elsewhere:
        location = f"HTTP/1.1 301 Moved\r\nLocation: {elsewhere.origin}/meta-data\r\nContent-Length: 0\r\n\r\n"
        with a_peer(send(location.encode())) as peer:
            client = AdminClient("one.myshopify.com", "shpat_x", peer.origin, limits=QUICK)
            with pytest.raises(ShopifyUnreachable):
                client.run("boot")

        assert len(peer.requests) == 1
        assert elsewhere.requests == []


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def test_endless_answer_is_cut_at_ten_megabytes() -> None:
    with a_peer(endless) as peer, pytest.raises(AnswerTooLarge):
        call(peer, Limits(call_seconds=20))
    assert MOST_ANSWER_BYTES == 10 * 1024 * 1024


def test_small_gzip_that_unpacks_to_fifty_megabytes_is_cut_too() -> None:
    bomb = gzip.compress(b"0" * (50 * 1024 * 1024), compresslevel=9, mtime=0)
    head = HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()

    with a_peer(send(head + bomb)) as peer, pytest.raises(AnswerTooLarge):
        call(peer, Limits(call_seconds=20))
