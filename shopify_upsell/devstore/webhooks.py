"""Deliver webhooks as Shopify does: signed, at least once, in no certain order, and again when the app is ill.

A delivery is signed and fixed when its event fires; a retry carries the same bytes and the same webhook id.
"""

import base64
import hashlib
import heapq
import hmac
import json
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import requests

from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.subscriptions import Subscriptions, cut_down

LOG_LENGTH = 500


@dataclass(slots=True)
class Delivery:
    """One signed request on its way. `copy_of` marks a planted duplicate."""

    number: int
    topic: str
    url: str
    body: bytes
    headers: dict[str, str]
    attempts: int = 0
    state: str = "pending"
    status: int | None = None
    copy_of: int | None = None

    def summary(self) -> dict[str, object]:
        """What the delivery log shows. No body: it may carry a person's name."""
        return {
            "number": self.number,
            "topic": self.topic,
            "webhook_id": self.headers["X-Shopify-Webhook-Id"],
            "event_id": self.headers["X-Shopify-Event-Id"],
            "attempts": self.attempts,
            "state": self.state,
            "status": self.status,
            "copy_of": self.copy_of,
        }


def sign_body(body: bytes, secret: str) -> str:
    """Sign raw bytes for X-Shopify-Hmac-Sha256."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


@dataclass(slots=True)
class _Queue:
    """Deliveries by the monotonic time they are due."""

    heap: list[tuple[float, int, Delivery]] = field(default_factory=list)
    pending: int = 0


class Deliveries:
    """The delivery desk of one shop. Threads start with the first delivery and stop with `close`."""

    def __init__(self, config: DevstoreConfig, subscriptions: Subscriptions) -> None:
        self.config = config
        self.subscriptions = subscriptions
        self.log: deque[Delivery] = deque(maxlen=LOG_LENGTH)
        self.counts: Counter[str] = Counter()
        self._random = Random(config.seed)  # noqa: S311 - repeatable mischief, not secrecy
        self._queue = _Queue()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._number = 0

    def announce(self, topic: str, body: Mapping[str, object], triggered_at: datetime, event_id: str) -> None:
        """Queue one delivery for each subscription to the topic, and now and then a duplicate."""
        for subscription in self.subscriptions.of(topic):
            raw = json.dumps(cut_down(body, subscription.include_fields)).encode()
            headers = self._headers(topic, raw, triggered_at, event_id)
            url = subscription.uri if "://" in subscription.uri else self.config.app_url + subscription.uri
            with self._changed:
                first = self._push(Delivery(self._next_number(), topic, url, raw, headers), self._delay())
                if self._random.random() < self.config.duplicate_rate:
                    self.counts["duplicated"] += 1
                    copy = Delivery(self._next_number(), topic, url, raw, dict(headers), copy_of=first.number)
                    self._push(copy, self._delay())
                self._start_threads()
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is pending. Tells whether that happened in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._queue.pending == 0, timeout)

    def close(self) -> None:
        """Stop the threads; what is pending stays undelivered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(self.config.webhook_timeout + 1)

    def state(self) -> dict[str, object]:
        """Count deliveries and list the latest."""
        with self._changed:
            counts = {key: self.counts[key] for key in ("delivered", "retried", "failed", "duplicated")}
            return {**counts, "pending": self._queue.pending, "log": [delivery.summary() for delivery in self.log]}

    def _headers(self, topic: str, raw: bytes, triggered_at: datetime, event_id: str) -> dict[str, str]:
        nanoseconds = triggered_at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{triggered_at.microsecond:06d}000Z"
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": sign_body(raw, self.config.api_secret),
            "X-Shopify-Shop-Domain": self.config.shop_domain,
            "X-Shopify-API-Version": self.subscriptions.api_version,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": nanoseconds,
        }

    def _delay(self) -> float:
        """How long Shopify dawdles: a little to break the order, sometimes long to be late."""
        delay = self._random.random() * self.config.shuffle_seconds
        if self._random.random() < self.config.late_rate:
            delay += self.config.late_seconds
        return delay

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _push(self, delivery: Delivery, delay: float) -> Delivery:
        heapq.heappush(self._queue.heap, (time.monotonic() + delay, delivery.number, delivery))
        self._queue.pending += 1
        self.log.append(delivery)
        return delivery

    def _start_threads(self) -> None:
        if self._threads or self._closed:
            return
        for at in range(self.config.webhook_workers):
            thread = threading.Thread(target=self._work, name=f"webhooks-{at}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        with requests.Session() as session:
            while (delivery := self._take()) is not None:
                status = self._send(session, delivery)
                self._settle(delivery, status)

    def _take(self) -> Delivery | None:
        """Wait for the next due delivery; nothing when the desk closes."""
        with self._changed:
            while not self._closed:
                due = self._queue.heap[0][0] - time.monotonic() if self._queue.heap else None
                if due is not None and due <= 0:
                    return heapq.heappop(self._queue.heap)[2]
                self._changed.wait(due)
            return None

    def _send(self, session: requests.Session, delivery: Delivery) -> int | None:
        delivery.attempts += 1
        # Shopify gives 1 s to connect and 5 s in all; a redirect counts as a failure.
        timeout = (min(1.0, self.config.webhook_timeout), self.config.webhook_timeout)
        try:
            answer = session.post(
                delivery.url, data=delivery.body, headers=delivery.headers, timeout=timeout, allow_redirects=False
            )
        except requests.RequestException:
            return None
        return answer.status_code

    def _settle(self, delivery: Delivery, status: int | None) -> None:
        with self._changed:
            delivery.status = status
            if status is not None and 200 <= status < 300:
                self._finish(delivery, "delivered")
            elif delivery.attempts > len(self.config.retry_delays):
                self._finish(delivery, "failed")
            else:
                self.counts["retried"] += 1
                due = time.monotonic() + self.config.retry_delays[delivery.attempts - 1]
                heapq.heappush(self._queue.heap, (due, delivery.number, delivery))
            self._changed.notify_all()

    def _finish(self, delivery: Delivery, state: str) -> None:
        delivery.state = state
        self.counts[state] += 1
        self._queue.pending -= 1


def new_event_id() -> str:
    """Name one action of a buyer or merchant; every delivery it causes carries this id."""
    return str(uuid.uuid4())
