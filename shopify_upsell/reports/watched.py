"""Guardrails that no order shows: who complained, left the mailing list, or saw the offer at all, by assigned arm.

Comes in: an experiment and its arms' sizes. Goes out: for each such guardrail of its kind how many there were, or what
is missing to measure it. Everybody triggered counts in the arm that chance gave them; something counts from the trigger
to the horizon, the same for all. Signals that the shop erased, or whose customer asked to be forgotten, count no more.
The judge counts and notes it; reports read what was noted.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import TouchpointRow
from shopify_upsell.core import ShopId
from shopify_upsell.customers.signal_tables import SignalRow
from shopify_upsell.customers.signals import SIGNALS
from shopify_upsell.experiments.moments import Moments, UnitTotals, of_unit
from shopify_upsell.offers.experiment_store import Experiment
from shopify_upsell.offers.unit_store import UnitLinkRow
from shopify_upsell.reports.outcome_tables import ExperimentUnitRow

UNSUBSCRIBED = frozenset({"marketing_consent_withdrawn", "preference_none"})
COMPLAINED = frozenset({"ticket_solved_unhappy", "dispute_opened"})
SAID_BADLY = frozenset({"review", "csat", "nps"})
"""Opinions whose lower values are complaints: those that lower readiness."""
ASKED_FOR_HELP = frozenset({"ticket_opened"})
IMPRESSION = "impression"

NEEDS: Mapping[str, str] = MappingProxyType(
    {
        "complaint_rate": "a helpdesk, a review app or Shopify Flow that tells us of tickets, reviews or disputes: "
        "none has told of any",
        "support_ticket_rate": "a helpdesk that tells us of tickets: none has told of any",
        "coverage_rate": "impressions of the offer, which the theme block tells: none has come",
        "page_load_milliseconds": "how long pages take to load, which no part of this app in the storefront tells",
    }
)
"""What a guardrail needs that is not held. Consent needs nothing: Shopify tells every change of it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Guardrails beside orders. Shape: `counts` by metric and arm: units of which it is true, and all units.

    `needs`: by metric, what it takes to measure it.
    """

    counts: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)

    def moments(self, metric: str, arm: str) -> Moments:
        """An arm's statistics: y is 1 for a unit of which it is true."""
        yes, units = self.counts.get(metric, {}).get(arm, (0, 0))
        return _times(_YES, yes) + _times(_NO, units - yes)

    def noted(self) -> dict[str, Any]:
        """What `watched_from` reads."""
        return {"counts": {metric: dict(arms) for metric, arms in self.counts.items()}, "needs": dict(self.needs)}


NOTHING_WATCHED = Watched()

PAGE = 2_000
"""Units looked at in one statement: none may take long, however many units there are."""

_YES, _NO = of_unit(UnitTotals(y=1, d=1)), of_unit(UnitTotals(y=0, d=1))


def watched_from(noted: Mapping[str, Any]) -> Watched:
    """Read what was noted; nothing before the first time."""
    counts = {
        metric: {arm: (int(yes), int(units)) for arm, (yes, units) in arms.items()}
        for metric, arms in noted.get("counts", {}).items()
    }
    return Watched(counts, dict(noted.get("needs", {})))


def watch(
    session: Session, shop_id: ShopId, experiment: Experiment, units: Mapping[str, int], *, until: datetime | None
) -> Watched:
    """Count what the experiment's guardrails ask for.

    `units`: how many there are, by arm; `until`: only those first triggered before it are among them, None for all.
    """
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    needs: dict[str, str] = {}
    for metric in (rail.metric for rail in experiment.plan.guardrails):
        if metric not in WATCHED:
            continue
        if metric in NEEDS and not _is_told(session, shop_id, metric):
            needs[metric] = NEEDS[metric]
            continue
        found = _counts(session, shop_id, experiment, _happened(shop_id, experiment, metric), until)
        counts[metric] = {arm: (min(found.get(arm, 0), size), size) for arm, size in units.items()}
    return Watched(counts, needs)


def _is_told(session: Session, shop_id: ShopId, metric: str) -> bool:
    """Tell whether the shop has any source of it at all: where nobody tells, nothing is no good news."""
    if metric == "coverage_rate":
        row: Any = TouchpointRow
        known = select(row.touchpoint_id).where(row.shop_id == shop_id, row.kind == IMPRESSION)
    elif metric in _SOURCES:
        known = select(SignalRow.kind).where(SignalRow.shop_id == shop_id, SignalRow.kind.in_(sorted(_SOURCES[metric])))
    else:
        return False
    return session.execute(known.limit(1)).first() is not None


