"""Queries over job rows: enqueue, claim with a lease, finish under a fence, fail with back-off.

Claiming crosses shops (a worker serves all of them), so these functions are on the house rules' short allow-list.
"""

import json
import random
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId, UpsellError, canonical_json
from shopify_upsell.database import after_commit, dialect_insert, is_postgresql
from shopify_upsell.jobs.store import JobRow

BATCH = 25
PER_SHOP = 10
MOST_TOGETHER = 20
"""Jobs of one kind and shop that count as one piece of a batch: on SQLite the web waits for all of them."""

LOOK_AHEAD = 200
MOST_ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)


class LeaseLost(UpsellError):
    """Another worker owns the row by now: what this one did must be rolled back."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Work to be done once: a second request with the same key is the same work."""

    kind: str
    dedupe_key: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed row. `attempts` counts this claim."""

    job_id: int
    shop_id: ShopId
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    lease_token: str
    now: datetime


def subjects_of(jobs: Sequence[Job]) -> list[int]:
    """The numbers of what jobs are about, each once, ascending."""
    return sorted({int(job.payload["subject_id"]) for job in jobs})


def enqueue(session: Session, shop_id: ShopId, request: JobRequest, now: datetime) -> bool:
    """Store the work and wake a worker after the commit. Returns False when it was already asked for."""
    insert = dialect_insert(session)
    statement = insert(JobRow).values(
        shop_id=shop_id,
        kind=request.kind,
        dedupe_key=request.dedupe_key,
        payload=canonical_json(dict(request.payload)),
        state="new",
        attempts=0,
        not_before=request.not_before or now,
        created_at=now,
    )
    once = statement.on_conflict_do_nothing(index_elements=["shop_id", "dedupe_key"]).returning(JobRow.job_id)
    added = session.execute(once).scalar_one_or_none()
    wake_after_commit(session)
    return added is not None


def wake_after_commit(session: Session) -> None:
    """Have a worker look for what this transaction asks for."""
    wake = session.info.get("wake")
    if wake is not None:
        after_commit(session, "wake", wake)


def has_due(session: Session, now: datetime) -> bool:
    """Tell whether a claim would find work. Reading first keeps idle polls off SQLite's write lock."""
    moment = func.now() if is_postgresql(session) else now
    return session.scalar(select(JobRow.job_id).where(*_due(moment)).limit(1)) is not None


def claim(
    session: Session, now: datetime, *, lease: timedelta, batch: int = BATCH, together: Collection[str] = ()
) -> list[Job]:
    """Take a lease on due rows, oldest first, at most `PER_SHOP` pieces of one shop.

    A piece is one row, or up to `MOST_TOGETHER` of a kind that runs `together`; what failed before runs alone. A row
    that was claimed `MOST_ATTEMPTS` times without an outcome kills its workers; it is buried here.
    """
    moment = lease_clock(session, now)
    columns = (JobRow.job_id, JobRow.shop_id, JobRow.kind, JobRow.payload, JobRow.attempts)
    due = select(*columns).where(*_due(moment)).order_by(JobRow.not_before, JobRow.job_id).limit(LOOK_AHEAD)
    rows = _fair(session.execute(due.with_for_update(skip_locked=True)).all(), batch, together)
    token = secrets.token_hex(8)
    spent = [row.job_id for row in rows if row.attempts >= MOST_ATTEMPTS]
    left = [row for row in rows if row.attempts < MOST_ATTEMPTS]
    error = func.coalesce(JobRow.error, "attempts exhausted")
    _write(session, spent, state="dead", error=error, done_at=moment)
    taken = [row.job_id for row in left]
    _write(session, taken, attempts=JobRow.attempts + 1, lease_until=moment + lease, lease_token=token)
    return [
        Job(row.job_id, ShopId(row.shop_id), row.kind, json.loads(row.payload), row.attempts + 1, token, moment)
        for row in left
    ]


def lease_clock(session: Session, now: datetime) -> datetime:
    """The clock that leases live by: the database's own where several machines share it, else ours."""
    return session.scalars(select(func.now())).one() if is_postgresql(session) else now


def finish(session: Session, *jobs: Job) -> None:
    """Mark rows done in the transaction of their effect, and forget what they were about: it may have named a person.

    Shape: jobs of one claim. Raises: LeaseLost, and the effect must go with it.
    """
    _write_outcome(session, *jobs, state="done", done_at=jobs[0].now, error=None, payload="{}")


def bury(session: Session, job: Job, reason: str) -> None:
    """Mark the row dead: no retry can help. An operator sees it in `shopify-upsell jobs dead`."""
    _write_outcome(session, job, state="dead", done_at=job.now, error=reason[:500])


