"""Tables and queries of decisions: what was answered, from which inputs, so that it can be replayed.

Most of what a decision reads is the same for thousands of others: such parts are stored once, by digest.
"""

import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, LargeBinary, Row, Table, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ConflictingRequest, DecisionId, NotFound, ShopId
from shopify_upsell.database import Base, UtcDateTime, after_commit, dialect_insert
from shopify_upsell.jobs.queue import Job, JobRequest, enqueue
from shopify_upsell.memory import ShortMemory
from shopify_upsell.offers.candidate import Answer, ChosenOffer, Decision
from shopify_upsell.offers.parts import Part, parts_of
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.offers.snapshot_json import (
    answer_from_json,
    answer_to_json,
    own_to_json,
    request_from_json,
    snapshot_from_parts,
)
from shopify_upsell.spelled import SpelledInsert

MEMORY = "decision_parts"

KNOWN_SECONDS = 600.0
"""How long a process believes that a part it has stored is there; then it says again that the part is in use."""

MOST_KNOWN = 20_000

DECISIONS_KEPT = timedelta(days=90)
"""How long a decision can be replayed. Source: our choice; a quarter, as long as a holdout runs."""

RETIRED_AT_ONCE = 2_000


class DecisionRow(Base):
    """Our answer to one request.

    `inputs` and the parts of the first two digests are the whole snapshot, so that the pure pipeline replays to
    `answer` and to the rejections of `shared_digest`. Rows without digests hold everything.
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
    rulebook_digest: Mapped[str | None] = mapped_column(Text)
    shelf_digest: Mapped[str | None] = mapped_column(Text)
    shared_digest: Mapped[str | None] = mapped_column(Text)
    gate: Mapped[str | None] = mapped_column(Text)


class DecisionPartRow(Base):
    """Text that many decisions share, compressed, by its digest. `used_at`: when a decision last named it, roughly."""

    __tablename__ = "decision_part"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    digest: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


INSERT_DECISIONS = SpelledInsert(cast("Table", DecisionRow.__table__))


@dataclass(frozen=True, slots=True)
class Served:
    """What was answered to whom: a decision without its inputs and without what fell out for everybody."""

    decision_id: DecisionId
    shop_id: ShopId
    decided_at: datetime
    placement: str
    request: OfferRequest
    answer: Answer

    @property
    def chosen(self) -> tuple[ChosenOffer, ...]:
        """Offers that were shown."""
        return self.answer.chosen

    @property
    def unit(self) -> str | None:
        """Who the decision counts for in the experiment."""
        return self.answer.unit

    @property
    def is_holdout(self) -> bool:
        """Tell whether the shopper is one who never sees an offer."""
        return self.answer.is_holdout


def save_decision(session: Session, shop_id: ShopId, decision: Decision) -> None:
    """Store a decision with everything it was made from."""
    save_decisions(session, shop_id, [decision])


def save_decisions(session: Session, shop_id: ShopId, decisions: Sequence[Decision]) -> None:
    """Store decisions of one shop together, their shared parts once."""
    if any(decision.shop_id != shop_id for decision in decisions):
        raise ValueError("a decision of another shop")
    rows: list[dict[str, Any]] = []
    parts: dict[str, Part] = {}
    for decision in decisions:
        rulebook, shelf = parts_of(decision)
        shared = Part(decision.answer.shared.digest, decision.answer.shared.text)
        parts |= {part.digest: part for part in (rulebook, shelf, shared)}
        rows.append(_values(decision, rulebook.digest, shelf.digest))
    if decisions:
        _save_parts(session, shop_id, parts.values(), max(one.decided_at for one in decisions))
        INSERT_DECISIONS.put(session, rows)


def read_decision(session: Session, shop_id: ShopId, decision_id: DecisionId) -> Decision:
    """Read a decision back. Raises: NotFound."""
    row = _decision_row(session, shop_id, decision_id)
    digests = [row.rulebook_digest, row.shelf_digest, row.shared_digest]
    texts = _part_texts(session, shop_id, [digest for digest in digests if digest])
    shared = texts.get(row.shared_digest) if row.shared_digest else None
    return Decision(
        decision_id=decision_id,
        shop_id=shop_id,
        decided_at=row.decided_at,
        placement=row.placement,
        answer=answer_from_json(row.answer, shared),
        inputs=snapshot_from_parts(*[texts[digest] for digest in digests[:2] if digest], row.inputs),
        engine_version=row.engine_version,
    )


def read_served(
    session: Session,
    shop_id: ShopId,
    decision_id: DecisionId,
    *,
    age_limit: timedelta | None = None,
    now: datetime | None = None,
) -> Served:
    """Read what was answered, in one query. With `age_limit` and `now`, an answer older than that is refused.

    Raises: NotFound; ConflictingRequest when it has expired.
    """
    row = _decision_row(session, shop_id, decision_id)
    if age_limit is not None and now is not None and now - row.decided_at > age_limit:
        raise ConflictingRequest("the decision has expired", code="offer_expired")
    answer, request = answer_from_json(row.answer), request_from_json(row.inputs)
    return Served(decision_id, shop_id, row.decided_at, row.placement, request, answer)


def stored_answer(session: Session, shop_id: ShopId, decision_id: DecisionId) -> str:
    """The answer of a decision as the very text that was stored. Raises: NotFound."""
    return str(_decision_row(session, shop_id, decision_id).answer)


def erase_decisions_of(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget a person: delete their decisions, whose inputs name them, and return how many there were."""
    owned = (DecisionRow.shop_id == shop_id, DecisionRow.unit == subject)
    count = session.scalar(select(func.count()).select_from(DecisionRow).where(*owned))
    session.execute(delete(DecisionRow).where(*owned))
    return int(count or 0)


