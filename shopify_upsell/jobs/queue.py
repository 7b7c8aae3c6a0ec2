"""Queries over job rows: enqueue, claim with a lease, finish under a fence, fail with back-off.

Claiming crosses shops (a worker serves all of them), so these functions are on the house rules' short allow-list.
"""

import json
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
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
    wake = session.info.get("wake")
    if wake is not None:
        after_commit(session, "wake", wake)
    return added is not None


def is_waiting(session: Session, shop_id: ShopId, key_start: str) -> bool:
    """Tell whether a job whose key starts so waits and was never claimed; then hold it until the transaction ends.

    Whoever claims it afterwards sees what this transaction writes, so the same need not be asked for twice. A row that
    is being claimed at this moment counts as claimed.
    """
    waiting = select(JobRow.job_id).where(
        JobRow.shop_id == shop_id,
        *_starts_with(session, key_start),
        JobRow.state == "new",
        JobRow.attempts == 0,
        JobRow.lease_token.is_(None),
    )
    return session.scalar(waiting.limit(1).with_for_update(skip_locked=True)) is not None


def _starts_with(session: Session, key_start: str) -> tuple[Any, Any]:
    """Compare byte by byte: a collation may skip the marks that part a key."""
    end = key_start + "~"  # above every digit that may follow
    if is_postgresql(session):
        return JobRow.dedupe_key.op("~>=~")(key_start), JobRow.dedupe_key.op("~<~")(end)
    return JobRow.dedupe_key >= key_start, JobRow.dedupe_key < end


def has_due(session: Session, now: datetime) -> bool:
    """Tell whether a claim would find work. Reading first keeps idle polls off SQLite's write lock."""
    moment = func.now() if is_postgresql(session) else now
    return session.scalar(select(JobRow.job_id).where(*_due(moment)).limit(1)) is not None


def claim(session: Session, now: datetime, *, lease: timedelta, batch: int = BATCH) -> list[Job]:
    """Take a lease on due rows, oldest first, at most `PER_SHOP` of one shop.

    A row that was claimed `MOST_ATTEMPTS` times without an outcome kills its workers; it is buried here.
    """
    moment = lease_clock(session, now)
    due = select(JobRow).where(*_due(moment)).order_by(JobRow.not_before, JobRow.job_id).limit(LOOK_AHEAD)
    rows = _fair(session.scalars(due.with_for_update(skip_locked=True)).all(), batch)
    token = secrets.token_hex(8)
    jobs = []
    for row in rows:
        if row.attempts >= MOST_ATTEMPTS:
            row.state, row.error, row.done_at = "dead", row.error or "attempts exhausted", moment
            continue
        row.attempts += 1
        row.lease_until, row.lease_token = moment + lease, token
        payload = json.loads(row.payload)
        jobs.append(Job(row.job_id, ShopId(row.shop_id), row.kind, payload, row.attempts, token, moment))
    return jobs


def lease_clock(session: Session, now: datetime) -> datetime:
    """The clock that leases live by: the database's own where several machines share it, else ours."""
    return session.scalars(select(func.now())).one() if is_postgresql(session) else now


def finish(session: Session, job: Job) -> None:
    """Mark the row done in the transaction of its effect, and forget what it was about: it may have named a person.

    Raises: LeaseLost, and the effect must go with it.
    """
    _write_outcome(session, job, state="done", done_at=job.now, error=None, payload="{}")


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


def _fair(rows: Sequence[JobRow], batch: int) -> list[JobRow]:
    taken: Counter[int] = Counter()
    chosen: list[JobRow] = []
    for row in rows:
        if taken[row.shop_id] < PER_SHOP and len(chosen) < batch:
            taken[row.shop_id] += 1
            chosen.append(row)
    return chosen


def _write_outcome(session: Session, job: Job, **values: Any) -> None:
    held = update(JobRow).where(
        JobRow.job_id == job.job_id, JobRow.state == "new", JobRow.lease_token == job.lease_token
    )
    result = session.execute(held.values(**values).execution_options(synchronize_session=False))
    if _count(result) != 1:
        raise LeaseLost(f"job {job.job_id} belongs to another worker")


def _count(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
