"""Builders of the offers station: each takes only what matters to the test that calls it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from builders_database import NOW
from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, OfferId, ProductId, ShopId, VariantId, digest_of
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, CourtesyState, spend
from shopify_upsell.customers.dismissals import Dismissal, Scope
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.ledger.tables import OrderLineRow, OrderRow, ProductRow, VariantRow
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.matrix.timed import COMPLEMENT, NO_INTERVAL, TimingWord
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import Candidate, CandidateItem, Decision
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.snapshot import CartLine, CatalogProduct, CatalogVariant, OfferRequest, Snapshot

BOOTS, SOCKS, WAX, LACES, BRUSH = (ProductId(number) for number in (1, 2, 3, 4, 5))
SHOP = ShopId(1)


def variant_id_of(product_id: int, position: int = 1) -> VariantId:
    """The id that builders give a product's variant."""
    return VariantId(product_id * 10 + position)


def a_variant(product_id: int = BOOTS, position: int = 1, **changes: Any) -> CatalogVariant:
    """A variant that can be bought for 20.00 USD."""
    variant = CatalogVariant(
        variant_id=variant_id_of(product_id, position),
        position=position,
        title="",
        price=Money(2000, "USD"),
        is_available=True,
        requires_components=False,
    )
    return replace(variant, **changes)


def a_product(product_id: int = BOOTS, *, sizes: tuple[tuple[str, int], ...] = (), **changes: Any) -> CatalogProduct:
    """An active product; `sizes` are (title, price in cents) of its variants, else it has one for 20.00 USD."""
    variants = tuple(
        a_variant(product_id, position, title=title, price=Money(price, "USD"))
        for position, (title, price) in enumerate(sizes, 1)
    )
    product = CatalogProduct(
        product_id=ProductId(product_id),
        title=f"Product {product_id}",
        handle=f"product-{product_id}",
        status="ACTIVE",
        is_published=True,
        is_gift_card=False,
        requires_selling_plan=False,
        is_deleted=False,
        image_url=None,
        variants=variants or (a_variant(product_id),),
    )
    return replace(product, **changes)


def a_companion(product_id: int = SOCKS, score: float = 0.3, **changes: Any) -> Companion:
    """A companion seen in 30 of the anchor's 60 orders, in a shop of 1,000."""
    companion = Companion(
        product_id=ProductId(product_id),
        pair_count=30,
        anchor_count=60,
        companion_count=80,
        basket_count=1000,
        score=score,
    )
    return replace(companion, **changes)


def an_edge(anchor: int = BOOTS, companion: int = SOCKS, **changes: Any) -> PairWord:
    """A learned word: owners of the anchor bought the companion once where 20 were due."""
    word = PairWord(
        anchor_product_id=ProductId(anchor),
        companion_product_id=ProductId(companion),
        source="learned",
        reason="pair",
        upper_bound=0.28,
        n=60,
        review_at=NOW + timedelta(days=90),
        observed=1.0,
        expected=20.0,
    )
    return replace(word, **changes)


def a_word(
    anchor: int = BOOTS, companion: int = SOCKS, window: tuple[int, int] | None = (30, 60), **changes: Any
) -> TimingWord:
    """A learned word of a pair: the companion follows 30 to 60 days after the anchor arrived."""
    word = TimingWord(
        anchor_product_id=ProductId(anchor),
        companion_product_id=ProductId(companion),
        level="pair",
        window=window,
        blocked=(),
        peaks_at_zero=False,
        n=250,
        interval=NO_INTERVAL,
        source="learned",
        relation=COMPLEMENT,
    )
    return replace(word, **changes)


def owning(*products: int, days_ago: float = 40, **changes: Any) -> dict[ProductId, OwnedProduct]:
    """One piece of each product, delivered so many days ago, ordered three days before that."""
    delivered_at = NOW - timedelta(days=days_ago)
    return {
        ProductId(number): replace(
            OwnedProduct(ProductId(number), 1, 1, delivered_at - timedelta(days=3), delivered_at, False), **changes
        )
        for number in products
    }


def a_dismissal(until: float = 30, subject: str = "v:a", **scope: int) -> Dismissal:
    """A dismissal of a scope (offer_id, anchor_product_id, product_id) that is in force for so many days yet."""
    return Dismissal(subject, Scope(**scope), 1, NOW - timedelta(days=1), NOW + timedelta(days=until))


def having_seen(*offers_and_hours_ago: tuple[int, float]) -> CourtesyState:
    """The state of somebody who saw a card of each offer named so many hours ago."""
    state = NOTHING_SHOWN
    for offer_id, hours in sorted(offers_and_hours_ago, key=lambda card: -card[1]):
        state = spend(state, [OfferId(offer_id)], now=NOW - timedelta(hours=hours))
    return state


def a_decision(snapshot: Snapshot | None = None, **changes: Any) -> Decision:
    """The decision on a snapshot, or on the usual one with changes."""
    inputs = snapshot or a_snapshot(**changes)
    return Decision(
        decision_id=DecisionId("d1"),
        shop_id=SHOP,
        decided_at=inputs.now,
        placement=inputs.request.placement,
        answer=decide_from(inputs),
        inputs=inputs,
        engine_version=ENGINE_VERSION,
    )


