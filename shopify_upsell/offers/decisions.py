"""Tables and queries of decisions: what was answered, from which inputs, so that it can be replayed."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ConflictingRequest, DecisionId, NotFound, ShopId
from shopify_upsell.database import Base, UtcDateTime
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.snapshot_json import answer_from_json, answer_to_json, snapshot_from_json, snapshot_to_json


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


def _decision_row(session: Session, shop_id: ShopId, decision_id: DecisionId) -> DecisionRow:
    row = session.get(DecisionRow, (shop_id, decision_id))
    if row is None:
        raise NotFound("no such decision")
    return row
