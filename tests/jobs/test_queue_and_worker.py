from datetime import timedelta

import pytest
from builders_database import NOW, add_shop
from sqlalchemy import select, update

from shopify_upsell.core import Announcement, RetryLater, ShopId, UpsellError
from shopify_upsell.jobs.queue import (
    JobRequest,
    LeaseLost,
    claim,
    dead_jobs,
    enqueue,
    erase_old_jobs,
    finish,
    hold,
    is_running_elsewhere,
    lease_clock,
    revive,
    wait_after,
)
from shopify_upsell.jobs.schedule import RETENTION, bring_forward, set_schedule, stop_schedule, tick
from shopify_upsell.jobs.store import JobRow, ScheduleRow
from shopify_upsell.jobs.worker import Handler, Worker
from shopify_upsell.matrix.store import MatrixBuildRow

LEASE = timedelta(seconds=60)


class Clock:
    """A process clock that the test moves."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def shop(database):
    with database.write() as session:
        return add_shop(session)


def ask(database, shop, key="a", kind="work", **payload):
    with database.write() as session:
        return enqueue(session, shop, JobRequest(kind, key, payload), NOW)


def row(database, key="a"):
    with database.read() as session:
        return session.scalars(select(JobRow).where(JobRow.dedupe_key == key)).one()


def a_worker(database, handler, *, clock=None, listeners=None):
    return Worker(database, {"work": handler}, listeners or {}, lease=LEASE, clock=clock or Clock())


def leave_a_mark(session, job):
    """An effect that can be counted: one row a job."""
    session.add(
        MatrixBuildRow(
            shop_id=job.shop_id, version=job.job_id, learned_at=NOW, order_count=0, product_count=0, pair_count=0
        )
    )


def marks(database):
    with database.read() as session:
        return len(session.scalars(select(MatrixBuildRow)).all())


def test_work_asked_for_twice_is_done_once(database, shop):
    assert ask(database, shop) is True
    assert ask(database, shop) is False

    assert a_worker(database, Handler(inside=leave_a_mark)).drain() == 1
    assert (row(database).state, marks(database)) == ("done", 1)


def test_the_same_key_in_another_shop_is_other_work(database, shop):
    with database.write() as session:
        other = add_shop(session, "two.myshopify.com")

    assert ask(database, shop) is True
    assert ask(database, other) is True


def test_a_claimed_row_is_not_claimed_again_until_its_lease_ends(database, shop):
    ask(database, shop)
    with database.write() as session:
        assert len(claim(session, NOW, lease=LEASE)) == 1
    with database.write() as session:
        assert claim(session, NOW, lease=LEASE) == []
    with database.write() as session:
        session.execute(update(JobRow).values(lease_until=NOW - timedelta(days=400)))
        assert len(claim(session, NOW, lease=LEASE)) == 1


def test_a_worker_that_lost_its_lease_leaves_no_effect(database, shop):
    ask(database, shop)
    with database.write() as session:
        frozen = claim(session, NOW, lease=LEASE)[0]
        session.execute(update(JobRow).values(lease_token="another worker"))

    def thaw():
        with database.write() as session:
            leave_a_mark(session, frozen)
            finish(session, frozen)

    with pytest.raises(LeaseLost):
        thaw()

    assert (row(database).state, marks(database)) == ("new", 0)


def test_effect_and_outcome_are_one_a_failing_handler_leaves_neither(database, shop):
    def fail(session, job):
        leave_a_mark(session, job)
        session.flush()
        raise ValueError("a bug")

    ask(database, shop)
    a_worker(database, Handler(inside=fail)).drain()

    job = row(database)
    assert (job.state, job.attempts, job.error, marks(database)) == ("new", 1, "ValueError", 0)
    assert job.not_before > NOW


def test_one_failing_row_does_not_hold_up_its_batch(database, shop):
    def fail_for_b(session, job):
        if job.payload["n"] == 2:
            raise ValueError("a bug")
        leave_a_mark(session, job)

    for n in (1, 2, 3):
        ask(database, shop, key=f"k{n}", n=n)
    a_worker(database, Handler(inside=fail_for_b)).drain()

    assert [row(database, f"k{n}").state for n in (1, 2, 3)] == ["done", "new", "done"]
    assert marks(database) == 2


def test_a_bug_is_tried_eight_times_and_then_buried(database, shop):
    clock = Clock()

    def fail(session, job):
        raise ValueError("a bug")

    ask(database, shop)
    worker = a_worker(database, Handler(inside=fail), clock=clock)
    runs = 0
    for _ in range(12):
        runs += worker.drain()
        with database.write() as session:
            session.execute(update(JobRow).values(not_before=NOW))

    assert runs == 8
    assert (row(database).state, row(database).error) == ("dead", "ValueError")


def test_a_final_refusal_is_buried_at_once_and_can_be_revived(database, shop):
    def refuse(session, job):
        raise UpsellError("never", code="no_use")

    ask(database, shop)
    a_worker(database, Handler(inside=refuse)).drain()

    with database.write() as session:
        assert dead_jobs(session) == [(row(database).job_id, shop, "work", "no_use: never")]
        assert revive(session, row(database).job_id, NOW) is True
    assert row(database).state == "new"


def test_a_wait_that_shopify_asks_for_does_not_count_as_an_attempt(database, shop):
    def throttled(session, job):
        raise RetryLater("throttled", after=timedelta(seconds=7))

    ask(database, shop)
    a_worker(database, Handler(inside=throttled)).drain()

    assert (row(database).state, row(database).attempts) == ("new", 0)


def test_a_row_that_kills_its_workers_is_buried_by_the_ninth_claim(database, shop):
    ask(database, shop)
    for _ in range(8):
        with database.write() as session:
            assert len(claim(session, NOW, lease=LEASE)) == 1
            session.execute(update(JobRow).values(lease_until=NOW - timedelta(days=400)))
    with database.write() as session:
        assert claim(session, NOW, lease=LEASE) == []

    assert row(database).state == "dead"


def test_one_shop_cannot_fill_a_batch(database, shop):
    with database.write() as session:
        other = add_shop(session, "two.myshopify.com")
    for n in range(30):
        ask(database, shop, key=f"flood{n}")
    ask(database, other, key="alone")

    with database.write() as session:
        claimed = [job.shop_id for job in claim(session, NOW, lease=LEASE)]

    assert (claimed.count(shop), claimed.count(other)) == (10, 1)


def test_an_announcement_becomes_one_job_a_listener(database, shop):
    listeners = {"order_recorded": ("settle", "count")}
    announce = Handler(inside=lambda session, job: [Announcement("order_recorded", 5, {"x": 1})])
    ask(database, shop)
    worker = a_worker(database, announce, listeners=listeners)

    worker.run_batch()

    with database.read() as session:
        new = session.scalars(select(JobRow).where(JobRow.state == "new").order_by(JobRow.kind)).all()
    assert [(job.kind, job.payload) for job in new] == [
        ("count", '{"subject_id":5,"x":1}'),
        ("settle", '{"subject_id":5,"x":1}'),
    ]


def test_announcements_of_one_minute_are_gathered_into_one_job_after_it(database, shop):
    announce = Handler(inside=lambda session, job: [Announcement("order_recorded", job.job_id)])
    for n in range(3):
        ask(database, shop, key=f"k{n}")
    listeners = {"order_recorded": ("note",)}
    worker = Worker(database, {"work": announce}, listeners, gathered=frozenset({"note"}), lease=LEASE, clock=Clock())

    worker.run_batch()

    with database.read() as session:
        notes = session.scalars(select(JobRow).where(JobRow.kind == "note")).all()
    assert len(notes) == 1
    assert notes[0].not_before.second == 0
    assert notes[0].not_before > notes[0].created_at


def test_a_job_of_an_unknown_kind_is_buried_not_lost(database, shop):
    ask(database, shop, kind="from_the_future")
    a_worker(database, Handler(inside=leave_a_mark)).drain()

    assert (row(database).state, row(database).error) == ("dead", "unknown_job_kind: no handler for from_the_future")


def test_what_a_handler_does_outside_runs_in_no_transaction(database, shop):
    seen = []

    def call_shopify(job):
        # A second writer can get in: on SQLite this would time out if a write transaction were open.
        ask(database, shop, key="from outside", kind="other")
        seen.append(job.kind)
        return leave_a_mark_for(job)

    def leave_a_mark_for(job):
        return lambda session: leave_a_mark(session, job)

    ask(database, shop)
    a_worker(database, Handler(outside=call_shopify)).run_batch()

    assert (seen, row(database).state, marks(database)) == (["work"], "done", 1)


def test_a_failing_wake_up_does_not_fail_the_request(database, shop, caplog):
    from shopify_upsell.jobs.wakeup import Wakeup, make_huey

    huey = make_huey("redis://127.0.0.1:1/0", None)
    database.wake = Wakeup(huey)
    try:
        assert ask(database, shop) is True
    finally:
        database.wake = None

    assert row(database).state == "new"
    assert "wakeup_failed" in caplog.text


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 10), (2, 20), (5, 160), (9, 2560), (10, 3600), (30, 3600)])
def test_waits_double_up_to_an_hour_within_a_fifth(attempts, seconds):
    assert wait_after(attempts, spread=0.5) == timedelta(seconds=seconds)
    assert wait_after(attempts, spread=0.0) == timedelta(seconds=seconds * 0.8)
    assert wait_after(attempts, spread=1.0) == timedelta(seconds=seconds * 1.2)


def test_many_clocks_enqueue_a_slot_once(database, shop):
    from concurrent.futures import ThreadPoolExecutor

    with database.write() as session:
        set_schedule(session, shop, "learn", timedelta(hours=1), NOW)

    with ThreadPoolExecutor(4) as pool:
        won = sum(pool.map(lambda _: tick(database, NOW), range(4)))

    with database.read() as session:
        jobs = session.scalars(select(JobRow).where(JobRow.kind == "learn")).all()
    assert (won, len(jobs)) == (1, 1)


def test_bringing_a_slot_forward_never_delays_it(database, shop):
    with database.write() as session:
        set_schedule(session, shop, "learn", timedelta(hours=1), NOW + timedelta(minutes=30))
        bring_forward(session, shop, "learn", NOW + timedelta(minutes=1))
        bring_forward(session, shop, "learn", NOW + timedelta(minutes=45))

    with database.read() as session:
        assert session.get(ScheduleRow, (shop, "learn")).next_at == NOW + timedelta(minutes=1)
    assert isinstance(shop, int)
    assert ShopId(shop) == shop


def test_a_row_that_takes_long_is_kept_beyond_its_lease_and_others_of_its_kind_can_see_it(database, shop):
    ask(database, shop, "first")
    ask(database, shop, "second")
    with database.write() as session:
        (first,) = claim(session, NOW, lease=LEASE, batch=1)
    with database.write() as session:
        assert hold(session, first, timedelta(minutes=10))
        assert not is_running_elsewhere(session, first)
    with database.write() as session:
        (second,) = claim(session, NOW, lease=LEASE, batch=1)
    with database.read() as session:
        assert is_running_elsewhere(session, second)
        assert row(database, "first").lease_until - lease_clock(session, NOW) > timedelta(minutes=9)


def test_a_row_that_another_worker_took_can_not_be_kept(database, shop):
    ask(database, shop)
    with database.write() as session:
        (job,) = claim(session, NOW, lease=LEASE)
        session.execute(update(JobRow).values(lease_token="another"))

    with database.write() as session:
        assert not hold(session, job, timedelta(minutes=10))


def test_a_done_job_forgets_what_it_was_about_and_is_erased_after_its_time(database, shop):
    ask(database, shop, subject_id=77)
    ask(database, shop, key="waiting", kind="from_the_future")
    a_worker(database, Handler(inside=leave_a_mark)).run_batch()
    assert row(database).payload == "{}"

    with database.write() as session:
        session.execute(update(JobRow).where(JobRow.dedupe_key == "waiting").values(state="new", done_at=None))
        erase_old_jobs(session, shop, NOW + timedelta(days=4000))

    with database.read() as session:
        assert session.scalars(select(JobRow.dedupe_key)).all() == ["waiting"]


def test_a_shop_that_left_keeps_only_its_retention(database, shop):
    with database.write() as session:
        other = add_shop(session, "two.myshopify.com")
        for name in ("learn", RETENTION):
            set_schedule(session, shop, name, timedelta(hours=1), NOW)
            set_schedule(session, other, name, timedelta(hours=1), NOW)
        stop_schedule(session, shop, but=frozenset({RETENTION}))

    with database.read() as session:
        left = session.execute(select(ScheduleRow.shop_id, ScheduleRow.name)).all()
    assert set(map(tuple, left)) == {(shop, RETENTION), (other, RETENTION), (other, "learn")}
