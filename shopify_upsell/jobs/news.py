"""From announcements to the jobs that listen to them: asked for once while the asking waits, never lost."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, exists, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement, canonical_json, digest_of
from shopify_upsell.database import UtcDateTime
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue, wake_after_commit
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.spelled import Spelled

ABOVE_DIGITS = "~"


class Listeners:
    """Kinds of job to enqueue by the name of an announcement; those `gathered` run once a minute for all."""

    def __init__(self, kinds: Mapping[str, tuple[str, ...]], gathered: frozenset[str]) -> None:
        self._kinds, self._gathered = kinds, gathered

    def tell(self, session: Session, job: Job, announcements: Sequence[Announcement], now: datetime) -> None:
        """Enqueue who listens to what a job announced. The same thing said twice is said once."""
        plain: dict[str, JobRequest] = {}
        for announcement in announcements:
            for kind in self._kinds.get(announcement.name, ()):
                if kind in self._gathered:
                    request = _gathered_request(kind, job)
                    plain[request.dedupe_key] = request
                elif announcement.details:
                    enqueue(session, job.shop_id, _request(kind, job, announcement), now)
                else:
                    # A listener reads what is true when it runs: one that still waits will see this news as well.
                    plain[_key_start(kind, announcement)] = _request(kind, job, announcement)
        ask_unless_waiting(session, job, plain, now)


def ask_unless_waiting(session: Session, job: Job, requests: Mapping[str, JobRequest], now: datetime) -> None:
    """Store work, by how its key starts, unless a job whose key starts so waits and was never claimed.

    That one is held until the transaction ends: whoever claims it afterwards sees what this transaction writes, so the
    same need not be asked for twice. A row that is being claimed at this moment counts as claimed.
    """
    rows = [
        {
            "its_shop": job.shop_id,
            "its_kind": request.kind,
            "its_key": request.dedupe_key,
            "its_payload": canonical_json(dict(request.payload)),
            "due_at": request.not_before or now,
            "asked_at": now,
            "key_from": start,
            "key_to": start + ABOVE_DIGITS,
        }
        for start, request in sorted(requests.items())
    ]
    if rows:
        INSERT_UNLESS_WAITING.change_each(session, rows)
        wake_after_commit(session)


def _insert_unless_waiting(insert: Any) -> Any:
    job: Any = JobRow.__table__.c
    shop_id, start, end = _given("its_shop", BigInteger), _given("key_from", Text), _given("key_to", Text)
    # Compare byte by byte: a collation may skip the marks that part a key.
    at_least, below = ("~>=~", "~<~") if insert is postgresql.insert else (">=", "<")
    same = (job.dedupe_key.op(at_least, is_comparison=True)(start), job.dedupe_key.op(below, is_comparison=True)(end))
    never_claimed = (job.state == "new", job.attempts == 0, job.lease_token.is_(None))
    waits = select(job.job_id).where(job.shop_id == shop_id, *same, *never_claimed).limit(1)
    waiting = waits.with_for_update(skip_locked=True).cte("waiting")
    columns = {
        "shop_id": shop_id,
        "kind": _given("its_kind", Text),
        "dedupe_key": _given("its_key", Text),
        "payload": _given("its_payload", Text),
        "state": literal("new", Text),
        "attempts": literal(0, Integer),
        "not_before": _given("due_at", UtcDateTime),
        "created_at": _given("asked_at", UtcDateTime),
    }
    new = select(*columns.values()).where(~exists(select(waiting.c.job_id)))
    asked = insert(JobRow.__table__).from_select(list(columns), new)
    return asked.on_conflict_do_nothing(index_elements=["shop_id", "dedupe_key"])


def _given(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


INSERT_UNLESS_WAITING = Spelled(
    {
        "postgresql": _insert_unless_waiting(postgresql.insert),
        "sqlite": _insert_unless_waiting(sqlite.insert),
    }
)
"""Run for every piece of news."""


def _request(kind: str, job: Job, announcement: Announcement) -> JobRequest:
    key = f"{_key_start(kind, announcement)}{job.job_id}"
    # Jobs that ran as one announce under the first one's number: what differs must not pass for the same.
    key += f":{digest_of(announcement.details)[:16]}" if announcement.details else ""
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