def _happened(shop_id: ShopId, experiment: Experiment, metric: str) -> Select[Any]:
    """Each unit of the experiment with the first moment from its trigger on at which it happened."""
    unit, link = ExperimentUnitRow, UnitLinkRow
    name, moment, conditions = _events(shop_id, experiment, metric)
    same_person = (link.shop_id == unit.shop_id) & (link.person_id == unit.person_id)
    return (
        select(unit.arm, unit.first_at, func.min(moment).label("at"))
        .select_from(unit)
        .join(link, same_person)
        .join(name.class_, and_(name == link.subject, *conditions, moment >= unit.counts_from))
        .where(
            unit.shop_id == shop_id,
            unit.experiment_id == experiment.experiment_id,
            unit.phase == experiment.running.phase,
        )
        .group_by(unit.person_id, unit.arm, unit.first_at)
    )


def _events(shop_id: ShopId, experiment: Experiment, metric: str) -> tuple[Any, Any, list[Any]]:
    """Where a metric is told: the column that names whom, that of the moment, and what else must hold."""
    since = experiment.started_at or experiment.created_at
    row: Any
    if metric == "coverage_rate":
        row = TouchpointRow
        is_it = [row.kind == IMPRESSION, row.offer_id == experiment.running.offer_id]
        return row.unit, row.occurred_at, [row.shop_id == shop_id, row.occurred_at >= since, *is_it]
    row = SignalRow
    mine = [row.shop_id == shop_id, row.occurred_at >= since]
    return row.subject, row.occurred_at, [*mine, or_(*_signs(_SIGNS[metric]))]


def _signs(kinds: Collection[str]) -> Iterator[Any]:
    """Conditions on a signal; of an opinion, that its value lies below the first that is not bad."""
    yield SignalRow.kind.in_(sorted(set(kinds) - SAID_BADLY))
    for kind in sorted(set(kinds) & SAID_BADLY):
        yield (SignalRow.kind == kind) & (SignalRow.value < SIGNALS[kind].effects[1].least)


def _counts(
    session: Session, shop_id: ShopId, experiment: Experiment, wanted: Select[Any], until: datetime | None
) -> dict[str, int]:
    """Units by arm of which it is true within the horizon, a page of units at a time."""
    horizon = timedelta(days=experiment.plan.horizon_days)
    found: dict[str, int] = {}
    for first, last in _pages(session, shop_id, experiment):
        for row in session.execute(wanted.where(ExperimentUnitRow.person_id.between(first, last))):
            if (until is None or row.first_at < until) and row.at < row.first_at + horizon:
                found[row.arm] = found.get(row.arm, 0) + 1
    return found


def _pages(session: Session, shop_id: ShopId, experiment: Experiment) -> Iterator[tuple[int, int]]:
    """First and last person of each page of the experiment's units."""
    row = ExperimentUnitRow
    mine = (
        row.shop_id == shop_id,
        row.experiment_id == experiment.experiment_id,
        row.phase == experiment.running.phase,
    )
    after = -1
    while True:
        page = select(row.person_id).where(*mine, row.person_id > after).order_by(row.person_id).limit(PAGE)
        people = list(session.scalars(page))
        if not people:
            return
        yield people[0], people[-1]
        after = people[-1]


def _times(one: Moments, count: int) -> Moments:
    return Moments(count, 0, tuple(count * value for value in one.sums), tuple(count * value for value in one.crosses))


_SIGNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "unsubscribe_rate": UNSUBSCRIBED,
        "complaint_rate": COMPLAINED | SAID_BADLY,
        "support_ticket_rate": ASKED_FOR_HELP,
    }
)

_TICKETS = frozenset({"ticket_opened", "ticket_solved", "ticket_solved_happy", "ticket_solved_unhappy"})
_SOURCES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"complaint_rate": _TICKETS | SAID_BADLY | COMPLAINED | {"dispute_closed"}, "support_ticket_rate": _TICKETS}
)

WATCHED = NEEDS.keys() | _SIGNS.keys()
"""Every guardrail that is counted here, or would be."""
