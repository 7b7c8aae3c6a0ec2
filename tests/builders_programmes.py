"""Small simulated shops whose truth is planted: visitors, decisions, orders and credits, in the real tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from builders_experiments import LAUNCH, a_decision, store
from sqlalchemy.orm import Session

from shopify_upsell.attribution.tables import CreditRow
from shopify_upsell.core import ShopId
from shopify_upsell.experiments.running import RunningExperiment
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, put_rows
from shopify_upsell.offers.offer import Offer

VARIANT = 11


@dataclass(frozen=True)
class Spending:
    """What one visitor does. Units: cents; `claimed` of `net`; `refunded` beside it; `listed`: the price unreduced."""

    net: int = 0
    claimed: int = 0
    refunded: int = 0
    listed: int | None = None


@dataclass(frozen=True)
class World:
    """A shop with visitors. `spends` says what each does, by names of arms (holdout, open, control, …) and chance."""

    visitors: int
    spends: Callable[[set[str], np.random.Generator], Spending]
    holdout_basis_points: int = 0
    days: int = 14
    seed: int = 1


def live_through(
    session: Session, shop_id: ShopId, offer: Offer, world: World, experiments: tuple[RunningExperiment, ...] = ()
) -> None:
    """Let every visitor see a page, and some of them order within the hour."""
    from shopify_upsell.experiments.running import arms_for

    chance = np.random.default_rng(world.seed)
    decisions, orders, lines, credits = [], [], [], []
    for number in range(world.visitors):
        at = LAUNCH + timedelta(hours=1) + timedelta(days=world.days) * (number / world.visitors)
        made = a_decision(
            shop_id, (offer,), at, visitor=f"w{number}", cart_token=f"cart-{number}", experiments=experiments,
            holdout_basis_points=world.holdout_basis_points,
        )  # fmt: skip
        decisions.append(made)
        place = {"holdout" if made.is_holdout else "open"}
        place |= {one.arm for one in arms_for(experiments, f"v:w{number}", is_holdout=made.is_holdout)}
        spent = world.spends(place, chance)
        if spent.net or spent.refunded:
            orders.append(_order(shop_id, number, at))
            lines.append(_line(shop_id, number, spent))
        if spent.claimed:
            credits.append(_credit(shop_id, number, spent))
    store(session, shop_id, *decisions)
    put_rows(session, shop_id, OrderRow, orders)
    put_rows(session, shop_id, OrderLineRow, lines)
    put_rows(session, shop_id, CreditRow, credits)


def _order(shop_id, number, at):
    when = at + timedelta(minutes=20)
    return {
        "shop_id": shop_id, "order_id": number + 1, "ordered_at": when, "is_booked": True, "financial_status": "paid",
        "currency": "USD", "presentment_currency": "USD", "cart_token": f"cart-{number}", "residual_minor_units": 0,
        "version_at": when, "version_triggered_at": when, "version_digest": "1", "is_deleted": False, "is_test": False,
        "taxes_included": False, "source_name": "web", "customer_id": None,
    }  # fmt: skip


def _line(shop_id, number, spent):
    gross = spent.net + spent.refunded
    return {
        "shop_id": shop_id, "order_id": number + 1, "line_id": number + 1, "position": 1, "product_id": 1,
        "variant_id": VARIANT, "quantity": 1, "net_quantity": int(spent.net > 0),
        "unit_price_minor_units": spent.listed or gross,
        "gross_minor_units": gross, "discount_minor_units": 0, "tax_minor_units": 0,
        "refunded_minor_units": spent.refunded, "removed_minor_units": 0, "net_minor_units": spent.net,
        "is_gift_card": False,
    }  # fmt: skip


def _credit(shop_id, number, spent):
    return {
        "shop_id": shop_id, "order_id": number + 1, "line_id": number + 1, "credit_class": "direct", "offer_id": 1,
        "decision_id": "d", "book": "cross_sell", "placement": "theme/product_page", "quantity": 1,
        "amount_minor_units": spent.claimed, "currency": "USD",
    }  # fmt: skip
