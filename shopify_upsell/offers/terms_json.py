"""Terms as JSON text and back, without loss. Pure. Only what differs from the default is written."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from shopify_upsell.core import canonical_json, parse_time
from shopify_upsell.offers.terms import (
    STANDARD_TERMS,
    Audience,
    Floor,
    Incentive,
    RequiredAttribute,
    Schedule,
    Terms,
)

PARTS = {"incentive": Incentive, "schedule": Schedule, "audience": Audience, "floor": Floor}


def terms_to_json(terms: Terms) -> str:
    """Write terms; equal terms are equal text, standard terms are `{}`."""
    document = _changed(terms, STANDARD_TERMS)
    for name, part in PARTS.items():
        if name in document:
            document[name] = _changed(document[name], part())
    return canonical_json(document)


def terms_from_json(text: str) -> Terms:
    """Read back what `terms_to_json` wrote."""
    document: dict[str, Any] = json.loads(text)
    for name, part in PARTS.items():
        if name in document:
            document[name] = part(**{key: _value(key, value) for key, value in document[name].items()})
    return Terms(**{key: value if key in PARTS else _value(key, value) for key, value in document.items()})


def _changed(whole: Any, default: Any) -> dict[str, Any]:
    """The fields that differ from the default."""
    named = {each.name: getattr(whole, each.name) for each in fields(whole)}
    return {name: _plain(value) for name, value in named.items() if value != getattr(default, name)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, RequiredAttribute):
        return {"name": value.name, "value": value.value}
    return value.isoformat() if isinstance(value, datetime) else value


def _value(name: str, value: Any) -> Any:
    if name == "attributes":
        return tuple(RequiredAttribute(each["name"], each["value"]) for each in value)
    if name.endswith("_at") and value is not None:
        return parse_time(value)
    return tuple(value) if isinstance(value, list) else value
