"""The next three actions, and the log of what was changed."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from shopify_upsell.admin.api.offer_schemas import Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, reading
from shopify_upsell.reports.action_facts import read_action_facts
from shopify_upsell.reports.changes import WHATS, MerchantChange, merchant_changes
from shopify_upsell.reports.next_actions import listed, next_actions


class ActionsJson(Schema):
    """Exactly three actions, the best first."""

    actions = fields.List(fields.Dict())


class ChangesQuery(Strict):
    """Which changes. `before`: the smallest `change_id` of the page before."""

    what = fields.String(load_default=None, validate=validate.OneOf(WHATS))
    subject = fields.String(load_default=None, validate=validate.Length(1, 80))
    before = fields.Integer(load_default=None, validate=validate.Range(1, 2**63 - 1))


class ChangeJson(Schema):
    """One change: who, when, and what it was and is. `user_id` null: the operator's command."""

    change_id = fields.Integer()
    changed_at = fields.String()
    user_id = fields.Integer(allow_none=True)
    what = fields.String()
    subject = fields.String()
    before = fields.Dict(allow_none=True)
    after = fields.Dict(allow_none=True)


class ChangesJson(Schema):
    """Changes, the latest first."""

    changes = fields.List(fields.Nested(ChangeJson))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """`/next-actions` and `/changes`."""

    @blueprint.get("/next-actions")
    @blueprint.response(200, ActionsJson)
    def three_actions() -> dict[str, Any]:
        """Name the three things worth doing next, by expected margin a minute."""
        with reading(services) as session:
            facts = read_action_facts(session, caller().launch)
        return {"actions": listed(next_actions(facts), facts.currency)}

    @blueprint.get("/changes")
    @blueprint.arguments(ChangesQuery, location="query", unknown=RAISE)
    @blueprint.response(200, ChangesJson)
    def list_changes(query: dict[str, Any]) -> dict[str, Any]:
        """List what was changed in this shop, by whom, the latest first."""
        with reading(services) as session:
            found = merchant_changes(
                session,
                caller().shop_id,
                what=query["what"],
                subject=query["subject"],
                before_id=query["before"],
            )
        return {"changes": [_change(one) for one in found]}


def _change(one: MerchantChange) -> dict[str, Any]:
    return {
        "change_id": one.change_id,
        "changed_at": one.changed_at.isoformat(),
        "user_id": one.user_id,
        "what": one.what,
        "subject": one.subject,
        "before": one.before,
        "after": one.after,
    }
