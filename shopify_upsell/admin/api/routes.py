"""Every route of the merchant API under one proof: one entry in `PARTS` each."""

from flask_smorest import Blueprint

from shopify_upsell.admin.api import (
    actions,
    customers,
    decisions,
    experiments,
    incidents,
    offers,
    reports,
    sends,
    settings,
    targets,
    words,
)
from shopify_upsell.admin.api.proof import PREFIX, MerchantServices, guard

PARTS = (
    offers.add_routes,
    incidents.add_routes,
    experiments.add_routes,
    decisions.add_routes,
    settings.add_routes,
    customers.add_routes,
    words.add_routes,
    targets.add_routes,
    actions.add_routes,
    reports.add_routes,
    sends.add_routes,
)


def make_blueprint(services: MerchantServices) -> Blueprint:
    """Routes under `/api/merchant/v1`."""
    blueprint = Blueprint("merchant_api", __name__, url_prefix=PREFIX, description="The merchant's own shop")
    guard(blueprint, services)
    for add_routes in PARTS:
        add_routes(blueprint, services)
    return blueprint
