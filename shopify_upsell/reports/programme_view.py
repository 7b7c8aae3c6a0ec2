"""The whole programme as a merchant reads it: what offers caused beside what they claim, customers, pairs, assumptions.

Gathers in one reading transaction; everything shown is of one moment.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.experiments.layers import HOLDOUT_ID
from shopify_upsell.reports.arm_figures import ArmFigures, arm_figures, known_members
from shopify_upsell.reports.assumptions import Assumption, assumptions_of
from shopify_upsell.reports.customer_figures import CustomerFigures, customer_figures
from shopify_upsell.reports.freshness import read_freshness
from shopify_upsell.reports.kept import KeptHistory, read_kept, zone_of
from shopify_upsell.reports.lifetime_by_arm import lifetimes
from shopify_upsell.reports.month import Freshness
from shopify_upsell.reports.outcome_store import first_exposed_at, phases_of, records_in
from shopify_upsell.reports.outcomes import quarter_end
from shopify_upsell.reports.pair_figures import PairAttach, attach_figures, pairs_to_tell
from shopify_upsell.reports.programme import BLOCKED, NO_HOLDOUT, NOT_ENOUGH, ProgrammeReport, programme_report
from shopify_upsell.reports.targets import targets
from shopify_upsell.shops.store import get_shop

NOT_FIGURES = ("units", "arms.survival")
"""Parts of the document that hold counts or curves by arm, and no figure of their own."""

HIDDEN = (BLOCKED, NO_HOLDOUT, NOT_ENOUGH)
"""Verdicts under which nothing is compared by arm either."""


@dataclass(frozen=True, slots=True)
class ProgrammeView:
    """One quarter of a shop. `arms` None while nothing may be compared: `report.verdict` says why."""

    fresh: Freshness
    report: ProgrammeReport
    arms: ArmFigures | None
    customers: CustomerFigures
    pairs: tuple[PairAttach, ...]
    assumptions: tuple[Assumption, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "freshness": self.fresh.to_json(),
            "programme": self._marked(self.report.to_json(), ""),
            "arms": self._marked(self.arms.to_json(), "arms.") if self.arms is not None else None,
            "customers": self.customers.to_json(),
            "attach_rates": [one.to_json() for one in self.pairs],
            "assumptions": [asdict(one) for one in self.assumptions],
        }

    def _marked(self, document: dict[str, Any], above: str) -> dict[str, Any]:
        """Say of every figure whether it, or a part of it, rests on an assumption: `assumed` true or false."""
        resting = {figure for one in self.assumptions for figure in one.figures}
        for name, found in document.items():
            path = f"{above}{name}"
            is_assumed = any(figure == path or figure.startswith(f"{path}.") for figure in resting)
            for each in found if isinstance(found, list) else [found]:
                if isinstance(each, dict) and path not in NOT_FIGURES:
                    each["assumed"] = is_assumed
        return document


def programme_view(
    session: Session, shop_id: ShopId, *, now: datetime, holdout_basis_points: int, quarter: int | None = None
) -> ProgrammeView:
    """Read a quarter, by default the present one."""
    report = programme_report(session, shop_id, now=now, holdout_basis_points=holdout_basis_points, quarter=quarter)
    history = read_kept(session, shop_id, now=now)
    arms = None if report.verdict in HIDDEN else _arms(session, shop_id, report.quarter, history, now)
    return ProgrammeView(
        fresh=read_freshness(session, shop_id, now=now),
        report=report,
        arms=arms,
        customers=customer_figures(history),
        pairs=tuple(attach_figures(session, shop_id, history, pairs_to_tell(session, shop_id))),
        assumptions=assumptions_of(report, arms, history),
    )


def _arms(session: Session, shop_id: ShopId, quarter: int, history: KeptHistory, now: datetime) -> ArmFigures:
    records = list(records_in(session, shop_id, HOLDOUT_ID, quarter))
    started, target = _started_on(session, shop_id), _target(session, shop_id, history, now)
    lifetime = lifetimes(history, known_members(records, history), started_on=started, target=target)
    return arm_figures(records, history, lifetime, until=min(now, quarter_end(quarter)))


def _started_on(session: Session, shop_id: ShopId) -> date | None:
    """The day, by the shop's clock, on which the first shopper ever met the programme."""
    quarters = phases_of(session, shop_id, HOLDOUT_ID)
    first = first_exposed_at(session, shop_id, HOLDOUT_ID, quarters[0]) if quarters else None
    return None if first is None else first.astimezone(zone_of(get_shop(session, shop_id).time_zone)).date()


def _target(session: Session, shop_id: ShopId, history: KeptHistory, now: datetime) -> int | None:
    """What the merchant wants a customer to bring in a year: the goal of this month. For show alone."""
    wanted = ("annualised_customer_value", f"{now:%Y-%m}", history.currency)
    goals = (one.goal for one in targets(session, shop_id) if (one.metric, one.month, one.currency) == wanted)
    return next(goals, None)
