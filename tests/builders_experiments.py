"""Builders for experiments: shops with one offer, decisions as they are stored, orders as they are booked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from builders_database import NOW
from builders_offers import BOOTS, a_request, a_snapshot
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import CreditRow
from shopify_upsell.core import CustomerId, DecisionId, OfferId, OrderId, ShopId, digest_of
from shopify_upsell.experiments.assignment import Arm
from shopify_upsell.experiments.kinds import ExperimentPlan, primary_metric
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.experiments.running import RunningExperiment, arms_for
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow
from shopify_upsell.offers.arms import arm_plans, discounts_differ, patched
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.decisions import save_decisions
from shopify_upsell.offers.experiment_store import (
    Experiment,
    ExperimentDraft,
    ExperimentRow,
    create_experiment,
    read_experiment,
    start_experiment,
)
from shopify_upsell.offers.offer import Offer, OfferDraft
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.store import save_offer
from shopify_upsell.reports.outcome_tables import ExperimentArmRow, ExperimentUnitRow, OrderCostRow

LAUNCH = NOW - timedelta(days=25)
"""7 October: early enough in its quarter for a test of some weeks."""

SALT = "the shop's own salt"


def a_live_offer(session: Session, shop_id: ShopId, **changes: Any) -> Offer:
    """A live cross-sell on the product page."""
    draft = OfferDraft("cross_sell", "Beside it", ("theme/product_page",))
    return save_offer(session, shop_id, replace(draft, **changes), now=LAUNCH)


def an_experiment(
    session: Session, shop_id: ShopId, offer: Offer, kind: str, patches: dict[str, dict[str, Any]], **plan: Any
) -> Experiment:
    """An experiment with equal arms, started at launch. Give its group as `group`, and `salt` to fix who is where."""
    names = ("control", *patches)
    shares = {name: 10_000 // len(names) for name in names}
    shares["control"] += 10_000 - sum(shares.values())
    # A random salt would put other people into the arms each time: an A/A test would fail now and then, as it should.
    held = session.scalar(select(func.count()).select_from(ExperimentRow).where(ExperimentRow.shop_id == shop_id))
    salt, group = plan.pop("salt", f"a salt of the tests, {held}"), plan.pop("group", None)
    traffic = plan.pop("traffic_basis_points", 10_000)
    arms = arm_plans(kind, offer, shares, patches)
    differs = discounts_differ(offer, arms)
    given = {
        "kind": kind,
        "objective": "earn more",
        "hypothesis": "it helps",
        "primary_metric": primary_metric(kind, discounts_differ=differs),
        "arms": tuple(Arm(arm.name, arm.basis_points) for arm in arms),
        "n_max": 2_000,
        "discounts_differ": differs,
    }
    written = ExperimentPlan(**given | {"horizon_days": 60 if kind == "time_window" else 14} | plan)
    draft = ExperimentDraft(offer.offer_id, "An experiment", written, arms, group, traffic)
    created = create_experiment(session, shop_id, draft, now=LAUNCH)
    if salt is not None:
        session.get(ExperimentRow, created.experiment_id).salt = salt
        session.flush()
    return start_experiment(session, shop_id, read_experiment(session, shop_id, created.experiment_id).experiment_id,
                            now=LAUNCH)  # fmt: skip


def a_decision(
    shop_id: ShopId,
    offers: tuple[Offer, ...],
    at: datetime,
    *,
    visitor: str | None = None,
    customer: int | None = None,
    experiments: tuple[RunningExperiment, ...] = (),
    holdout_basis_points: int = 0,
    unit: str | None = None,
    **request: Any,
) -> Decision:
    """A decision as the app makes it: the quarter's holdout first, then the unit's arms, then the pipeline.

    `unit`: the name it counts for, where that is not the best known one.
    """
    holdout = quarter_holdout(SALT, at, holdout_basis_points)
    asked = a_request(
        BOOTS,
        shop_id=shop_id,
        visitor_id=visitor,
        customer_id=None if customer is None else CustomerId(customer),
        **request,
    )
    snapshot = a_snapshot(
        request=asked, offers=offers, now=at, holdout_salt=holdout.salt, holdout_basis_points=holdout.basis_points
    )
    name = unit or next(iter(asked.subjects), None)
    first = decide_from(snapshot)
    arms = arms_for(experiments, name, is_holdout=first.is_holdout)
    answer = decide_from(replace(snapshot, offers=patched(offers, arms, experiments)))
    return Decision(
        decision_id=DecisionId(digest_of([shop_id, at.isoformat(), name, request.get("placement"), customer])[:32]),
        shop_id=shop_id,
        decided_at=at,
        placement=asked.placement,
        answer=replace(answer, unit=name),
        inputs=snapshot,
        engine_version=ENGINE_VERSION,
    )


def store(session: Session, shop_id: ShopId, *decisions: Decision) -> None:
    """Keep decisions."""
    save_decisions(session, shop_id, list(decisions))


def book_order(
    session: Session,
    shop_id: ShopId,
    order_id: int,
    net: int,
    at: datetime,
    *,
    customer: int | None = None,
    cart: str | None = None,
    claimed: int = 0,
    refunded: int = 0,
) -> OrderId:
    """Store, or replace, a booked order of one line worth `net` cents, of which offers claim some."""
    for table in (CreditRow, OrderLineRow, OrderRow):
        session.execute(table.__table__.delete().where(table.shop_id == shop_id, table.order_id == order_id))
    session.add(
        OrderRow(
            shop_id=shop_id,
            order_id=order_id,
            ordered_at=at,
            is_booked=True,
            financial_status="paid",
            currency="USD",
            presentment_currency="USD",
            customer_id=customer,
            cart_token=cart,
            version_at=at,
            version_triggered_at=at,
            version_digest=digest_of([order_id, net]),
        )
    )
    session.add(
        OrderLineRow(
            shop_id=shop_id,
            order_id=order_id,
            line_id=order_id * 10,
            position=1,
            product_id=1,
            variant_id=11,
            quantity=1,
            net_quantity=1 if net else 0,
            unit_price_minor_units=net + refunded,
            gross_minor_units=net + refunded,
            discount_minor_units=0,
            tax_minor_units=0,
            refunded_minor_units=refunded,
            net_minor_units=net,
        )
    )
    if claimed:
        session.add(
            CreditRow(
                shop_id=shop_id,
                order_id=order_id,
                line_id=order_id * 10,
                credit_class="direct",
                offer_id=OfferId(1),
                decision_id="d",
                book="cross_sell",
                placement="theme/product_page",
                quantity=1,
                amount_minor_units=claimed,
                currency="USD",
            )
        )
    session.flush()
    return OrderId(order_id)


def counted(session: Session, shop_id: ShopId) -> list[list[tuple[Any, ...]]]:
    """Everything that is counted of a shop's experiments, as plain rows."""
    session.flush()
    found = []
    for table in (ExperimentUnitRow, ExperimentArmRow):
        core = table.__table__
        rows = session.execute(select(core).where(table.shop_id == shop_id).order_by(*core.primary_key.columns))
        found.append([tuple(row)[1:] for row in rows])
    return found


def kept_costs(session: Session, shop_id: ShopId) -> dict[tuple[int, int], tuple[int, bool]]:
    """Unit costs that are kept with orders."""
    rows = session.scalars(select(OrderCostRow).where(OrderCostRow.shop_id == shop_id))
    return {(row.order_id, row.variant_id): (row.unit_cost, row.is_assumed) for row in rows}
