"""Measure everybody anew when the merchant stated other costs: some persons a job, and each job asks for the next.

So no transaction is long, a worker that dies loses one step, memory holds some persons, and the waiting job says how
far it came. Measuring twice finds the same. A step whose costs are not the shop's any more ends the walk: the later
statement has begun its own.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId, text_digest
from shopify_upsell.jobs.progress import open_payloads
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue
from shopify_upsell.offers.costs import costs_to_json
from shopify_upsell.offers.store import read_costs
from shopify_upsell.offers.unit_store import hold_units
from shopify_upsell.reports.outcome_tables import ExperimentUnitRow
from shopify_upsell.reports.outcomes import PEOPLE_AT_ONCE, measure_people

log = logging.getLogger(__name__)

MEASURE_ANEW = "measure_anew"

BEING_MEASURED = "margins_are_measured_anew"
"""Warning of a report: some margins are by the costs of before."""

BEFORE_ALL = -1
"""Persons count from 0."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How far measuring anew has come. Units: persons, `of` those there were when it began."""

    done: int
    of: int


def ask_to_measure_anew(session: Session, shop_id: ShopId, *, now: datetime) -> int:
    """Have everybody measured at the costs as they stand. Returns how many persons that are."""
    row = ExperimentUnitRow
    counted = select(func.count(row.person_id.distinct())).where(row.shop_id == shop_id)
    count = int(session.scalar(counted) or 0)
    if count:
        first = {"costs": _costs_digest(session, shop_id), "asked_at": now.isoformat(), "of": count}
        _ask(session, shop_id, first | {"after": BEFORE_ALL, "done": 0}, now)
    return count


def measure_anew(session: Session, job: Job) -> None:
    """Job: measure the next persons, and ask for those after them."""
    shop_id, payload = job.shop_id, dict(job.payload)
    if payload["costs"] != _costs_digest(session, shop_id):
        log.info("measuring_anew_overtaken", extra={"shop_id": shop_id, "person_count": payload["done"]})
        return
    hold_units(session, shop_id)
    people = _people_after(session, shop_id, int(payload["after"]))
    measure_people(session, shop_id, people)
    done = payload["done"] + len(people)
    if len(people) == PEOPLE_AT_ONCE:
        _ask(session, shop_id, payload | {"after": people[-1], "done": done}, job.now)
    else:
        log.info("measured_anew", extra={"shop_id": shop_id, "person_count": done})


def measured_anew(session: Session, shop_id: ShopId) -> Walk | None:
    """How far measuring anew has come; None where none is under way."""
    waiting = open_payloads(session, shop_id, MEASURE_ANEW)
    costs = _costs_digest(session, shop_id) if waiting else ""
    mine = [one for one in waiting if one["costs"] == costs]
    return Walk(mine[-1]["done"], mine[-1]["of"]) if mine else None


def _ask(session: Session, shop_id: ShopId, payload: Mapping[str, Any], now: datetime) -> None:
    key = f"{MEASURE_ANEW}:{payload['costs']}:{payload['asked_at']}:{payload['after']}"
    enqueue(session, shop_id, JobRequest("measure_anew", key, payload), now)


def _people_after(session: Session, shop_id: ShopId, after: int) -> list[int]:
    row = ExperimentUnitRow
    next_ones = select(row.person_id).where(row.shop_id == shop_id, row.person_id > after).distinct()
    return list(session.scalars(next_ones.order_by(row.person_id).limit(PEOPLE_AT_ONCE)))


def _costs_digest(session: Session, shop_id: ShopId) -> str:
    return text_digest(costs_to_json(read_costs(session, shop_id)))[:16]
