"""Decisions for whoever wants to know why: lists by place, time and code, counts of codes, and one told in full.

No shopper is named: a merchant who asks about a customer asks for that customer's readiness instead.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, InvalidInput, ShopId, gid, parse_time
from shopify_upsell.ledger.tables import batches
from shopify_upsell.offers.candidate import ChosenOffer, Decision, Rejection
from shopify_upsell.offers.codes import EMPTY_REASONS, GATES, REASONS, REJECTIONS
from shopify_upsell.offers.decisions import DecisionPartRow, DecisionRow
from shopify_upsell.offers.findings import explanation_fields, reasons_of, sentence_of
from shopify_upsell.offers.replay import ReplayResult
from shopify_upsell.reports.offer_json import product_gids

SENTENCES = REJECTIONS | GATES | EMPTY_REASONS | REASONS

MOST_SCANNED = 2_000
"""Decisions looked at for one page or count: codes are inside the answers, so no index holds them."""

LARGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions. `until` is excluded; `code`: a rejection, gate or reason; `after`: continue a list."""

    placement: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """One line of a list. `codes`: how many candidates each code struck, or the gate that struck all."""

    decision_id: DecisionId
    decided_at: datetime
    placement: str
    is_holdout: bool
    shown_count: int
    gate: str | None
    codes: Mapping[str, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A page, the latest first. `next_after` continues it, None at its end. It may be short and not the last."""

    decisions: tuple[ListedDecision, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class CodeCounts:
    """Decisions by code: each counts once for every code in it. `is_complete`: no older ones were left out."""

    decision_count: int
    shown_count: int
    withheld_count: int
    by_code: Mapping[str, int]
    is_complete: bool


def list_decisions(session: Session, shop_id: ShopId, query: DecisionQuery) -> DecisionPage:
    """List decisions, the latest first. Raises: InvalidInput for an `after` that is none of ours or a wrong limit."""
    if not 1 <= query.limit <= LARGEST_PAGE:
        raise InvalidInput(f"limit: is 1 to {LARGEST_PAGE}")
    scanned, found = 0, []
    after = query.after
    while scanned < MOST_SCANNED:
        page = _page(session, shop_id, query, after)
        for one in page:
            after, scanned = _cursor(one), scanned + 1
            if query.code in (None, one.gate, *one.codes, *one.reasons):
                found.append(one)
            if len(found) == query.limit:
                return DecisionPage(tuple(found), after)
        if len(page) < query.limit:
            return DecisionPage(tuple(found), None)
    return DecisionPage(tuple(found), after)


def count_codes(session: Session, shop_id: ShopId, query: DecisionQuery) -> CodeCounts:
    """Count codes over the latest MOST_SCANNED decisions that the query is about."""
    counts: Counter[str] = Counter()
    decisions = shown = withheld = 0
    after, is_complete = query.after, True
    whole = DecisionQuery(query.placement, query.since, query.until, limit=LARGEST_PAGE)
    while True:
        page = _page(session, shop_id, whole, after)
        for one in page:
            decisions, after = decisions + 1, _cursor(one)
            shown += one.shown_count > 0 and not one.is_holdout
            withheld += one.shown_count > 0 and one.is_holdout
            counts.update({*one.codes})
        if len(page) < LARGEST_PAGE:
            break
        if decisions >= MOST_SCANNED:
            is_complete = False
            break
    ordered = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    return CodeCounts(decisions, shown, withheld, ordered, is_complete)


def decision_json(decision: Decision, replayed: ReplayResult) -> dict[str, Any]:
    """One decision in full: what was shown, every rejection with its sentence, the gate, when next, and its replay.

    `explanation` says the same with evidence, margins and timing, as the rules of today value it.
    """
    answer, asked = decision.answer, decision.inputs.request
    return {
        "decision_id": decision.decision_id,
        "decided_at": decision.decided_at.isoformat(),
        "placement": decision.placement,
        "anchors": product_gids(asked.anchor_product_ids),
        "unit_kind": _unit_kind(decision.unit),
        "is_holdout": decision.is_holdout,
        "reasons": [told(code) for code in reasons_of(decision)],
        "gate": told(answer.gate) if answer.gate is not None else None,
        "next_at": answer.next_at.isoformat() if answer.next_at is not None else None,
        "shown": [_chosen(one) for one in decision.chosen],
        "would_have_shown": [_chosen(one) for one in decision.would_have_shown],
        "rejections": [_rejection(one) for one in decision.rejections],
        "matrix_version": decision.inputs.matrix_version,
        "engine_version": decision.engine_version,
        "explanation": explanation_fields(decision),
        "replay": {"is_identical": replayed.is_identical, "is_same_engine": replayed.is_same_engine},
    }


def told(code: str) -> dict[str, str]:
    """A code with its sentence."""
    return {"code": code, "sentence": sentence_of(code)}


def _chosen(one: ChosenOffer) -> dict[str, Any]:
    items = [
        {
            "product_id": gid("Product", item.product_id),
            "variant_id": gid("ProductVariant", item.variant_id),
            "quantity": item.quantity,
            "title": item.title,
            "price": {"minor_units": item.price.minor_units, "currency": item.price.currency},
        }
        for item in one.items
    ]
    return {
        "offer_id": one.offer_id,
        "offer_version": one.offer_version,
        "kind": one.kind,
        "reason": told(one.reason_code),
        "total": {"minor_units": one.total.minor_units, "currency": one.total.currency},
        "items": items,
        "evidence": dict(one.evidence),
    }


def _rejection(one: Rejection) -> dict[str, Any]:
    product = gid("Product", one.product_id) if one.product_id is not None else None
    detail = dict(one.detail)
    return told(one.code) | {
        "offer_id": one.offer_id or None,
        "product_id": product,
        "next_at": detail.pop("until", None),
        "detail": detail,
    }


def _unit_kind(unit: str | None) -> str | None:
    return None if unit is None else "customer" if unit.startswith("c:") else "visitor"


def _page(session: Session, shop_id: ShopId, query: DecisionQuery, after: str | None) -> list[ListedDecision]:
    table = DecisionRow.__table__.c
    wanted = select(
        table.decision_id, table.decided_at, table.placement, table.is_holdout, table.offer_count, table.gate,
        table.answer, table.shared_digest,
    ).where(table.shop_id == shop_id)  # fmt: skip
    if query.placement is not None:
        wanted = wanted.where(table.placement == query.placement)
    if query.since is not None:
        wanted = wanted.where(table.decided_at >= query.since)
    if query.until is not None:
        wanted = wanted.where(table.decided_at < query.until)
    if after is not None:
        moment, decision_id = _read_cursor(after)
        earlier = and_(table.decided_at == moment, table.decision_id < decision_id)
        wanted = wanted.where(or_(table.decided_at < moment, earlier))
    rows = session.execute(wanted.order_by(table.decided_at.desc(), table.decision_id.desc()).limit(query.limit)).all()
    shared = _shared_codes(session, shop_id, {row.shared_digest for row in rows if row.shared_digest})
    return [_listed(row, shared.get(row.shared_digest, Counter())) for row in rows]


def _listed(row: Any, shared: Counter[str]) -> ListedDecision:
    answer = json.loads(row.answer)
    codes = Counter(one["code"] for one in answer.get("refused", ())) + shared
    offers = answer["chosen"] or answer["would_have_shown"]
    return ListedDecision(
        decision_id=DecisionId(row.decision_id),
        decided_at=row.decided_at,
        placement=row.placement,
        is_holdout=row.is_holdout,
        shown_count=row.offer_count,
        gate=row.gate,
        codes=dict(sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))),
        reasons=tuple(dict.fromkeys(one["reason_code"] for one in offers)),
    )


def _shared_codes(session: Session, shop_id: ShopId, digests: Iterable[str]) -> dict[str, Counter[str]]:
    """Codes of the rejections that decisions share, by digest."""
    found: dict[str, Counter[str]] = {}
    part = DecisionPartRow
    listed: Sequence[str] = sorted(digests)
    for batch in batches(listed):
        rows = select(part.digest, part.body).where(part.shop_id == shop_id, part.digest.in_(batch))
        for digest, body in session.execute(rows):
            found[digest] = Counter(one["code"] for one in json.loads(zlib.decompress(body)))
    return found


def _cursor(one: ListedDecision) -> str:
    return f"{one.decided_at.isoformat()}~{one.decision_id}"


def _read_cursor(text: str) -> tuple[datetime, str]:
    moment, tilde, decision_id = text.partition("~")
    if not tilde:
        raise InvalidInput("after: is the next_after of the page before")
    return parse_time(moment), decision_id
