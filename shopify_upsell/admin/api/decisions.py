"""Decisions: what was shown, what was not and why, when it may be next, and whether it replays to the same bytes."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from shopify_upsell.admin.api.offer_schemas import MomentField, Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, reading
from shopify_upsell.core import DecisionId
from shopify_upsell.offers.decisions import read_decision
from shopify_upsell.offers.replay import replay
from shopify_upsell.reports.decision_list import (
    LARGEST_PAGE,
    SENTENCES,
    DecisionQuery,
    ListedDecision,
    count_codes,
    decision_json,
    list_decisions,
    told,
)


class CountsQuery(Strict):
    """Which decisions to count. `until` is excluded."""

    placement = fields.String(load_default=None, validate=validate.Length(1, 80))
    since = MomentField(load_default=None)
    until = MomentField(load_default=None)


class DecisionsQuery(CountsQuery):
    """Which decisions to list. `after`: the `next_after` of the page before."""

    code = fields.String(load_default=None, validate=validate.OneOf(tuple(SENTENCES)))
    after = fields.String(load_default=None, validate=validate.Length(1, 120))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, LARGEST_PAGE))


class ListedJson(Schema):
    """One decision of a list. `codes`: how many cards each code struck."""

    decision_id = fields.String()
    decided_at = fields.String()
    placement = fields.String()
    is_holdout = fields.Boolean()
    offer_count = fields.Integer()
    gate = fields.Dict(allow_none=True)
    codes = fields.Dict()
    reasons = fields.List(fields.String())


class DecisionsJson(Schema):
    """A page of decisions, the latest first."""

    decisions = fields.List(fields.Nested(ListedJson))
    next_after = fields.String(allow_none=True)


class CountsJson(Schema):
    """Decisions by code. `is_complete` false: only the latest were counted."""

    decision_count = fields.Integer()
    shown_count = fields.Integer()
    withheld_count = fields.Integer()
    by_code = fields.List(fields.Dict())
    is_complete = fields.Boolean()


class DecisionJson(Schema):
    """One decision in full."""

    decision_id = fields.String()
    decided_at = fields.String()
    placement = fields.String()
    anchors = fields.List(fields.String())
    unit_kind = fields.String(allow_none=True)
    is_holdout = fields.Boolean()
    reasons = fields.List(fields.Dict())
    gate = fields.Dict(allow_none=True)
    next_at = fields.String(allow_none=True)
    shown = fields.List(fields.Dict())
    would_have_shown = fields.List(fields.Dict())
    rejections = fields.List(fields.Dict())
    matrix_version = fields.Integer()
    engine_version = fields.String()
    explanation = fields.Dict()
    replay = fields.Dict()


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/decisions`."""

    @blueprint.get("/decisions")
    @blueprint.arguments(DecisionsQuery, location="query", unknown=RAISE)
    @blueprint.response(200, DecisionsJson)
    def list_of_decisions(query: dict[str, Any]) -> dict[str, Any]:
        """List decisions by placement, time and code, the latest first."""
        with reading(services) as session:
            page = list_decisions(session, caller().shop_id, DecisionQuery(**query))
        return {"decisions": [_listed(one) for one in page.decisions], "next_after": page.next_after}

    @blueprint.get("/decisions/counts")
    @blueprint.arguments(CountsQuery, location="query", unknown=RAISE)
    @blueprint.response(200, CountsJson)
    def counts_by_code(query: dict[str, Any]) -> dict[str, Any]:
        """Count decisions by code, the most frequent first."""
        with reading(services) as session:
            found = count_codes(session, caller().shop_id, DecisionQuery(**query))
        return asdict(found) | {
            "by_code": [told(code) | {"decision_count": count} for code, count in found.by_code.items()]
        }

    @blueprint.get("/decisions/<string:decision_id>")
    @blueprint.response(200, DecisionJson)
    def show_decision(decision_id: str) -> dict[str, Any]:
        """Explain one decision, and replay it from its stored inputs."""
        named = DecisionId(decision_id)
        with reading(services) as session:
            decision = read_decision(session, caller().shop_id, named)
            return decision_json(decision, replay(session, caller().shop_id, named))


def _listed(one: ListedDecision) -> dict[str, Any]:
    return {
        "decision_id": one.decision_id,
        "decided_at": one.decided_at.isoformat(),
        "placement": one.placement,
        "is_holdout": one.is_holdout,
        "offer_count": one.shown_count,
        "gate": told(one.gate) if one.gate is not None else None,
        "codes": dict(one.codes),
        "reasons": list(one.reasons),
    }
