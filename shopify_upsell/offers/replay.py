"""Use case: make a stored decision again from its stored inputs and compare, byte for byte."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from shopify_upsell.core import DecisionId, ShopId
from shopify_upsell.offers.decisions import read_decision, stored_answer
from shopify_upsell.offers.pipeline import ENGINE_VERSION, decide_from
from shopify_upsell.offers.snapshot_json import answer_to_json


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Both answers as canonical JSON. A difference is a fault if the engine is the same, else a change of rules."""

    is_identical: bool
    is_same_engine: bool
    stored: str
    replayed: str


def replay(session: Session, shop_id: ShopId, decision_id: DecisionId) -> ReplayResult:
    """Decide again with the rules of today on the inputs of then. Raises: NotFound."""
    decision = read_decision(session, shop_id, decision_id)
    stored = stored_answer(session, shop_id, decision_id)
    replayed = answer_to_json(decide_from(decision.inputs))
    return ReplayResult(stored == replayed, decision.engine_version == ENGINE_VERSION, stored, replayed)
