"""Tables and queries of offers and of the decisions made about them."""

import json
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ConflictingRequest, DecisionId, NotFound, OfferId, ProductId, ShopId
from shopify_upsell.database import Base, OwnId, UtcDateTime
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.offer import Offer, OfferDraft, check_draft
from shopify_upsell.offers.snapshot_json import answer_from_json, answer_to_json, snapshot_from_json, snapshot_to_json


class OfferRow(Base):
    """What a merchant may show. JSON columns: `placements`, `anchors` and `companions` (null: any, or the matrix)."""

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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DecisionRow(Base):
    """Our answer to one request. `inputs` is the whole snapshot, so that the pure pipeline replays to `answer`.

    `offer_count`: offers chosen, shown or, in the holdout, withheld: above 0 the decision counts for both arms.
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_decided_at", "shop_id", "decided_at"),
        Index("ix_decision_unit", "shop_id", "unit"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    placement: Mapped[str] = mapped_column(Text)
    unit: Mapped[str | None] = mapped_column(Text)
    is_holdout: Mapped[bool] = mapped_column(default=False)
    offer_count: Mapped[int] = mapped_column()
    engine_version: Mapped[str] = mapped_column(Text)
    inputs: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)


def save_offer(
    session: Session, shop_id: ShopId, draft: OfferDraft, *, now: datetime, offer_id: OfferId | None = None
) -> Offer:
    """Store a new offer, or a new version of one. Raises: InvalidInput, NotFound."""
    check_draft(draft, tuple(KINDS))
    if offer_id is None:
        row = OfferRow(shop_id=shop_id, version=1, created_at=now)
        session.add(row)
    else:
        row = _offer_row(session, shop_id, offer_id)
        row.version += 1
    row.kind, row.name, row.state, row.updated_at = draft.kind, draft.name.strip(), draft.state, now
    row.placements = json.dumps(draft.placements)
    row.anchors, row.companions = _listed(draft.anchors), _listed(draft.companions)
    row.discount_basis_points = draft.discount_basis_points
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


def save_decision(session: Session, shop_id: ShopId, decision: Decision) -> None:
    """Store a decision with everything it was made from."""
    answer = decision.answer
    session.add(
        DecisionRow(
            shop_id=shop_id,
            decision_id=decision.decision_id,
            decided_at=decision.decided_at,
            placement=decision.placement,
            unit=answer.unit,
            is_holdout=answer.is_holdout,
            offer_count=len(answer.chosen) + len(answer.would_have_shown),
            engine_version=decision.engine_version,
            inputs=snapshot_to_json(decision.inputs),
            answer=answer_to_json(answer),
        )
    )
    session.flush()


def read_decision(
    session: Session,
    shop_id: ShopId,
    decision_id: DecisionId,
    *,
    age_limit: timedelta | None = None,
    now: datetime | None = None,
) -> Decision:
    """Read a decision back. With `age_limit` and `now`, one older than that is refused.

    Raises: NotFound; ConflictingRequest when it has expired.
    """
    row = _decision_row(session, shop_id, decision_id)
    if age_limit is not None and now is not None and now - row.decided_at > age_limit:
        raise ConflictingRequest("the decision has expired", code="offer_expired")
    return Decision(
        decision_id=decision_id,
        shop_id=shop_id,
        decided_at=row.decided_at,
        placement=row.placement,
        answer=answer_from_json(row.answer),
        inputs=snapshot_from_json(row.inputs),
        engine_version=row.engine_version,
    )


def stored_answer(session: Session, shop_id: ShopId, decision_id: DecisionId) -> str:
    """The answer of a decision as the very text that was stored. Raises: NotFound."""
    return _decision_row(session, shop_id, decision_id).answer


def erase_decisions_of(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget a person: delete their decisions, whose inputs name them, and return how many there were."""
    owned = (DecisionRow.shop_id == shop_id, DecisionRow.unit == subject)
    count = session.scalar(select(func.count()).select_from(DecisionRow).where(*owned))
    session.execute(delete(DecisionRow).where(*owned))
    return int(count or 0)


def _offer_row(session: Session, shop_id: ShopId, offer_id: OfferId, *, lock: bool = True) -> OfferRow:
    found = select(OfferRow).where(OfferRow.shop_id == shop_id, OfferRow.offer_id == offer_id)
    row = session.scalars(found.with_for_update() if lock else found).first()
    if row is None:
        raise NotFound("no such offer")
    return row


def _decision_row(session: Session, shop_id: ShopId, decision_id: DecisionId) -> DecisionRow:
    row = session.get(DecisionRow, (shop_id, decision_id))
    if row is None:
        raise NotFound("no such decision")
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
    )


def _listed(products: tuple[ProductId, ...] | None) -> str | None:
    return None if products is None else json.dumps(products)


def _products(text: str | None) -> tuple[ProductId, ...] | None:
    return None if text is None else tuple(ProductId(number) for number in json.loads(text))
