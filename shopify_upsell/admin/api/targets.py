"""Targets of a month. They are for reports alone: no decision reads them, and a test holds us to it."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, post_load, validate

from shopify_upsell.admin.api.offer_schemas import Strict, whole
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.reports.targets import METRICS, Target, drop_target, read_target, save_target, targets


class TargetBody(Strict):
    """A goal: minor units of `currency` for money, basis points for shares."""

    metric = fields.String(required=True, validate=validate.OneOf(METRICS))
    month = fields.String(required=True, validate=validate.Regexp(r"2[0-9]{3}-(0[1-9]|1[0-2])\Z"))
    goal = whole(required=True)
    currency = fields.String(load_default="", validate=validate.Length(max=3))

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> Target:
        """The target."""
        return Target(**data)


class TargetJson(Schema):
    """A goal of one month."""

    metric = fields.String()
    month = fields.String()
    goal = fields.Integer()
    currency = fields.String()


class TargetsJson(Schema):
    """Every goal of the shop, the latest month first."""

    targets = fields.List(fields.Nested(TargetJson))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/targets`."""

    @blueprint.get("/targets")
    @blueprint.response(200, TargetsJson)
    def list_targets() -> dict[str, Any]:
        """List the shop's targets."""
        with reading(services) as session:
            return {"targets": [asdict(one) for one in targets(session, caller().shop_id)]}

    @blueprint.put("/targets")
    @blueprint.arguments(TargetBody)
    @blueprint.response(200, TargetJson)
    def set_target(target: Target) -> dict[str, Any]:
        """Set a target; one that is there is replaced."""
        with writing(services) as session:
            held = {(one.metric, one.month): one for one in targets(session, caller().shop_id)}
            before = held.get((target.metric, target.month))
            save_target(session, caller().shop_id, target, now=caller().now)
            note(
                session,
                "target",
                f"{target.metric}/{target.month}",
                before=asdict(before) if before is not None else None,
                after=asdict(target),
            )
        return asdict(target)

    @blueprint.delete("/targets/<string:metric>/<string:month>")
    @blueprint.response(200, TargetsJson)
    def forget_target(metric: str, month: str) -> dict[str, Any]:
        """Forget a target. The others come back."""
        with writing(services) as session:
            before = read_target(session, caller().shop_id, metric, month)
            drop_target(session, caller().shop_id, metric, month)
            note(session, "target", f"{metric}/{month}", before=asdict(before), after=None)
            return {"targets": [asdict(one) for one in targets(session, caller().shop_id)]}
