"""The switch of lifecycle sends, and how many there are in which state."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from shopify_upsell.admin.api.offer_schemas import Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.core import ConflictingRequest
from shopify_upsell.matrix.waiting import WINDOW_EDGES_DAYS
from shopify_upsell.sends.fit import speaks_against
from shopify_upsell.sends.histories import trade_of
from shopify_upsell.sends.sent import STATES
from shopify_upsell.sends.store import SendSetting, count_states, save_setting, setting_of, tried_counts

LONGEST_SOURCE = 40

AGAINST = {
    "few_orders": "there are too few orders in a year to learn from",
    "few_repeaters": "hardly any customer comes back",
}
"""What speaks against the programme, in words."""


class SendSettingsBody(Strict):
    """The switch, and whose API key may fetch sends besides the shop's staff."""

    is_on = fields.Boolean(required=True)
    source = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, LONGEST_SOURCE))


class WindowJson(Schema):
    """Sends of one window whose fourteen days are over. Units: days after delivery, the first and the last."""

    first_day = fields.Integer()
    last_day = fields.Integer()
    tried = fields.Integer()
    bought = fields.Integer()
    held_out = fields.Integer()
    held_out_bought = fields.Integer()


class SendsJson(Schema):
    """The log in numbers. `advised` false: `against` says why the programme is not for this shop."""

    is_on = fields.Boolean()
    advised = fields.Boolean()
    against = fields.List(fields.String())
    counts = fields.Dict()
    windows = fields.List(fields.Nested(WindowJson))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/settings/sends` and `/sends`."""

    @blueprint.get("/settings/sends")
    @blueprint.response(200, SendSettingsBody)
    def show_send_settings() -> dict[str, Any]:
        """Read the switch of lifecycle sends; it is off until somebody sets it."""
        with reading(services) as session:
            return asdict(setting_of(session, caller().shop_id))

    @blueprint.put("/settings/sends")
    @blueprint.arguments(SendSettingsBody)
    @blueprint.response(200, SendSettingsBody)
    def change_send_settings(body: dict[str, Any]) -> dict[str, Any]:
        """Switch lifecycle sends on or off. Refused where the shop is no fit for them."""
        with writing(services) as session:
            shop_id = caller().shop_id
            against = speaks_against(trade_of(session, shop_id, now=caller().now)) if body["is_on"] else ()
            if against:
                reasons = " and ".join(AGAINST[one] for one in against)
                raise ConflictingRequest(f"lifecycle sends are not advised: {reasons}", code="not_a_fit")
            before = setting_of(session, shop_id)
            save_setting(session, shop_id, SendSetting(**body), now=caller().now)
            note(session, "settings", "sends", before=asdict(before), after=body)
        return body

    @blueprint.get("/sends")
    @blueprint.response(200, SendsJson)
    def show_sends() -> dict[str, Any]:
        """Count sends by state, and what each window came to."""
        with reading(services) as session:
            shop_id, now = caller().shop_id, caller().now
            counts = count_states(session, shop_id)
            against = speaks_against(trade_of(session, shop_id, now=now))
            return {
                "is_on": setting_of(session, shop_id).is_on,
                "advised": not against,
                "against": list(against),
                "counts": {state: counts.get(state, 0) for state in STATES},
                "windows": _windows(tried_counts(session, shop_id, now=now)),
            }


def _windows(counts: Any) -> list[dict[str, int]]:
    windows = [
        {"first_day": first, "last_day": end - 1, "tried": 0, "bought": 0, "held_out": 0, "held_out_bought": 0}
        for first, end in pairwise(WINDOW_EDGES_DAYS)
    ]
    for one in counts:
        tried, bought = ("held_out", "held_out_bought") if one.is_holdout else ("tried", "bought")
        windows[one.window][tried] += one.tried
        windows[one.window][bought] += one.bought
    return windows
