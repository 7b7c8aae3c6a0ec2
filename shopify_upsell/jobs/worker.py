"""The worker: claims rows, runs their handlers, writes effect and outcome in one transaction.

A handler that only touches the database runs inside the batch's transaction, under a savepoint of its own. A
handler that calls Shopify runs outside any transaction and returns what is to be written.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, RetryLater, UpsellError
from shopify_upsell.database import Database, bind_shop, is_transient
from shopify_upsell.jobs.queue import (
    MOST_ATTEMPTS,
    Job,
    JobRequest,
    LeaseLost,
    bury,
    claim,
    enqueue,
    finish,
    has_due,
    is_waiting,
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
    """How one kind of job runs: `inside` the transaction, or `outside` it, returning the write to make."""

    inside: Callable[[Session, Job], Announced] | None = None
    outside: Callable[[Job], Write] | None = None


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
        self._listeners = listeners
        self._gathered = gathered
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
            jobs = claim(session, self._clock(), lease=self._lease)
        inside = [job for job in jobs if not self._runs_outside(job)]
        self._run_together(inside)
        for job in jobs:
            if self._runs_outside(job):
                self._run_outside(job)
        return len(jobs)

    def _runs_outside(self, job: Job) -> bool:
        handler = self._handlers.get(job.kind)
        return handler is not None and handler.outside is not None

    def _run_together(self, jobs: list[Job]) -> None:
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
        if handler is None or handler.inside is None:
            return lambda _session: _refuse(f"no handler for {job.kind}")
        run = handler.inside
        return lambda session: run(session, job)

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
                self._announce(session, job, write(session) or ())
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

    def _announce(self, session: Session, job: Job, announcements: Sequence[Announcement]) -> None:
        for announcement in announcements:
            for kind in self._listeners.get(announcement.name, ()):
                if kind in self._gathered:
                    enqueue(session, job.shop_id, _gathered_request(kind, job), self._clock())
                    continue
                # A listener reads what is true when it runs: one that still waits will see this news as well.
                is_plain = not announcement.details
                if is_plain and is_waiting(session, job.shop_id, _key_start(kind, announcement)):
                    continue
                enqueue(session, job.shop_id, _request(kind, job, announcement), self._clock())

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


def _request(kind: str, job: Job, announcement: Announcement) -> JobRequest:
    key = f"{_key_start(kind, announcement)}{job.job_id}"
    return JobRequest(kind, key, {"subject_id": announcement.subject_id, **announcement.details})


def _key_start(kind: str, announcement: Announcement) -> str:
    """How the keys of all jobs of this kind about one subject start.

    The key outlives the job and may not name whom it was about.
    """
    subject = hashlib.sha256(str(announcement.subject_id).encode()).hexdigest()[:16]
    return f"{kind}:{announcement.name}:{subject}:"


def _gathered_request(kind: str, job: Job) -> JobRequest:
    """One job for all announcements of a minute, due when the minute is over: none can come after it has run."""
    minute_end = job.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return JobRequest(kind, f"{kind}:{minute_end.isoformat()}", {}, not_before=minute_end)


def _describe(error: Exception) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, UpsellError) else type(error).__name__


def _refuse(reason: str) -> Announced:
    raise UpsellError(reason, code="unknown_job_kind")


def _raise(error: Exception) -> Announced:
    raise error
