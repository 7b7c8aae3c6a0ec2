"""Tables and queries of offers and of the shop's costs."""

import json
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import NotFound, OfferId, ProductId, ShopId
from shopify_upsell.database import Base, OwnId, UtcDateTime, dialect_insert
from shopify_upsell.offers.costs import ASSUMED_COSTS, Costs, check_costs, costs_from_json, costs_to_json
from shopify_upsell.offers.kinds.registry import KINDS, VALIDATORS
from shopify_upsell.offers.offer import Offer, OfferDraft, check_draft
from shopify_upsell.offers.terms import PERCENTAGE
from shopify_upsell.offers.terms_json import terms_from_json, terms_to_json


class OfferRow(Base):
    """What a merchant may show.

    JSON columns: `placements`, `anchors` and `companions` (null: any, or the matrix), `terms` (what is not standard).
    """

    __tablename__ = "offer"
    __table_args__ = (Index("ix_offer_shop", "shop_id", "state"),)

    offer_id: Mapped[int] = mapped_column(OwnId, primary_key=True, autoincrement=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"))
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="draft")
    placements: Mapped[str] = mapped_column(Text)
    anchors: Mapped[str | None] = mapped_column(Text)
    companions: Mapped[str | None] = mapped_column(Text)
    discount_basis_points: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    terms: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopCostsRow(Base):
    """What a merchant stated of the shop's costs. `costs`: JSON; what is missing there is assumed."""

    __tablename__ = "shop_costs"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    costs: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


def save_costs(session: Session, shop_id: ShopId, costs: Costs, *, now: datetime) -> Costs:
    """Keep the costs that the merchant stated, `costs.known`. Raises: InvalidInput."""
    check_costs(costs)
    values = {"costs": costs_to_json(costs), "updated_at": now}
    insert = dialect_insert(session)(ShopCostsRow).values(shop_id=shop_id, **values)
    session.execute(insert.on_conflict_do_update(index_elements=["shop_id"], set_=values))
    return read_costs(session, shop_id)


def read_costs(session: Session, shop_id: ShopId) -> Costs:
    """The shop's costs, stated or assumed."""
    text = session.scalar(select(ShopCostsRow.costs).where(ShopCostsRow.shop_id == shop_id))
    return ASSUMED_COSTS if text is None else costs_from_json(text)


def save_offer(
    session: Session,
    shop_id: ShopId,
    draft: OfferDraft,
    *,
    now: datetime,
    offer_id: OfferId | None = None,
    needs_purpose: bool = False,
) -> Offer:
    """Store a new offer, or a new version of one. `needs_purpose`: a merchant wrote it and must say what for.

    Raises: InvalidInput, NotFound.
    """
    check_draft(draft, tuple(KINDS), needs_purpose=needs_purpose)
    VALIDATORS[draft.kind](draft)
    if offer_id is None:
        row = OfferRow(shop_id=shop_id, version=1, created_at=now)
        session.add(row)
    else:
        row = _offer_row(session, shop_id, offer_id)
        row.version += 1
    row.kind, row.name, row.state, row.updated_at = draft.kind, draft.name.strip(), draft.state, now
    row.placements = json.dumps(draft.placements)
    row.anchors, row.companions = _listed(draft.anchors), _listed(draft.companions)
    incentive = draft.terms.incentive
    row.discount_basis_points = incentive.basis_points if incentive.kind == PERCENTAGE else draft.discount_basis_points
    row.terms = terms_to_json(draft.terms)
    session.flush()
    return _offer(row)


def pause_offer(session: Session, shop_id: ShopId, offer_id: OfferId, *, now: datetime) -> Offer:
    """Stop showing an offer from the next decision on. Raises: NotFound."""
    row = _offer_row(session, shop_id, offer_id)
    row.state, row.updated_at, row.version = "paused", now, row.version + 1
    session.flush()
    return _offer(row)


def read_offer(session: Session, shop_id: ShopId, offer_id: OfferId) -> Offer:
    """One offer of the shop. Raises: NotFound."""
    return _offer(_offer_row(session, shop_id, offer_id, lock=False))


def live_offers(session: Session, shop_id: ShopId) -> tuple[Offer, ...]:
    """Offers that may be shown, the oldest first."""
    rows = session.scalars(
        select(OfferRow).where(OfferRow.shop_id == shop_id, OfferRow.state == "live").order_by(OfferRow.offer_id)
    )
    return tuple(_offer(row) for row in rows)


def all_offers(session: Session, shop_id: ShopId) -> tuple[Offer, ...]:
    """Every offer of the shop in any state, the oldest first."""
    rows = session.scalars(select(OfferRow).where(OfferRow.shop_id == shop_id).order_by(OfferRow.offer_id))
    return tuple(_offer(row) for row in rows)


def _offer_row(session: Session, shop_id: ShopId, offer_id: OfferId, *, lock: bool = True) -> OfferRow:
    found = select(OfferRow).where(OfferRow.shop_id == shop_id, OfferRow.offer_id == offer_id)
    row = session.scalars(found.with_for_update() if lock else found).first()
    if row is None:
        raise NotFound("no such offer")
    return row


def _offer(row: OfferRow) -> Offer:
    return Offer(
        offer_id=OfferId(row.offer_id),
        kind=row.kind,
        name=row.name,
        state=row.state,
        placements=tuple(json.loads(row.placements)),
        anchors=_products(row.anchors),
        companions=_products(row.companions),
        discount_basis_points=row.discount_basis_points,
        version=row.version,
        terms=terms_from_json(row.terms),
    )


def _listed(products: tuple[ProductId, ...] | None) -> str | None:
    return None if products is None else json.dumps(products)


def _products(text: str | None) -> tuple[ProductId, ...] | None:
    return None if text is None else tuple(ProductId(number) for number in json.loads(text))
