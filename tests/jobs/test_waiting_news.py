"""News of one subject is asked for once while the asking waits, and never lost."""

from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import select

from shopify_upsell.core import Announcement, ShopId
from shopify_upsell.jobs.queue import JobRequest, claim, enqueue, lease_clock
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.jobs.worker import Handler, Worker

LEASE = timedelta(seconds=60)


def at_noon():
    return NOW


@pytest.fixture
def shop(database):
    with database.write() as session:
        return add_shop(session)


def ask(database, shop, key="a", **payload):
    with database.write() as session:
        return enqueue(session, shop, JobRequest("work", key, payload), NOW)


def notes_of(database, kind="note"):
    with database.read() as session:
        return session.scalars(select(JobRow).where(JobRow.kind == kind).order_by(JobRow.job_id)).all()


def test_news_of_one_subject_is_asked_for_once_while_the_first_asking_waits(database, shop):
    seen = []
    other = ShopId(0)
    with database.write() as session:
        other = add_shop(session, "two.myshopify.com")
    announce = Handler(inside=lambda session, job: [Announcement("order_recorded", job.payload["order"])])
    handlers = {"work": announce, "note": Handler(inside=lambda session, job: seen.append(job.payload["subject_id"]))}
    worker = Worker(database, handlers, {"order_recorded": ("note",)}, lease=LEASE, clock=at_noon)
    for key, order in (("a", 1), ("b", 1), ("c", 12), ("d", 1)):
        ask(database, shop, key=key, order=order)
    ask(database, other, key="a", order=1)

    worker.run_batch()
    waiting = [(job.shop_id, job.state) for job in notes_of(database)]
    worker.drain()
    ask(database, shop, key="e", order=1)
    worker.drain()

    assert sorted(waiting) == sorted([(shop, "new"), (shop, "new"), (other, "new")])
    assert sorted(seen) == [1, 1, 1, 12]


def test_news_that_comes_while_a_listener_runs_is_asked_for_again(database, shop):
    announce = Handler(inside=lambda session, job: [Announcement("order_recorded", 7)])
    worker = Worker(database, {"work": announce}, {"order_recorded": ("note",)}, lease=LEASE, clock=at_noon)
    ask(database, shop, key="a")
    worker.run_batch()
    with database.write() as session:
        claim(session, lease_clock(session, NOW), lease=LEASE)
    ask(database, shop, key="b")

    worker.run_batch()

    assert len(notes_of(database)) == 2
