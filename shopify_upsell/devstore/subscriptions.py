"""Which webhooks the app asked for, read from its `shopify.app.toml` as Shopify reads it on deploy.

Without a file every topic goes to `/webhooks` with its whole body.
"""

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopify_upsell.devstore.config import API_VERSION, DevstoreRefused

EVERY_TOPIC = (
    "orders/create",
    "orders/paid",
    "orders/updated",
    "orders/edited",
    "orders/cancelled",
    "refunds/create",
    "products/create",
    "products/update",
    "products/delete",
    "customers/data_request",
    "customers/redact",
    "shop/redact",
    "app/uninstalled",
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic, where it goes, and the fields it is cut down to (none named: the whole body)."""

    topic: str
    uri: str
    include_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """What an app declared: API version and subscriptions."""

    api_version: str
    rows: tuple[Subscription, ...]

    def of(self, topic: str) -> tuple[Subscription, ...]:
        """Find the subscriptions to a topic. Two of them mean two deliveries."""
        return tuple(row for row in self.rows if row.topic == topic)


def read_subscriptions(app_toml: Path | None) -> Subscriptions:
    """Read the app's declaration.

    Raises: DevstoreRefused when the file is no TOML or misses `topics` or `uri`.
    """
    if app_toml is None:
        return Subscriptions(API_VERSION, tuple(Subscription(topic, "/webhooks") for topic in EVERY_TOPIC))
    try:
        declared = tomllib.loads(app_toml.read_text(encoding="utf-8"))["webhooks"]
        rows = [row for entry in declared["subscriptions"] for row in _rows(entry)]
    except (tomllib.TOMLDecodeError, KeyError) as wrong:
        raise DevstoreRefused(f"{app_toml.name}: no usable [webhooks] section ({wrong})") from wrong
    return Subscriptions(str(declared.get("api_version", API_VERSION)), tuple(rows))


def read_scopes(app_toml: Path | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """Read the scopes the merchant grants on install."""
    if app_toml is None:
        return default
    declared = tomllib.loads(app_toml.read_text(encoding="utf-8")).get("access_scopes", {}).get("scopes", "")
    return tuple(scope.strip() for scope in declared.split(",") if scope.strip())


def _rows(entry: Mapping[str, object]) -> list[Subscription]:
    topics = [*_texts(entry.get("topics")), *_texts(entry.get("compliance_topics"))]
    fields = tuple(_texts(entry.get("include_fields")))
    return [Subscription(topic, str(entry["uri"]), fields) for topic in topics]


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def cut_down(body: Mapping[str, object], include_fields: tuple[str, ...]) -> dict[str, object]:
    """Keep only the named fields. A dotted path reaches into objects and into every element of a list."""
    if not include_fields:
        return dict(body)
    wanted: dict[str, object] = {}
    for path in include_fields:
        branch = wanted
        for step in path.split("."):
            branch = branch.setdefault(step, {})  # type: ignore[assignment]
    kept = _keep(copy.deepcopy(dict(body)), wanted)
    return kept if isinstance(kept, dict) else {}


def _keep(value: object, wanted: object) -> object:
    if not isinstance(wanted, dict) or not wanted:
        return value
    if isinstance(value, list):
        return [_keep(item, wanted) for item in value]
    if isinstance(value, dict):
        return {key: _keep(value[key], branch) for key, branch in wanted.items() if key in value}
    return value
