"""What is measured of a shop for its next actions: a handful of queries, each of a few rows."""

from datetime import timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.customers.readiness import HOLD
from shopify_upsell.customers.signal_store import customers_by_state
from shopify_upsell.ledger.ownership import ProductHealthRow, poor_products
from shopify_upsell.ledger.store import ledger_totals, products_by_id
from shopify_upsell.ledger.tables import ProductRow, VariantRow
from shopify_upsell.offers.choice import LIMITS
from shopify_upsell.offers.launch import failing
from shopify_upsell.offers.launching import Launch, check_offer
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.regret_store import incidents
from shopify_upsell.offers.settings_store import read_settings_of
from shopify_upsell.offers.store import all_offers, read_costs
from shopify_upsell.reports.next_actions import WHOLE, DraftFact, IncidentFact, SellingFact, ShopFacts
from shopify_upsell.shops.store import get_shop

MOST_PRODUCTS = 5
MOST_DRAFTS = 5
MOST_ON_HOLD = 200
"""Customers counted as on hold: beyond that the number says no more."""


def read_action_facts(session: Session, launch: Launch) -> ShopFacts:
    """Read the facts of one shop at this moment."""
    shop_id = launch.shop_id
    currency = get_shop(session, shop_id).currency or ""
    orders, value = _orders(session, launch, currency)
    offers = all_offers(session, shop_id)
    held = customers_by_state(session, shop_id, HOLD, now=launch.now, limit=MOST_ON_HOLD)
    return ShopFacts(
        currency=currency,
        margin_basis_points=WHOLE - read_costs(session, shop_id).goods_basis_points,
        order_count=orders,
        order_value=value // orders if orders else 0,
        sold_out=_sold_out(session, shop_id),
        poor=_poor(session, shop_id),
        uncosted=_uncosted(session, shop_id),
        drafts=_drafts(session, launch, [offer for offer in offers if offer.state == "draft"]),
        incidents=_incidents(session, shop_id),
        empty_placements=tuple(place for place in LIMITS if not _is_served(place, offers)),
        hold_count=len(held.customers),
    )


def _orders(session: Session, launch: Launch, currency: str) -> tuple[int, int]:
    since = launch.now - timedelta(days=30)
    totals = [one for one in ledger_totals(session, launch.shop_id, since=since) if one.currency == currency]
    booked = sum(one.order_count - one.unbooked_count for one in totals)
    return booked, sum(max(one.net, 0) for one in totals)


def _is_served(placement: str, offers: tuple[Offer, ...]) -> bool:
    return any(offer.state == "live" and placement in offer.placements for offer in offers)


def _drafts(session: Session, launch: Launch, drafts: list[Offer]) -> tuple[DraftFact, ...]:
    return tuple(
        DraftFact(draft.offer_id, len(failing(check_offer(session, launch, draft)))) for draft in drafts[:MOST_DRAFTS]
    )


def _incidents(session: Session, shop_id: ShopId) -> tuple[IncidentFact, ...]:
    found = incidents(session, shop_id, only_open=True)
    return tuple(
        IncidentFact(one.offer_id, int(one.numbers["taken_count"]), int(one.numbers["regretted_count"]))
        for one in found
        if "taken_count" in one.numbers
    )


def _poor(session: Session, shop_id: ShopId) -> tuple[SellingFact, ...]:
    limits = read_settings_of(session, shop_id).health
    rate = limits.most_refunded_basis_points / WHOLE
    found = poor_products(session, shop_id, refund_rate=rate, fewest_sold=limits.fewest_sold)
    worst = sorted(found, key=lambda product: (-found[product].refunded, product))[:MOST_PRODUCTS]
    products = products_by_id(session, shop_id, worst)
    return tuple(
        SellingFact(product, found[product].sold, found[product].refunded, _cheapest(products, product))
        for product in worst
        if product in products
    )


def _cheapest(products: Any, product: int) -> int:
    return min((variant.price.minor_units for variant in products[product].variants), default=0)


def _sold_out(session: Session, shop_id: ShopId) -> tuple[SellingFact, ...]:
    available = func.sum(case((VariantRow.is_available, 1), else_=0))
    return _selling(session, _best_sellers(shop_id).having(available == 0))


def _uncosted(session: Session, shop_id: ShopId) -> tuple[SellingFact, ...]:
    costed = func.sum(case((VariantRow.unit_cost_minor_units.is_not(None), 1), else_=0))
    return _selling(session, _best_sellers(shop_id).having(costed == 0))


def _best_sellers(shop_id: ShopId) -> Any:
    """Products that sell, the most sold first."""
    health, variant, product = ProductHealthRow, VariantRow, ProductRow
    same_variant = (variant.shop_id == health.shop_id) & (variant.product_id == health.product_id)
    same_product = (product.shop_id == health.shop_id) & (product.product_id == health.product_id)
    return (
        select(health.product_id, health.sold, health.refunded, func.min(variant.price_minor_units))
        .join(variant, same_variant)
        .join(product, same_product)
        .where(health.shop_id == shop_id, health.sold > 0, ~product.is_deleted, product.status == "ACTIVE")
        .group_by(health.product_id, health.sold, health.refunded)
        .order_by(health.sold.desc(), health.product_id)
        .limit(MOST_PRODUCTS)
    )


def _selling(session: Session, wanted: Any) -> tuple[SellingFact, ...]:
    return tuple(SellingFact(*(int(value) for value in row)) for row in session.execute(wanted))
