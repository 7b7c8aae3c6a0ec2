"""Huey carries wake-ups from the web to the workers. A message says only "look"; rows say what to do.

Losing, doubling or delaying a message costs latency, never data: the sweep looks every second anyway.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from huey import Huey, RedisHuey, SqliteHuey
from huey.consumer import Consumer

from shopify_upsell.database import Database
from shopify_upsell.jobs.schedule import tick
from shopify_upsell.jobs.worker import Worker, utc_now

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
TICK_SECONDS = 1.0
DRAIN_SECONDS = 20


def make_huey(redis_url: str | None, var_dir: Path) -> Huey:
    """Redis when a URL is given (any number of machines), else a SQLite file beside the database."""
    if redis_url:
        return RedisHuey("wellpaired", url=redis_url, results=False)
    var_dir.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("wellpaired", filename=str(var_dir / "huey.db"), results=False)


class Wakeup:
    """Sends wake-ups, at most one every few milliseconds, and swallows what goes wrong: the row is stored."""

    LEAST_GAP = 0.005

    def __init__(self, huey: Huey) -> None:
        self.huey = huey
        self._drain: Callable[[], int] = lambda: 0
        self._task = huey.task(name="wake")(self._run)
        self._last = 0.0

    def _run(self) -> None:
        self._drain()

    def listen(self, drain: Callable[[], int]) -> None:
        """Say what a worker does when it is woken."""
        self._drain = drain

    def __call__(self) -> None:
        """Wake a worker."""
        moment = time.monotonic()
        if moment - self._last < self.LEAST_GAP:
            return
        self._last = moment
        try:
            self._task()
        except Exception as error:
            log.warning("wakeup_failed", extra={"error": type(error).__name__})


class Patrol(threading.Thread):
    """Looks for due rows every second, woken or not, and lets the clock tick where it is asked to."""

    def __init__(self, worker: Worker, database: Database, *, with_clock: bool) -> None:
        super().__init__(name="patrol", daemon=True)
        self._worker, self._database, self._with_clock = worker, database, with_clock
        self._stop = threading.Event()

    def run(self) -> None:
        """Sweep until stopped; a database that is away is tried again."""
        while not self._stop.wait(SWEEP_SECONDS):
            self._quietly(self._sweep)

    def stop(self) -> None:
        """End after the sweep that is under way."""
        self._worker.is_stopping = True
        self._stop.set()

    def _sweep(self, now: datetime | None = None) -> None:
        if self._with_clock:
            tick(self._database, now or utc_now())
        self._worker.drain()

    def _quietly(self, sweep: Callable[[], None]) -> None:
        try:
            sweep()
        except Exception as error:
            log.warning("sweep_failed", extra={"error": type(error).__name__}, exc_info=error)


class GracefulConsumer(Consumer):  # type: ignore[misc]  # huey ships no types
    """Huey's consumer, with a hard end: a drain that hangs must not outlive the host's patience."""

    def stop(self, graceful: bool = False) -> None:
        """Stop; after `DRAIN_SECONDS` the process ends whatever happens. Killing is always safe."""
        timer = threading.Timer(DRAIN_SECONDS, os._exit, args=(0,))
        timer.daemon = True
        timer.start()
        super().stop(graceful)


def run_worker(wakeup: Wakeup, worker: Worker, database: Database, *, with_clock: bool) -> None:
    """Serve until SIGTERM or SIGINT: Huey's consumer for wake-ups, the patrol for everything a wake-up missed."""
    wakeup.listen(worker.drain)
    database.let_others_in()
    patrol = Patrol(worker, database, with_clock=with_clock)
    patrol.start()
    consumer = GracefulConsumer(
        wakeup.huey, workers=1, periodic=False, max_delay=0.2, backoff=1.3, initial_delay=0.05, graceful_signal="TERM"
    )
    try:
        consumer.run()
    finally:
        patrol.stop()
        patrol.join(timeout=DRAIN_SECONDS)
        log.info("worker_stopped")
