"""How many attach: both attach rates of pairs, each by its own name, with counts and 95 % intervals.

Comes in: what customers kept, and how many orders hold which products. Goes out: per pair the share of customers and
the share of orders. Which pairs, when nobody says: those that live offers name, and those most often bought together.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, NotFound, ProductId, ShopId, gid
from shopify_upsell.ledger.tables import ProductRow
from shopify_upsell.matrix.tables import PairCountRow, ProductCountRow
from shopify_upsell.offers.store import live_offers
from shopify_upsell.reports.customer_figures import Share, share_of
from shopify_upsell.reports.figures import AttachRate, attach_rates
from shopify_upsell.reports.kept import KeptHistory

Pair = tuple[ProductId, ProductId]

MOST_PAIRS = 20
"""Pairs told when none is asked for. Source: our choice."""

ATTACH_DAYS = 90
"""Days within which a companion counts as attached. Source: our choice: the lapse horizon of measurement 6."""


@dataclass(frozen=True, slots=True)
class PairAttach:
    """Both attach rates of one pair. They answer different questions, so each keeps its name.

    `customers`: of the customers who own the anchor and did not own the companion before, those who bought and kept it
    within the window; the one that merchants see first. `orders`: of the orders with the anchor, those that hold both.
    `cohorts`: the first by month of the first anchor.
    """

    anchor_id: ProductId
    companion_id: ProductId
    titles: tuple[str, str]
    customers: Share
    orders: Share
    cohorts: tuple[AttachRate, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values with global ids."""
        cohorts = [{"cohort": one.cohort, **asdict(share_of(one.attached, one.eligible))} for one in self.cohorts]
        return {
            "anchor": gid("Product", self.anchor_id),
            "companion": gid("Product", self.companion_id),
            "anchor_title": self.titles[0],
            "companion_title": self.titles[1],
            "customer_attach_rate": asdict(self.customers),
            "order_attach_rate": asdict(self.orders),
            "customer_attach_rate_by_cohort": cohorts,
        }


def attach_figures(
    session: Session, shop_id: ShopId, history: KeptHistory, pairs: Sequence[Pair], *, window_days: int = ATTACH_DAYS
) -> list[PairAttach]:
    """Count both attach rates of each pair, in the order given."""
    by_cohort = attach_rates(history.lines, pairs, window_days=window_days, today=history.today)
    orders = _order_counts(session, shop_id, pairs)
    titles = titles_of(session, shop_id, {product for pair in pairs for product in pair})
    found = []
    for anchor, companion in pairs:
        cohorts = tuple(one for one in by_cohort if (one.anchor_id, one.companion_id) == (anchor, companion))
        whole = share_of(sum(one.attached for one in cohorts), sum(one.eligible for one in cohorts))
        names = (titles.get(anchor, ""), titles.get(companion, ""))
        found.append(PairAttach(anchor, companion, names, whole, share_of(*orders[anchor, companion]), cohorts))
    return found


def pairs_to_tell(session: Session, shop_id: ShopId) -> list[Pair]:
    """Pairs that live offers name, then those most often bought together, the rarer product as the anchor."""
    named = (
        (anchor, companion)
        for offer in live_offers(session, shop_id)
        for anchor in offer.anchors or ()
        for companion in offer.companions or ()
        if anchor != companion
    )
    row = PairCountRow
    often = select(row.product_a, row.product_b).where(row.shop_id == shop_id)
    rows = session.execute(often.order_by(row.n.desc(), row.product_a, row.product_b).limit(MOST_PAIRS)).all()
    sold = _product_counts(session, shop_id, [product for pair in rows for product in pair])
    known = ((ProductId(first), ProductId(second)) for first, second in rows)
    together = ((a, b) if (sold.get(a, 0), a) <= (sold.get(b, 0), b) else (b, a) for a, b in known)
    return list(dict.fromkeys((*named, *together)))[:MOST_PAIRS]


def require_pair(session: Session, shop_id: ShopId, anchor: ProductId, companion: ProductId) -> Pair:
    """Check that both are products of the shop. Raises: NotFound, InvalidInput for a product beside itself."""
    if anchor == companion:
        raise InvalidInput("anchor and companion are two products")
    known = select(ProductRow.product_id).where(
        ProductRow.shop_id == shop_id, ProductRow.product_id.in_([anchor, companion])
    )
    if len(session.scalars(known).all()) < 2:
        raise NotFound("no such product")
    return anchor, companion


def titles_of(session: Session, shop_id: ShopId, products: Collection[ProductId]) -> dict[ProductId, str]:
    """What products are called; unknown ones are absent."""
    row = ProductRow
    named = select(row.product_id, row.title).where(row.shop_id == shop_id, row.product_id.in_(sorted(products)))
    return {ProductId(found.product_id): found.title for found in session.execute(named)}


def _order_counts(session: Session, shop_id: ShopId, pairs: Sequence[Pair]) -> dict[Pair, tuple[int, int]]:
    """Orders with both, and orders with the anchor, as the matrix counts them."""
    products = sorted({product for pair in pairs for product in pair})
    sold = _product_counts(session, shop_id, products)
    row = PairCountRow
    counted = select(row.product_a, row.product_b, row.n).where(
        row.shop_id == shop_id, row.product_a.in_(products), row.product_b.in_(products)
    )
    both = {(found.product_a, found.product_b): found.n for found in session.execute(counted)}
    return {pair: (both.get((min(pair), max(pair)), 0), sold.get(pair[0], 0)) for pair in pairs}


def _product_counts(session: Session, shop_id: ShopId, products: Sequence[int]) -> dict[int, int]:
    row = ProductCountRow
    counted = select(row.product_id, row.n).where(row.shop_id == shop_id, row.product_id.in_(products))
    return {found.product_id: found.n for found in session.execute(counted)}
