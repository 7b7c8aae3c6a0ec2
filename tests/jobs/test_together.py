"""Jobs of one kind and shop run as one, and each alone as soon as anything is wrong with one of them."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import select, update

from shopify_upsell.core import Announcement
from shopify_upsell.jobs.queue import MOST_TOGETHER, PER_SHOP, JobRequest, claim, enqueue, subjects_of
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.jobs.worker import Handler, Worker, in_turn
from shopify_upsell.matrix.store import MatrixBuildRow

LEASE = timedelta(seconds=60)


@pytest.fixture
def shop(database):
    with database.write() as session:
        return add_shop(session)


@pytest.fixture
def other(database):
    with database.write() as session:
        return add_shop(session, "two.myshopify.com")


def ask(database, shop, *numbers, kind="work"):
    with database.write() as session:
        for number in numbers:
            enqueue(session, shop, JobRequest(kind, f"{kind}{number}", {"subject_id": number}), NOW)


def a_worker(database, handler, listeners=None, others=None):
    return Worker(database, {"work": handler} | (others or {}), listeners or {}, lease=LEASE, clock=lambda: NOW)


def outcomes(database):
    with database.read() as session:
        rows = session.scalars(select(JobRow).where(JobRow.kind == "work").order_by(JobRow.job_id))
        return [(row.state, row.attempts, row.error) for row in rows]


def leave_a_mark(session, job):
    session.add(
        MatrixBuildRow(
            shop_id=job.shop_id, version=job.job_id, learned_at=NOW, order_count=0, product_count=0, pair_count=0
        )
    )
    session.flush()


def marks(database):
    with database.read() as session:
        return len(session.scalars(select(MatrixBuildRow)).all())


class Pieces:
    """A handler that notes what it was given at once; it fails whenever the subject 13 is among it."""

    def __init__(self):
        self.seen = []

    def __call__(self, session, jobs):
        self.seen.append((jobs[0].shop_id, subjects_of(jobs)))
        for job in jobs:
            leave_a_mark(session, job)
        if 13 in subjects_of(jobs):
            raise ValueError("a bug")


def test_jobs_of_one_kind_run_as_one_each_shop_for_itself(database, shop, other):
    ask(database, shop, 3, 1, 2)
    ask(database, other, 7, 8)
    pieces = Pieces()

    assert a_worker(database, Handler(together=pieces)).drain() == 5

    assert sorted(pieces.seen) == sorted([(shop, [1, 2, 3]), (other, [7, 8])])
    assert (outcomes(database), marks(database)) == ([("done", 1, None)] * 5, 5)


def test_one_that_fails_leaves_the_others_work_done_once_and_runs_alone_from_then_on(database, shop):
    ask(database, shop, 1, 13, 2)
    pieces = Pieces()
    worker = a_worker(database, Handler(together=pieces))

    worker.drain()
    first = outcomes(database), marks(database)
    ask(database, shop, 4, 5)
    with database.write() as session:
        session.execute(update(JobRow).where(JobRow.state == "new").values(not_before=NOW))
    worker.drain()

    assert first == ([("done", 1, None), ("new", 1, "ValueError"), ("done", 1, None)], 2)
    assert [numbers for _, numbers in pieces.seen] == [[1, 2, 13], [1], [13], [2], [4, 5], [13]]
    assert outcomes(database)[1] == ("new", 2, "ValueError")


def test_a_kind_with_a_way_of_its_own_for_one_is_taken_apart_to_it(database, shop):
    alone = []

    def one(session, job):
        alone.append(job.payload["subject_id"])
        leave_a_mark(session, job)

    ask(database, shop, 1, 13)
    a_worker(database, Handler(inside=one, together=Pieces())).drain()

    assert (alone, marks(database)) == ([1, 13], 2)


def test_when_the_lease_of_one_is_lost_the_others_are_done_and_its_effect_is_gone(database, shop):
    ask(database, shop, 1, 2, 3)

    def lose_the_second(session, jobs):
        for job in jobs:
            leave_a_mark(session, job)
            if job.payload["subject_id"] == 2:
                session.execute(
                    update(JobRow).where(JobRow.job_id == job.job_id).values(lease_token="another worker's")
                )

    a_worker(database, Handler(together=lose_the_second)).run_batch()

    assert [state for state, _, _ in outcomes(database)] == ["done", "new", "done"]
    assert marks(database) == 2


def test_what_is_said_twice_within_a_piece_is_asked_for_once_but_not_if_it_differs(database, shop):
    def say(session, jobs):
        plain = [Announcement("order_recorded", 7) for _ in jobs]
        return [*plain, *(Announcement("redaction", 7, {"request": job.job_id}) for job in jobs)]

    ask(database, shop, 1, 2, 3)
    a_worker(database, Handler(together=say), {"order_recorded": ("note",), "redaction": ("forget",)}).run_batch()

    with database.read() as session:
        kinds = session.scalars(select(JobRow.kind).where(JobRow.state == "new")).all()
    assert sorted(kinds) == ["forget", "forget", "forget", "note"]


def test_what_runs_in_turn_is_finished_together(database, shop):
    ask(database, shop, 1, 2)

    a_worker(database, in_turn(lambda session, job: leave_a_mark(session, job))).run_batch()

    assert (outcomes(database), marks(database)) == ([("done", 1, None)] * 2, 2)


def test_a_claim_counts_what_runs_together_as_one_piece(database, shop, other):
    ask(database, shop, *range(MOST_TOGETHER + 5))
    ask(database, shop, *range(PER_SHOP + 5), kind="single")
    ask(database, other, 1, 2)

    with database.write() as session:
        claimed = [(job.shop_id, job.kind) for job in claim(session, NOW, lease=LEASE, together={"work"})]

    assert claimed.count((shop, "work")) == MOST_TOGETHER
    assert claimed.count((shop, "single")) == PER_SHOP - 1
    assert claimed.count((other, "work")) == 2
