"""The manual of the merchant API names every route, check, action, target and field that there is."""

from dataclasses import fields
from pathlib import Path

import pytest
from builders_merchant import a_merchant_api

from shopify_upsell.admin.api.proof import PREFIX
from shopify_upsell.offers.launch import CHECKS
from shopify_upsell.offers.terms import Terms
from shopify_upsell.reports.changes import WHATS
from shopify_upsell.reports.next_actions import LABELS
from shopify_upsell.reports.targets import METRICS

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "merchant-api.md").read_text()


@pytest.mark.parametrize("name", [*CHECKS, *LABELS, *METRICS, *WHATS, *(field.name for field in fields(Terms))])
def test_every_name_is_in_the_manual(name):
    assert f"`{name}`" in MANUAL or f"`?what={name}`" in MANUAL or name in ("objective", "hypothesis", "primary_metric")


def test_every_route_is_in_the_manual(database):
    application = a_merchant_api(database)
    routes = {
        f"{method} {rule.rule.removeprefix(PREFIX)}"
        for rule in application.url_map.iter_rules()
        if rule.rule.startswith(PREFIX)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {route for route in routes if f"`{route}`" not in MANUAL} == set()
