"""The worker: claims rows, runs their handlers, writes effect and outcome in one transaction.

A handler that only touches the database runs inside the batch's transaction, under a savepoint of its own. Several
jobs of one kind and shop may run as one, in a transaction of their own; whatever is wrong with one of them, each then
runs alone. A handler that calls Shopify runs outside any transaction and returns what is to be written.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, RetryLater, UpsellError
from shopify_upsell.database import Database, bind_shop, is_transient
from shopify_upsell.jobs.news import Listeners
from shopify_upsell.jobs.queue import (
    MOST_ATTEMPTS,
    Job,
    LeaseLost,
    bury,
    claim,
    finish,
    has_due,
    postpone,
    wait_after,
)
from shopify_upsell.metrics import JOB_OUTCOMES

log = logging.getLogger(__name__)

LONGEST_TRANSACTION = 0.05
"""Seconds after which a batch commits and goes on in another transaction."""

Announced = Sequence[Announcement] | None
Write = Callable[[Session], Announced]


@dataclass(frozen=True, slots=True)
class Handler:
    """How one kind of job runs: `inside` the transaction, or `outside` it, returning the write to make.

    `together`: several jobs of one shop at once, to the same effect as one after another in any order; one alone too
    where there is no `inside`.
    """

    inside: Callable[[Session, Job], Announced] | None = None
    outside: Callable[[Job], Write] | None = None
    together: Callable[[Session, Sequence[Job]], Announced] | None = None


def in_turn(inside: Callable[[Session, Job], Announced]) -> Handler:
    """Run jobs one after another but finish them together: for kinds that are short and many."""

    def together(session: Session, jobs: Sequence[Job]) -> Announced:
        return [announcement for job in jobs for announcement in inside(session, job) or ()]

    return Handler(inside=inside, together=together)


def utc_now() -> datetime:
    """The process clock, for edges only."""
    return datetime.now(UTC)


class Worker:
    """Drains due rows. Safe to kill at any instruction; any number may run beside each other.

    `listeners`: kinds of job to enqueue by the name of an announcement; those `gathered` run once a minute for all.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        listeners: Mapping[str, tuple[str, ...]],
        *,
        gathered: frozenset[str] = frozenset(),
        lease: timedelta = timedelta(seconds=60),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._together = frozenset(kind for kind, handler in handlers.items() if handler.together is not None)
        self._listeners = Listeners(listeners, gathered)
        self._lease = lease
        self._clock = clock
        self.is_stopping = False

    def drain(self) -> int:
        """Run batches until nothing is due or a stop was asked for. Returns how many rows had an outcome."""
        total = 0
        while not self.is_stopping and (count := self.run_batch()):
            total += count
        return total

    def run_batch(self) -> int:
        """Claim one batch and run it. Returns the number of rows claimed."""
        with self._database.read() as session:
            if not has_due(session, self._clock()):
                return 0
        with self._database.write() as session:
            jobs = claim(session, self._clock(), lease=self._lease, together=self._together)
        alone: list[Job] = []
        for piece in self._pieces(jobs):
            if len(piece) == 1 or not self._run_as_one(piece):
                alone += piece
        self._run_in_turn([job for job in alone if not self._runs_outside(job)])
        for job in alone:
            if self._runs_outside(job):
                self._run_outside(job)
        return len(jobs)

    def _pieces(self, jobs: list[Job]) -> list[list[Job]]:
        """Jobs that run as one, and others by themselves. What failed before would spoil the others' work."""
        pieces: dict[object, list[Job]] = {}
        for job in jobs:
            is_alone = job.kind not in self._together or job.attempts > 1
            pieces.setdefault(job.job_id if is_alone else (job.shop_id, job.kind), []).append(job)
        return list(pieces.values())

    def _run_as_one(self, jobs: list[Job]) -> bool:
        """Run jobs of one kind and shop in a transaction of their own. Returns False when nothing of it stands."""
        first = jobs[0]
        run = self._handlers[first.kind].together
        assert run is not None  # noqa: S101 chosen by _pieces
        try:
            with self._database.write() as session:
                bind_shop(session, first.shop_id)
                self._listeners.tell(session, first, run(session, jobs) or (), self._clock())
                finish(session, *jobs)
        except Exception as error:
            fields = {"shop_id": first.shop_id, "kind": first.kind, "job_count": len(jobs)}
            log.info("jobs_taken_apart", extra=fields | {"error": type(error).__name__})
            return False
        JOB_OUTCOMES.labels(first.kind, "done").inc(len(jobs))
        return True

    def _runs_outside(self, job: Job) -> bool:
        handler = self._handlers.get(job.kind)
        return handler is not None and handler.outside is not None

    def _run_in_turn(self, jobs: list[Job]) -> None:
        """Run jobs in few transactions, none of them long: on SQLite the web waits for each."""
        left = jobs
        while left:
            count = self._run_some(left)
            left = left[count:]

    def _run_some(self, jobs: list[Job]) -> int:
        """Run the first jobs in one transaction, as many as fit its time. Returns how many."""
        started, count = time.monotonic(), 0
        try:
            with self._database.write() as session:
                for job in jobs:
                    self._run_in_savepoint(session, job, self._inside_write(job))
                    count += 1
                    if time.monotonic() - started > LONGEST_TRANSACTION:
                        break
        except Exception as error:
            if not is_transient(error):
                raise
            # Two workers may lock the same orders in different turn; alone, a row can deadlock with no one.
            for job in jobs:
                self._run_alone(job, self._inside_write(job))
            return len(jobs)
        return count

    def _inside_write(self, job: Job) -> Write:
        handler = self._handlers.get(job.kind)
        if handler is not None and handler.inside is not None:
            inside = handler.inside
            return lambda session: inside(session, job)
        if handler is not None and handler.together is not None:
            together = handler.together
            return lambda session: together(session, [job])
        return lambda _session: _refuse(f"no handler for {job.kind}")

    def _run_outside(self, job: Job) -> None:
        handler = self._handlers[job.kind]
        assert handler.outside is not None  # noqa: S101 chosen by _runs_outside
        try:
            write = handler.outside(job)
        except Exception as error:
            failure = error
            self._run_alone(job, lambda _session: _raise(failure))
        else:
            self._run_alone(job, write)

    def _run_alone(self, job: Job, write: Write) -> None:
        try:
            with self._database.write() as session:
                self._run_in_savepoint(session, job, write)
        except Exception as error:
            if not is_transient(error):
                raise
            self._postpone_apart(job, error)

    def _postpone_apart(self, job: Job, error: Exception) -> None:
        try:
            with self._database.write() as session:
                self._record_failure(session, job, error)
        except Exception as still:
            # The lease runs out and the row comes back: nothing is lost by giving up here.
            log.warning("job_outcome_unwritten", extra={"job_id": job.job_id, "error": type(still).__name__})

    def _run_in_savepoint(self, session: Session, job: Job, write: Write) -> None:
        bind_shop(session, job.shop_id)
        try:
            with session.begin_nested():
                self._listeners.tell(session, job, write(session) or (), self._clock())
                finish(session, job)
        except LeaseLost:
            JOB_OUTCOMES.labels(job.kind, "lease_lost").inc()
            log.warning("job_lease_lost", extra={"job_id": job.job_id, "kind": job.kind})
        except Exception as error:
            if is_transient(error):
                raise
            self._record_failure(session, job, error)
        else:
            JOB_OUTCOMES.labels(job.kind, "done").inc()

    def _record_failure(self, session: Session, job: Job, error: Exception) -> None:
        outcome = "retry"
        try:
            if isinstance(error, RetryLater):
                postpone(session, job, until=job.now + error.after, reason=_describe(error), counts=False)
            elif isinstance(error, UpsellError) or job.attempts >= MOST_ATTEMPTS:
                outcome = "dead"
                bury(session, job, _describe(error))
            else:
                postpone(session, job, until=job.now + wait_after(job.attempts), reason=_describe(error), counts=True)
        except LeaseLost:
            outcome = "lease_lost"
        JOB_OUTCOMES.labels(job.kind, outcome).inc()
        level = logging.ERROR if outcome == "dead" else logging.WARNING
        fields = {"job_id": job.job_id, "shop_id": job.shop_id, "kind": job.kind, "outcome": outcome}
        # Only an unforeseen error needs its trace; its message may quote data and stays out.
        trace = error if not isinstance(error, UpsellError) else None
        log.log(level, "job_failed", extra=fields | {"error": type(error).__name__}, exc_info=trace)


def _describe(error: Exception) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, UpsellError) else type(error).__name__


def _refuse(reason: str) -> Announced:
    raise UpsellError(reason, code="unknown_job_kind")


def _raise(error: Exception) -> Announced:
    raise error
