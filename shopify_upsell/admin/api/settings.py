"""Settings of the whole shop: how often shoppers may be asked, what selling costs, languages, limits of health."""

from dataclasses import asdict, fields, replace
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, validate
from marshmallow import fields as schema_fields
from sqlalchemy.orm import Session

from shopify_upsell.admin.api.offer_schemas import Strict, whole
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.customers.courtesy import Caps
from shopify_upsell.customers.courtesy_store import rules_of, save_caps
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.health import HealthLimits
from shopify_upsell.offers.settings_store import ShopSettings, read_settings_of, save_settings_of
from shopify_upsell.offers.store import read_costs, save_costs
from shopify_upsell.reports.remeasuring import ask_to_measure_anew, measured_anew

COST_FIELDS = tuple(one.name for one in fields(Costs) if one.name != "known")


class CapsBody(Strict):
    """Most cards for one shopper, and with `shop_day` for all together."""

    session = whole(required=True)
    day = whole(required=True)
    month = whole(required=True)
    offer_day = whole(required=True)
    offer_month = whole(required=True)
    shop_day = whole(load_default=None, allow_none=True)


class CostsBody(Strict):
    """The costs that the merchant states; what is left out stays assumed."""

    goods_basis_points = whole()
    fee_basis_points = whole()
    fee_minor_units = whole()
    tax_basis_points = whole()
    free_shipping_minor_units = whole()
    extra_shipping_minor_units = whole()
    refund_basis_points = whole()
    goods_lost_basis_points = whole()
    handling_minor_units = whole()
    app_basis_points = whole()


class CostJson(Schema):
    """One cost. `is_assumed`: nobody stated it."""

    name = schema_fields.String()
    value = schema_fields.Integer()
    is_assumed = schema_fields.Boolean()


class WalkJson(Schema):
    """Past orders are being measured at these costs. Units: shoppers."""

    done = schema_fields.Integer()
    of = schema_fields.Integer()


class CostsJson(Schema):
    """Every cost of the shop. `measuring`: null once all margins in reports are by these costs."""

    costs = schema_fields.List(schema_fields.Nested(CostJson))
    measuring = schema_fields.Nested(WalkJson, allow_none=True)


class HealthBody(Strict):
    """When a product is left out of offers until it is mended."""

    fewest_sold = whole(required=True)
    most_refunded_basis_points = whole(required=True)
    fewest_ratings = whole(required=True)
    least_rating = schema_fields.Float(required=True, allow_nan=False)


class SettingsBody(Strict):
    """Languages that a card must speak before it goes live, limits of health, and how much may be tried.

    Without `exploration_basis_points` that share stays as it is.
    """

    locales = schema_fields.List(schema_fields.String(), required=True, validate=validate.Length(1, 20))
    health = schema_fields.Nested(HealthBody, required=True)
    exploration_basis_points = whole()


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/settings`."""

    @blueprint.get("/settings/caps")
    @blueprint.response(200, CapsBody)
    def show_caps() -> dict[str, Any]:
        """Read the shop's caps."""
        with reading(services) as session:
            return asdict(rules_of(session, caller().shop_id).caps)

    @blueprint.put("/settings/caps")
    @blueprint.arguments(CapsBody)
    @blueprint.response(200, CapsBody)
    def change_caps(body: dict[str, Any]) -> dict[str, Any]:
        """Set the shop's caps; they hold within seconds."""
        with writing(services) as session:
            before = rules_of(session, caller().shop_id).caps
            save_caps(session, caller().shop_id, Caps(**body))
            note(session, "caps", "shop", before=asdict(before), after=body)
        return body

    @blueprint.get("/settings/costs")
    @blueprint.response(200, CostsJson)
    def show_costs() -> dict[str, Any]:
        """Read the shop's costs, stated or assumed."""
        with reading(services) as session:
            return _costs(session, read_costs(session, caller().shop_id))

    @blueprint.put("/settings/costs")
    @blueprint.arguments(CostsBody)
    @blueprint.response(200, CostsJson)
    def change_costs(body: dict[str, int]) -> dict[str, Any]:
        """State the shop's costs: exactly these are known from now on, and margins of the past are measured by them."""
        with writing(services) as session:
            before = read_costs(session, caller().shop_id)
            stated = Costs(**body, known=tuple(sorted(body)))
            after = save_costs(session, caller().shop_id, stated, now=caller().now)
            note(session, "costs", "shop", before=_stated(before), after=_stated(after))
            if after != before:
                ask_to_measure_anew(session, caller().shop_id, now=caller().now)
            return _costs(session, after)

    @blueprint.get("/settings/shop")
    @blueprint.response(200, SettingsBody)
    def show_settings() -> dict[str, Any]:
        """Read languages, limits of health, and the share of showings that may try something."""
        with reading(services) as session:
            return _settings(read_settings_of(session, caller().shop_id))

    @blueprint.put("/settings/shop")
    @blueprint.arguments(SettingsBody)
    @blueprint.response(200, SettingsBody)
    def change_settings(body: dict[str, Any]) -> dict[str, Any]:
        """Set languages, limits of health, and the share of showings that may try something."""
        with writing(services) as session:
            before = read_settings_of(session, caller().shop_id)
            after = replace(before, **body | {"locales": (*body["locales"],), "health": HealthLimits(**body["health"])})
            save_settings_of(session, caller().shop_id, after, now=caller().now)
            note(session, "settings", "shop", before=_settings(before), after=_settings(after))
        return _settings(after)


def _costs(session: Session, costs: Costs) -> dict[str, Any]:
    listed = [
        {"name": name, "value": getattr(costs, name), "is_assumed": name not in costs.known} for name in COST_FIELDS
    ]
    walk = measured_anew(session, caller().shop_id)
    return {"costs": listed, "measuring": asdict(walk) if walk is not None else None}


def _stated(costs: Costs) -> dict[str, int]:
    return {name: getattr(costs, name) for name in costs.known}


def _settings(settings: ShopSettings) -> dict[str, Any]:
    return asdict(settings) | {"locales": list(settings.locales)}