def postpone(session: Session, job: Job, *, until: datetime, reason: str, counts: bool) -> None:
    """Give the row back for later. A wait that Shopify asked for does not count as an attempt."""
    attempts = job.attempts if counts else job.attempts - 1
    _write_outcome(session, job, not_before=until, lease_until=None, attempts=attempts, error=reason[:500])


def hold(session: Session, job: Job, duration: timedelta) -> bool:
    """Keep the row for longer than its lease, for work that takes long. Returns False when it is lost already."""
    until = lease_clock(session, job.now) + duration
    held = update(JobRow).where(
        JobRow.job_id == job.job_id, JobRow.state == "new", JobRow.lease_token == job.lease_token
    )
    return _count(session.execute(held.values(lease_until=until).execution_options(synchronize_session=False))) == 1


def is_running_elsewhere(session: Session, job: Job) -> bool:
    """Tell whether a worker holds another row of the same kind for the same shop."""
    moment = lease_clock(session, job.now)
    same = (JobRow.shop_id == job.shop_id, JobRow.kind == job.kind, JobRow.job_id != job.job_id)
    running = (JobRow.state == "new", JobRow.lease_until > moment, JobRow.lease_token != job.lease_token)
    return session.scalar(select(JobRow.job_id).where(*same, *running).limit(1)) is not None


def wait_after(attempts: int, *, spread: float | None = None) -> timedelta:
    """How long to wait after a failure: doubling from 10 s to an hour, give or take 20 % so that a herd spreads."""
    factor = 0.8 + 0.4 * (random.random() if spread is None else spread)  # noqa: S311 spreading, not a secret
    doubled: timedelta = FIRST_WAIT * 2 ** (attempts - 1)
    return min(doubled, LONGEST_WAIT) * factor


def queue_depth(session: Session) -> dict[str, int]:
    """Rows by state, over all shops."""
    counts = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
    return {state: int(count) for state, count in counts}


def oldest_due(session: Session, now: datetime) -> datetime | None:
    """When the longest-waiting due row became due; None when nothing waits."""
    return session.scalar(select(func.min(JobRow.not_before)).where(JobRow.state == "new", JobRow.not_before <= now))


def dead_jobs(session: Session, *, limit: int = 100) -> list[tuple[int, int, str, str | None]]:
    """(job id, shop id, kind, error) of buried rows, newest first."""
    rows = session.execute(
        select(JobRow.job_id, JobRow.shop_id, JobRow.kind, JobRow.error)
        .where(JobRow.state == "dead")
        .order_by(JobRow.job_id.desc())
        .limit(limit)
    )
    return [(job_id, shop_id, kind, error) for job_id, shop_id, kind, error in rows]


def revive(session: Session, job_id: int, now: datetime) -> bool:
    """Give a buried row a fresh start. Returns False when there is no such buried row."""
    result = session.execute(
        update(JobRow)
        .where(JobRow.job_id == job_id, JobRow.state == "dead")
        .values(state="new", attempts=0, not_before=now, lease_until=None, error=None, done_at=None)
    )
    return _count(result) == 1


def erase_old_jobs(session: Session, shop_id: ShopId, before: datetime) -> None:
    """Delete rows that ended before the moment. Their keys have done their work: no delivery comes back that late."""
    ended = (JobRow.shop_id == shop_id, JobRow.state.in_(("done", "dead")), JobRow.done_at < before)
    session.execute(delete(JobRow).where(*ended))


def _due(moment: Any) -> tuple[Any, ...]:
    free = or_(JobRow.lease_until.is_(None), JobRow.lease_until < moment)
    return (JobRow.state == "new", JobRow.not_before <= moment, free)


def _fair(rows: Sequence[Any], batch: int, together: Collection[str]) -> list[Any]:
    sizes: Counter[object] = Counter()
    taken: Counter[int] = Counter()
    chosen: list[Any] = []
    for row in rows:
        piece = (row.shop_id, row.kind) if row.kind in together and not row.attempts else row.job_id
        if piece not in sizes:
            if taken[row.shop_id] == PER_SHOP or len(sizes) == batch:
                continue
            taken[row.shop_id] += 1
        if sizes[piece] < MOST_TOGETHER:
            sizes[piece] += 1
            chosen.append(row)
    return chosen


def _write(session: Session, job_ids: Sequence[int], **values: Any) -> None:
    if job_ids:
        these = update(JobRow).where(JobRow.job_id.in_(job_ids)).values(**values)
        session.execute(these.execution_options(synchronize_session=False))


def _write_outcome(session: Session, *jobs: Job, **values: Any) -> None:
    held = update(JobRow).where(
        JobRow.job_id.in_([job.job_id for job in jobs]),
        JobRow.state == "new",
        JobRow.lease_token == jobs[0].lease_token,
    )
    result = session.execute(held.values(**values).execution_options(synchronize_session=False))
    if _count(result) != len(jobs):
        raise LeaseLost(f"job {jobs[0].job_id} or one beside it belongs to another worker")


def _count(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