def an_offer(offer_id: int = 1, kind: str = "cross_sell", **changes: Any) -> Offer:
    """A live automatic offer for product page, cart and post-purchase."""
    offer = Offer(
        offer_id=OfferId(offer_id),
        kind=kind,
        name="An offer",
        state="live",
        placements=("theme/product_page", "theme/cart", "post_purchase/offer"),
        anchors=None,
        companions=None,
        discount_basis_points=0,
        version=1,
    )
    return replace(offer, **changes)


def a_cart(*products: int, quantity: int = 1) -> tuple[CartLine, ...]:
    """Cart lines with the first variant of each product."""
    return tuple(CartLine(variant_id_of(product), ProductId(product), quantity) for product in products)


def a_request(*anchors: int, **changes: Any) -> OfferRequest:
    """A request of a product page; boots by default."""
    request = OfferRequest(
        shop_id=SHOP,
        placement="theme/product_page",
        anchor_product_ids=tuple(ProductId(anchor) for anchor in anchors or (BOOTS,)),
    )
    return replace(request, **changes)


def a_snapshot(
    *,
    request: OfferRequest | None = None,
    offers: tuple[Offer, ...] | None = None,
    companions: dict[int, tuple[Companion, ...]] | None = None,
    products: tuple[CatalogProduct, ...] | None = None,
    suppressions: tuple[Suppression, ...] = (),
    **changes: Any,
) -> Snapshot:
    """Boots with socks (0.3), wax (0.2) and laces (0.1) beside them, one cross-sell, nobody held out."""
    known = tuple(a_product(number) for number in (BOOTS, SOCKS, WAX, LACES, BRUSH))
    rows = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2), a_companion(LACES, 0.1))}
    snapshot = Snapshot(
        engine_version="1",
        now=NOW,
        currency="USD",
        request=request or a_request(),
        offers=(an_offer(),) if offers is None else offers,
        matrix_version=3,
        companions=rows if companions is None else {ProductId(key): row for key, row in companions.items()},
        products={one.product_id: one for one in {p.product_id: p for p in (*known, *(products or ()))}.values()},
        suppressions=suppressions,
        holdout_salt="salt",
        holdout_basis_points=0,
    )
    return replace(snapshot, **changes)


def a_candidate(*products: int, **changes: Any) -> Candidate:
    """A cross-sell of socks beside boots, or of the products given."""
    items = tuple(CandidateItem(ProductId(number), variant_id_of(number)) for number in products or (SOCKS,))
    candidate = Candidate(
        offer=an_offer(),
        anchor_product_id=BOOTS,
        items=items,
        score=0.3,
        reason_code="often_bought_together",
        evidence=(a_companion(items[0].product_id),),
    )
    return replace(candidate, **changes)


def add_products(session: Session, shop_id: ShopId, *products: CatalogProduct) -> None:
    """Store products as the ledger would."""
    for product in products:
        session.add(
            ProductRow(
                shop_id=shop_id,
                product_id=product.product_id,
                title=product.title,
                handle=product.handle,
                status=product.status,
                is_published=product.is_published,
                is_gift_card=product.is_gift_card,
                requires_selling_plan=product.requires_selling_plan,
                is_deleted=product.is_deleted,
                image_url=product.image_url,
                version_at=NOW,
                version_triggered_at=NOW,
                version_digest="0",
            )
        )
        session.add_all(_variant_row(shop_id, product, variant) for variant in product.variants)
    session.flush()


def add_order(session: Session, shop_id: ShopId, order_id: int, *products: int) -> None:
    """Store a booked order with one line a product."""
    session.add(
        OrderRow(
            shop_id=shop_id,
            order_id=order_id,
            ordered_at=NOW,
            is_booked=True,
            financial_status="paid",
            currency="USD",
            presentment_currency="USD",
            version_at=NOW,
            version_triggered_at=NOW,
            version_digest=digest_of(order_id),
        )
    )
    session.add_all(_line_row(shop_id, order_id, position, product) for position, product in enumerate(products, 1))
    session.flush()


def _variant_row(shop_id: ShopId, product: CatalogProduct, variant: CatalogVariant) -> VariantRow:
    return VariantRow(
        shop_id=shop_id,
        variant_id=variant.variant_id,
        product_id=product.product_id,
        position=variant.position,
        title=variant.title,
        price_minor_units=variant.price.minor_units,
        currency=variant.price.currency,
        is_available=variant.is_available,
        requires_components=variant.requires_components,
    )


def _line_row(shop_id: ShopId, order_id: int, position: int, product_id: int) -> OrderLineRow:
    return OrderLineRow(
        shop_id=shop_id,
        order_id=order_id,
        line_id=order_id * 100 + position,
        position=position,
        product_id=product_id,
        variant_id=variant_id_of(product_id),
        quantity=1,
        net_quantity=1,
        unit_price_minor_units=2000,
        gross_minor_units=2000,
        discount_minor_units=0,
        tax_minor_units=0,
        net_minor_units=2000,
    )
