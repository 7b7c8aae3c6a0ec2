"""One POST to Shopify: bounded in time, bounded in size, never redirected.

The timeouts of `requests` bound each read, not the call: a peer that drips a byte a second would hold a worker for
ever. So a watchdog cuts the connection when the call as a whole takes too long.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from shopify_upsell.gateway.failures import AnswerTooLarge, ShopifyUnreachable

CONNECT_SECONDS, READ_SECONDS, CALL_SECONDS = 3.0, 10.0, 10.0
MOST_ANSWER_BYTES = 10 * 1024 * 1024
CHUNK = 64 * 1024
RETRY_AFTER = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer. Header names are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large one call may be. Units: seconds, bytes."""

    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    call_seconds: float = CALL_SECONDS
    most_bytes: int = MOST_ANSWER_BYTES


class _Watchdog:
    """Shuts every socket of the current call down when its time is over."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._sockets: list[socket.socket] = []
        self.has_bitten = False

    def __enter__(self) -> "_Watchdog":
        self._token = _current.set(self)
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        _current.reset(self._token)

    def watch(self, sock: socket.socket | None) -> None:
        if sock is not None:
            self._sockets.append(sock)

    def _cut(self) -> None:
        self.has_bitten = True
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                # Past the TLS layer: its own shutdown would pull the session from under the reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_current: ContextVar[_Watchdog | None] = ContextVar("watchdog", default=None)


class _Watched:
    """Mixed into a connection: shows its socket to the watchdog before it waits for an answer."""

    sock: socket.socket | None

    def getresponse(self) -> Any:
        watchdog = _current.get()
        if watchdog is not None:
            watchdog.watch(self.sock)
        return super().getresponse()  # type: ignore[misc]


class _WatchedHttp(_Watched, HTTPConnection):
    pass


class _WatchedHttps(_Watched, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHttps


class _WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def new_session() -> requests.Session:
    """A session whose connections the watchdog can cut. One session serves one thread."""
    session = requests.Session()
    session.max_redirects = 0
    for scheme in ("https://", "http://"):
        session.mount(scheme, _WatchedAdapter(max_retries=0))
    return session


def post(session: requests.Session, url: str, *, headers: Mapping[str, str], body: bytes, limits: Limits) -> HttpAnswer:
    """Send the body and read the whole answer.

    Raises: ShopifyUnreachable; AnswerTooLarge.
    """
    watchdog = _Watchdog(limits.call_seconds)
    try:
        with watchdog, _open(session, url, headers, body, limits) as response:
            answer = HttpAnswer(response.status_code, response.headers, _read(response, limits.most_bytes))
    except (requests.RequestException, HTTPError, OSError) as broken:
        # The message of the cause names our own addresses at most; the cause itself may hold the request's headers.
        raise ShopifyUnreachable(f"no answer: {type(broken).__name__}", after=RETRY_AFTER) from None
    if watchdog.has_bitten:
        raise ShopifyUnreachable("the answer took too long", after=RETRY_AFTER)
    return answer


@contextlib.contextmanager
def _open(
    session: requests.Session, url: str, headers: Mapping[str, str], body: bytes, limits: Limits
) -> Iterator[requests.Response]:
    response = session.post(
        url,
        data=body,
        headers=dict(headers),
        timeout=(limits.connect_seconds, limits.read_seconds),
        allow_redirects=False,
        stream=True,
    )
    try:
        yield response
    finally:
        response.close()


def _read(response: requests.Response, most_bytes: int) -> bytes:
    """Read what was sent, unpacked; stop as soon as it is too much, so that a small bomb cannot become a large one."""
    parts, size = [], 0
    for part in response.iter_content(CHUNK):
        size += len(part)
        if size > most_bytes:
            raise AnswerTooLarge("the answer exceeds the limit")
        parts.append(part)
    return b"".join(parts)
