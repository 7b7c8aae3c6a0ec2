"""Snapshots and answers as canonical JSON text and back, without loss.

Pure. The types say everything: a field added to a dataclass is written and read from then on. Floats are written
with as many digits as it takes to read the same float; amounts and ids are integers; moments are UTC.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from shopify_upsell.core import canonical_json, parse_time
from shopify_upsell.offers.candidate import Answer, Rejection, SharedRefusals
from shopify_upsell.offers.snapshot import OfferRequest, Snapshot

Document = TypeVar("Document")

ANSWER_FIELDS = ("chosen", "would_have_shown", "refused", "unit", "is_holdout", "gate", "next_at", "assigned")


RULEBOOK_FIELDS = (
    "currency", "offers", "costs", "discounts", "knows_discounts", "caps", "throttles", "experiments",
    "health_limits",
)  # fmt: skip
"""What is the same for a whole shop until its merchant changes something."""

SHELF_FIELDS = (
    "matrix_version", "companions", "untried", "products", "negative_edges", "timing", "pins", "health", "acceptance",
)  # fmt: skip
"""What is the same for all who look at the same products until something is sold, priced or learned."""

PARTS = {"rulebook": RULEBOOK_FIELDS, "shelf": SHELF_FIELDS}

OWN_FIELDS = tuple(each.name for each in fields(Snapshot) if each.name not in (*RULEBOOK_FIELDS, *SHELF_FIELDS))


def snapshot_to_json(snapshot: Snapshot) -> str:
    """Write a snapshot; equal snapshots are equal text."""
    return canonical_json(_plain(snapshot))


def snapshot_from_json(text: str) -> Snapshot:
    """Read back what `snapshot_to_json` wrote."""
    return _read(Snapshot, json.loads(text))


def part_to_json(snapshot: Snapshot, part: str) -> str:
    """Write one part of a snapshot that many decisions share."""
    return canonical_json({name: _plain(getattr(snapshot, name)) for name in PARTS[part]})


def own_to_json(snapshot: Snapshot) -> str:
    """Write what is a decision's own: who asked what, and when."""
    return _written({name: getattr(snapshot, name) for name in OWN_FIELDS})


def snapshot_from_parts(*texts: str) -> Snapshot:
    """Put a snapshot together from its parts and its own text."""
    document: dict[str, Any] = {}
    for text in texts:
        document |= json.loads(text)
    return _read(Snapshot, document)


def request_from_json(own: str) -> OfferRequest:
    """The question of a decision, from its own text alone."""
    return _read(OfferRequest, json.loads(own)["request"])


def answer_to_json(answer: Answer) -> str:
    """Write an answer; equal answers are equal text. Rejections that others share stand in it as their digest."""
    document = {name: getattr(answer, name) for name in ANSWER_FIELDS}
    return _written(document | {"shared": answer.shared.digest})


def answer_from_json(text: str, shared: str | None = None) -> Answer:
    """Read back what `answer_to_json` wrote, with the shared rejections if their text is given."""
    document = json.loads(text)
    refusals = _build(tuple[Rejection, ...], json.loads(shared)) if shared is not None else ()
    known = {name: _build(_hints(Answer)[name], document[name]) for name in ANSWER_FIELDS if name in document}
    return Answer(**known, shared=SharedRefusals(refusals))


def _written(document: dict[str, Any]) -> str:
    """A document of dataclasses as text, equal for equal ones. Every decision writes two.

    What the fast writer refuses (half a surrogate pair in a title, an integer beyond 64 bits) the standard one writes.
    """
    try:
        return orjson.dumps(document, default=_plainer, option=ONE_TEXT).decode()
    except TypeError:
        return canonical_json(_plain(document))


def _plainer(value: Any) -> Any:
    """A value that is none of JSON's own."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


ONE_TEXT = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
"""Keys in order; fields of dataclasses stand in theirs."""

_AS_THEY_ARE = frozenset({str, int, float, bool, NoneType, datetime})


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is tuple:
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _read(kind: type[Document], value: Any) -> Document:
    result: Document = _build(kind, value)
    return result


def _build(hint: Any, value: Any) -> Any:
    hint = _unwrapped(hint)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _build_optional(hint, value)
    if origin is tuple:
        inner = get_args(hint)[0]
        return tuple(_build(inner, each) for each in value)
    if origin is not None and issubclass(origin, Mapping):
        return _build_mapping(hint, value)
    if hint is datetime:
        return parse_time(value)
    if is_dataclass(hint):
        return _build_dataclass(hint, value)
    return value


def _build_optional(hint: Any, value: Any) -> Any:
    """`X | None` becomes X or None; a union of plain values is already what JSON gave."""
    inner = [each for each in get_args(hint) if each is not NoneType]
    return None if value is None else _build(inner[0], value) if len(inner) == 1 else value


def _build_mapping(hint: Any, value: Any) -> dict[Any, Any]:
    """Keys are text in JSON; ids become integers again."""
    key_hint, inner = get_args(hint)
    as_key = int if _unwrapped(key_hint) is int else str
    return {as_key(key): _build(inner, each) for key, each in value.items()}


def _build_dataclass(hint: Any, value: Any) -> Any:
    """A field that was added later has a default and is missing in older text."""
    return hint(**{name: _build(inner, value[name]) for name, inner in _hints(hint).items() if name in value})


def _unwrapped(hint: Any) -> Any:
    return hint.__supertype__ if isinstance(hint, NewType) else hint


@cache
def _hints(hint: Any) -> dict[str, Any]:
    known = get_type_hints(hint)
    return {each.name: known[each.name] for each in fields(hint)}