def retire_decisions(session: Session, shop_id: ShopId, *, before: datetime) -> int:
    """Delete some of the decisions made before then, and parts unused since; return how many rows went.

    Call it again until it returns 0: each call stays short.
    """
    old = select(DecisionRow.decision_id).where(DecisionRow.shop_id == shop_id, DecisionRow.decided_at < before)
    ids = list(session.scalars(old.limit(RETIRED_AT_ONCE)))
    unused = select(DecisionPartRow.digest).where(DecisionPartRow.shop_id == shop_id, DecisionPartRow.used_at < before)
    digests = list(session.scalars(unused.limit(RETIRED_AT_ONCE)))
    if ids:
        session.execute(delete(DecisionRow).where(DecisionRow.shop_id == shop_id, DecisionRow.decision_id.in_(ids)))
    # A part may have been named minutes after it was last marked; a day's grace is far more than that.
    if digests and not ids:
        mine = (DecisionPartRow.shop_id == shop_id, DecisionPartRow.digest.in_(digests))
        session.execute(delete(DecisionPartRow).where(*mine))
        return len(digests)
    return len(ids)


def retire_decisions_job(session: Session, job: Job) -> None:
    """Job: delete what is older than a replay is promised for, a piece at a time; the rest is for the next pieces."""
    if retire_decisions(session, job.shop_id, before=job.now - DECISIONS_KEPT):
        again = JobRequest("retire_decisions", f"retire_decisions:more@{job.now.isoformat()}")
        enqueue(session, job.shop_id, again, job.now)


def _values(decision: Decision, rulebook: str, shelf: str) -> dict[str, Any]:
    answer = decision.answer
    return {
        "shop_id": decision.shop_id,
        "decision_id": decision.decision_id,
        "decided_at": decision.decided_at,
        "placement": decision.placement,
        "unit": answer.unit,
        "is_holdout": answer.is_holdout,
        "offer_count": len(answer.chosen) + len(answer.would_have_shown),
        "engine_version": decision.engine_version,
        "inputs": own_to_json(decision.inputs),
        "answer": answer_to_json(answer),
        "rulebook_digest": rulebook,
        "shelf_digest": shelf,
        "shared_digest": answer.shared.digest,
        "gate": answer.gate,
    }


def _save_parts(session: Session, shop_id: ShopId, parts: Iterable[Part], now: datetime) -> None:
    """Store parts that this process has not stored lately. One that is there says that it is still in use."""
    memory = session.info.get("memory")
    known: ShortMemory[tuple[ShopId, str], bool] | None = None
    if memory is not None:
        known = memory.setdefault(MEMORY, ShortMemory(MOST_KNOWN, KNOWN_SECONDS))
    clock = time.monotonic()
    news = [part for part in parts if known is None or known.find((shop_id, part.digest), clock=clock) is None]
    if not news:
        return
    statement = dialect_insert(session)(DecisionPartRow)
    values = [
        {"shop_id": shop_id, "digest": part.digest, "body": part.body, "used_at": now}
        for part in sorted(news, key=lambda part: part.digest)
    ]
    used = {"used_at": statement.excluded.used_at}
    session.execute(statement.on_conflict_do_update(index_elements=["shop_id", "digest"], set_=used), values)
    if known is not None:
        remember = partial(_remember, known, [(shop_id, part.digest) for part in news], clock)
        after_commit(session, f"{MEMORY}:{shop_id}", remember)


def _remember(known: ShortMemory[tuple[ShopId, str], bool], keys: Sequence[tuple[ShopId, str]], clock: float) -> None:
    for key in keys:
        known.keep(key, True, clock=clock)


def _part_texts(session: Session, shop_id: ShopId, digests: Sequence[str]) -> dict[str, str]:
    wanted = select(DecisionPartRow.digest, DecisionPartRow.body).where(
        DecisionPartRow.shop_id == shop_id, DecisionPartRow.digest.in_(digests)
    )
    found = {row.digest: zlib.decompress(row.body).decode() for row in session.execute(wanted)}
    if len(found) < len(set(digests)):
        raise NotFound("a part of the decision is gone")
    return found


def _decision_row(session: Session, shop_id: ShopId, decision_id: DecisionId) -> Row[Any]:
    table = DecisionRow.__table__
    wanted = select(table).where(table.c.shop_id == shop_id, table.c.decision_id == decision_id)
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("no such decision")
    return row
