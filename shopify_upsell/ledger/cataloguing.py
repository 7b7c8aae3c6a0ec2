"""Record facts of products: the newest version wins, a deletion stays, whatever the order of arrival."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shopify_upsell.core import ProductId, RetryLater, ShopId, VariantId
from shopify_upsell.ledger.catalog import plans_to_json
from shopify_upsell.ledger.facts import NEVER, ProductFact, VariantFact
from shopify_upsell.ledger.rows import ProductRows, product_fact, product_rows
from shopify_upsell.ledger.tables import ProductRow, VariantRow, batches, lock_products, put_rows
from shopify_upsell.shops.store import get_shop


def record_products(session: Session, shop_id: ShopId, facts: Sequence[ProductFact]) -> list[ProductId]:
    """Keep each product if its version is newer than the one held. Returns the products that changed."""
    told: dict[ProductId, list[ProductFact]] = {}
    for fact in facts:
        told.setdefault(fact.product_id, []).append(fact)
    lock_products(session, shop_id, told)
    changed: list[ProductId] = []
    for batch in batches(sorted(told)):
        held = _held_products(session, shop_id, batch)
        wanted = {key: _wanted(shop_id, held.get(key), told[key], is_deleted=False) for key in batch}
        changed += _write(session, shop_id, held, wanted)
    return changed


def remove_product(session: Session, shop_id: ShopId, product_id: ProductId) -> bool:
    """Mark a product deleted, also one not heard of yet. Returns whether that was news."""
    lock_products(session, shop_id, [product_id])
    held = _held_products(session, shop_id, [product_id])
    wanted = {product_id: _wanted(shop_id, held.get(product_id), [_nameless(product_id)], is_deleted=True)}
    return bool(_write(session, shop_id, held, wanted))


def shop_currency(session: Session, shop_id: ShopId) -> str:
    """The currency of the shop's prices. Raises: RetryLater until the first call to the shop has told."""
    currency = get_shop(session, shop_id).currency
    if currency is None:
        raise RetryLater("the shop's currency is not known yet", after=timedelta(minutes=1))
    return currency


def _wanted(shop_id: ShopId, held: ProductRows | None, told: list[ProductFact], *, is_deleted: bool) -> ProductRows:
    versions = ([product_fact(held)] if held is not None else []) + told
    newest = max(versions, key=lambda fact: fact.version)
    # Nor what a piece costs and which plans there are: the newest document that told is believed.
    details = max((fact for fact in versions if fact.details_at is not None), key=_told_last, default=newest)
    # Webhooks do not say whether a product is a gift card or needs a selling plan, the Admin API does; once heard,
    # it is believed, because offering such a product by mistake is worse than not offering it.
    merged = replace(
        newest,
        is_gift_card=any(fact.is_gift_card for fact in versions),
        requires_selling_plan=any(fact.requires_selling_plan for fact in versions),
        selling_plans=details.selling_plans,
        details_at=details.details_at,
        variants=_with_costs(newest.variants, details.variants),
    )
    return product_rows(shop_id, merged, is_deleted=is_deleted or (held is not None and held.is_deleted))


def _told_last(fact: ProductFact) -> tuple[datetime, str]:
    """Order of telling; of two documents at one moment the greater text, so that the order of arrival is no matter."""
    costs = sorted(
        (variant.variant_id, -1 if variant.unit_cost is None else variant.unit_cost) for variant in fact.variants
    )
    return fact.details_at or fact.version.at, f"{plans_to_json(fact.selling_plans)}{costs}"


def _with_costs(variants: Sequence[VariantFact], told: Sequence[VariantFact]) -> tuple[VariantFact, ...]:
    cost_by_variant = {variant.variant_id: variant.unit_cost for variant in told}
    return tuple(replace(one, unit_cost=cost_by_variant.get(one.variant_id)) for one in variants)


def _write(
    session: Session, shop_id: ShopId, held: dict[ProductId, ProductRows], wanted: dict[ProductId, ProductRows]
) -> list[ProductId]:
    changed = [product_id for product_id, rows in wanted.items() if rows != held.get(product_id)]
    put_rows(session, shop_id, ProductRow, [wanted[product_id].product for product_id in changed])
    variants: list[Any] = []
    for product_id in changed:
        before = held[product_id].variants if product_id in held else {}
        after = wanted[product_id].variants
        variants += [row for variant_id, row in after.items() if row != before.get(variant_id)]
        if gone := before.keys() - after.keys():
            ours = (VariantRow.shop_id == shop_id, VariantRow.product_id == product_id)
            session.execute(delete(VariantRow).where(*ours, VariantRow.variant_id.in_(gone)))
    put_rows(session, shop_id, VariantRow, variants)
    return changed


def _held_products(session: Session, shop_id: ShopId, product_ids: Sequence[ProductId]) -> dict[ProductId, ProductRows]:
    variants: dict[int, dict[VariantId, Any]] = {}
    kept = select(VariantRow.__table__).where(VariantRow.shop_id == shop_id, VariantRow.product_id.in_(product_ids))
    for row in session.execute(kept).mappings():
        variants.setdefault(row["product_id"], {})[row["variant_id"]] = dict(row)
    products = select(ProductRow.__table__).where(ProductRow.shop_id == shop_id, ProductRow.product_id.in_(product_ids))
    return {
        row["product_id"]: ProductRows(dict(row), variants.get(row["product_id"], {}))
        for row in session.execute(products).mappings()
    }


def _nameless(product_id: ProductId) -> ProductFact:
    """Stand in for a product of which only the deletion is known."""
    nothing: tuple[VariantFact, ...] = ()
    return ProductFact(product_id, NEVER, "", "", "", False, False, False, "", "", None, "", nothing)
