"""What there is to tell of a decision, as plain fields: for the merchant's API, and for `explain` to put into words.

Pure. Everything comes from the stored decision: what was shown is valued again by the rules of today, and left out
where they no longer propose it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shopify_upsell.core import parse_time
from shopify_upsell.customers.courtesy import room_in, tally
from shopify_upsell.customers.readiness import REASONS as READINESS_REASONS
from shopify_upsell.customers.readiness import readiness_of
from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.offers.candidate import Candidate, ChosenOffer, Decision, Rejection
from shopify_upsell.offers.codes import EMPTY_REASONS, GATES, REASONS, REJECTIONS
from shopify_upsell.offers.drawing import draw
from shopify_upsell.offers.gates import caps_of
from shopify_upsell.offers.margin import contribution_of
from shopify_upsell.offers.moments import pair_moment, timing_word
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.worth import Valuation, personal_weight, valuations_of

Fields = dict[str, Any]

MOST_REASONS = 3
"""Source: product row R008: at most three reasons, each one of the vocabulary."""

MOST_EXAMPLES = 5
MOST_REFUSED = 10


def reasons_of(decision: Decision) -> tuple[str, ...]:
    """One to three codes that sum the decision up: the closed gate, else why these offers, or why nothing."""
    if decision.answer.gate is not None:
        return (decision.answer.gate,)
    if decision.chosen:
        return tuple(dict.fromkeys(offer.reason_code for offer in decision.chosen))[:MOST_REASONS]
    if decision.is_holdout:
        return ("holdout",)
    counted: dict[str, int] = {}
    for rejection in decision.rejections:
        counted[rejection.code] = counted.get(rejection.code, 0) + 1
    frequent = sorted(counted, key=lambda code: (-counted[code], code))
    return tuple(frequent[:MOST_REASONS]) or ("no_offers",)


def sentence_of(code: str) -> str:
    """The sentence of any code of the vocabulary. Raises: KeyError for a code that is in none of its parts."""
    return (REASONS | EMPTY_REASONS | GATES | REJECTIONS)[code]


def explanation_fields(decision: Decision) -> Fields:
    """All that can be told of a decision, ready for JSON: moments as ISO 8601, money as minor units.

    Shape: `gate`, `readiness` and `next_at` are None where there is none. `shown` and `would_have_shown` hold cards,
    of which at most one list is filled. `rejected` is grouped by code, the most frequent first, with some examples.
    """
    inputs, answer = decision.inputs, decision.answer
    return {
        "decision_id": decision.decision_id,
        "decided_at": decision.decided_at.isoformat(),
        "engine_version": decision.engine_version,
        "placement": decision.placement,
        "anchors": list(inputs.request.anchor_product_ids),
        "matrix_version": inputs.matrix_version,
        "currency": inputs.currency,
        "summary": [_coded(code) for code in reasons_of(decision)],
        "gate": _gate_fields(decision),
        "is_holdout": decision.is_holdout,
        "readiness": _readiness_fields(inputs),
        "caps": _caps_fields(inputs),
        "shown": _cards(decision.chosen, inputs),
        "would_have_shown": _cards(decision.would_have_shown, inputs),
        "rejected": [] if answer.gate is not None else _rejected(decision.rejections),
        "never_offered": [_edge_fields(edge) for edge in inputs.negative_edges[:MOST_REFUSED]],
        "never_offered_count": len(inputs.negative_edges),
        "next_at": answer.next_at.isoformat() if answer.next_at is not None else None,
    }


def _coded(code: str) -> Fields:
    return {"code": code, "sentence": sentence_of(code)}


def _gate_fields(decision: Decision) -> Fields | None:
    gate, until = decision.answer.gate, decision.answer.next_at
    return None if gate is None else _coded(gate) | {"until": until.isoformat() if until is not None else None}


def _readiness_fields(inputs: Snapshot) -> Fields | None:
    """How the person stands, where anything is known of one."""
    shopper = inputs.shopper
    if not shopper.is_known and not shopper.signals:
        return None
    found = readiness_of(shopper, now=inputs.now)
    return {
        "state": found.state,
        "score": round(found.score, 4),
        "stage": shopper.stage,
        "reasons": [{"code": code, "sentence": READINESS_REASONS.get(code, code)} for code in found.reasons],
        "until": found.until.isoformat() if found.until is not None else None,
    }


def _caps_fields(inputs: Snapshot) -> Fields:
    """How many cards were shown, of how many that may be; single offers where any of them was shown."""
    caps, counted = caps_of(inputs), tally(inputs.courtesy, now=inputs.now)
    return {
        "session": {"shown": counted.session_count, "cap": caps.session},
        "day": {"shown": counted.day_count, "cap": caps.day},
        "month": {"shown": counted.month_count, "cap": caps.month},
        "left": room_in(counted, caps),
        "offers": [_offer_caps(offer.offer_id, inputs) for offer in inputs.offers if offer.offer_id in _shown(inputs)],
    }


def _shown(inputs: Snapshot) -> set[int]:
    return {offer_id for _, offer_id, _ in inputs.courtesy.shown}


def _offer_caps(offer_id: Any, inputs: Snapshot) -> Fields:
    caps, counted = caps_of(inputs, offer_id), tally(inputs.courtesy, now=inputs.now)
    day = sum(cards for _, offer, cards in counted.day if offer == offer_id)
    month = sum(cards for _, _, cards in counted.month_by_offer.get(int(offer_id), ()))
    return {
        "offer_id": offer_id,
        "day": {"shown": day, "cap": caps.offer_day},
        "month": {"shown": month, "cap": caps.offer_month},
    }


def _cards(offers: Sequence[ChosenOffer], inputs: Snapshot) -> list[Fields]:
    if not offers:
        return []
    drawn = draw(inputs)
    valued = dict(zip(map(_name_of, drawn.candidates), valuations_of(drawn.candidates, inputs), strict=True))
    candidates = {_name_of(one): one for one in drawn.candidates}
    cards = []
    for offer in offers:
        name = (offer.offer_id, tuple((item.product_id, item.variant_id, item.quantity) for item in offer.items))
        candidate = candidates.get(name)
        why = _why(candidate, valued[name], inputs) if candidate is not None else {}
        cards.append(_card_fields(offer) | _exploration_fields(offer, inputs) | why)
    return cards


def _name_of(candidate: Candidate) -> tuple[object, ...]:
    items = tuple((item.product_id, item.variant_id, item.quantity) for item in candidate.items)
    return candidate.offer.offer_id, items


def _card_fields(offer: ChosenOffer) -> Fields:
    return {
        "offer_id": offer.offer_id,
        "offer_version": offer.offer_version,
        "kind": offer.kind,
        "reason": _coded(offer.reason_code),
        "items": [
            {
                "product_id": item.product_id,
                "variant_id": item.variant_id,
                "title": item.title,
                "variant_title": item.variant_title,
                "quantity": item.quantity,
                "price_minor_units": item.price.minor_units,
            }
            for item in offer.items
        ],
        "total_minor_units": offer.total.minor_units,
        "currency": offer.total.currency,
        "replaces_variant_id": offer.replaces_variant_id,
        "evidence": dict(offer.evidence),
        "exploration": None,
        "moments": [],
        "due": None,
        "expected": None,
        "contribution": None,
    }


def _exploration_fields(offer: ChosenOffer, inputs: Snapshot) -> Fields:
    """The chance that a card without evidence had to be tried; that its products go together is assumed."""
    if offer.reason_code != COLD_START or inputs.exploration is None:
        return {}
    return {"exploration": {"propensity": inputs.exploration.propensity, "is_assumed": True}}


def _why(candidate: Candidate, valued: Valuation, inputs: Snapshot) -> Fields:
    due = (candidate.offered_from, candidate.offered_until)
    return {
        "moments": _moments(candidate, inputs),
        "due": [moment.isoformat() if moment is not None else None for moment in due] if any(due) else None,
        "expected": _expected(candidate, valued, inputs),
        "contribution": _contribution(candidate, inputs),
    }


def _moments(candidate: Candidate, inputs: Snapshot) -> list[Fields]:
    """How the moment stands for each pair of the card of which anything is said."""
    told = []
    for item in candidate.items:
        moment, word = pair_moment(candidate, item.product_id, inputs), timing_word(candidate, item.product_id, inputs)
        if moment is None or word is None or item.product_id == candidate.anchor_product_id:
            continue
        told.append(
            {
                "anchor_product_id": candidate.anchor_product_id,
                "product_id": item.product_id,
                "state": moment.state,
                "days_since": moment.days_since,
                "is_estimate": moment.is_estimate,
                "window_days": list(word.window) if word.window is not None else None,
                "closes_at": moment.closes_at.isoformat() if moment.closes_at is not None else None,
                "level": word.level,
                "source": word.source,
                "n": word.n,
            }
        )
    return told


def _expected(candidate: Candidate, valued: Valuation, inputs: Snapshot) -> Fields:
    weight = personal_weight(candidate, inputs)
    counted = valued.counted
    return {
        "minor_units_a_card": round(valued.worth * weight, 4),
        "acceptance": valued.acceptance,
        "cards_shown": counted.shown_count if counted is not None else 0,
        "cards_taken": counted.taken_count if counted is not None else 0,
        "expected_anyway": counted.expected_anyway if counted is not None else 0.0,
        "margin_minor_units": valued.margin,
        "margin_basis": valued.basis,
        "personal_weight": weight,
    }


def _contribution(candidate: Candidate, inputs: Snapshot) -> Fields | None:
    found = contribution_of(candidate, inputs)
    if found is None:
        return None
    parts = {name: part for name, part in found.parts.items() if part or name == "cost"}
    return {"minor_units": found.minor_units, "parts": parts, "assumed": list(found.assumed)}


def _rejected(rejections: Sequence[Rejection]) -> list[Fields]:
    by_code: dict[str, list[Rejection]] = {}
    for rejection in rejections:
        by_code.setdefault(rejection.code, []).append(rejection)
    return [
        _coded(code)
        | {
            "count": len(group),
            "next_at": _soonest(group),
            "examples": [
                {"offer_id": one.offer_id, "product_id": one.product_id, "detail": dict(one.detail)}
                for one in group[:MOST_EXAMPLES]
            ],
        }
        for code, group in sorted(by_code.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]


def _soonest(rejections: Sequence[Rejection]) -> str | None:
    dates: list[Mapping[str, Any]] = [one.detail for one in rejections if "until" in one.detail]
    soonest = min((parse_time(str(detail["until"])) for detail in dates), default=None)
    return soonest.isoformat() if soonest is not None else None


def _edge_fields(edge: PairWord) -> Fields:
    return {
        "anchor_product_id": edge.anchor_product_id,
        "companion_product_id": edge.companion_product_id,
        "source": edge.source,
        "reason": edge.reason,
        "note": edge.note,
        "observed": edge.observed,
        "expected": edge.expected,
        "upper_bound": edge.upper_bound,
        "n": edge.n,
        "review_at": edge.review_at.isoformat() if edge.review_at is not None else None,
    }
