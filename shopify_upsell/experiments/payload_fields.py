"""What differs between two served offers: every field of their JSON, by its path.

Comes in: the JSON of one offer in two arms. Goes out: the paths of what is not the same, for `kinds` to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]
Payload = Mapping[str, object]

ANY = "*"

_ABSENT = object()


def fields_of(payload: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Walk all values of a JSON document. Members of a list have their place as name; an empty part is a value."""
    if isinstance(payload, Mapping) and payload:
        for name, value in payload.items():
            yield from fields_of(value, (*path, str(name)))
    elif isinstance(payload, Sequence) and not isinstance(payload, str) and payload:
        for place, value in enumerate(payload):
            yield from fields_of(value, (*path, str(place)))
    else:
        yield path, payload


def differing(first: Payload, second: Payload) -> frozenset[Path]:
    """Give the paths whose value is not the same in both, or that only one of them has."""
    left, right = dict(fields_of(first)), dict(fields_of(second))
    return frozenset(path for path in left.keys() | right.keys() if _differ(left, right, path))


def by_variant(payload: Payload) -> Payload:
    """Name an offer's items by their variant instead of their place, so that the same product meets itself.

    The order of the items is no field of this form; see `shared_order`.
    """
    return {**payload, "items": dict(zip(variants_of(payload), _items_of(payload), strict=True))}


def variants_of(payload: Payload) -> tuple[str, ...]:
    """Name an offer's items in their order: by variant, or by place when there is none or it came before."""
    names: list[str] = []
    for place, item in enumerate(_items_of(payload)):
        name = str(item.get("variant_id", place)) if isinstance(item, Mapping) else str(place)
        names.append(f"{name}@{place}" if name in names else name)
    return tuple(names)


def currencies_of(payload: Payload) -> frozenset[object]:
    """Give every currency that an offer names."""
    return frozenset(value for path, value in fields_of(payload) if path[-1:] == ("currency",))


def shared_order(first: Payload, second: Payload) -> bool:
    """Tell whether the variants that both offers have come in the same order."""
    left, right = variants_of(first), variants_of(second)
    return [variant for variant in left if variant in right] == [variant for variant in right if variant in left]


def is_under(path: Path, pattern: str) -> bool:
    """Tell whether a path is the pattern's field or lies inside it, as `items.0.price.currency` in `items.*.price`."""
    parts = pattern.split(".")
    return len(path) >= len(parts) and all(
        part in (ANY, name) for part, name in zip(parts, path[: len(parts)], strict=True)
    )


def _items_of(payload: Payload) -> Sequence[object]:
    items = payload.get("items")
    return items if isinstance(items, Sequence) and not isinstance(items, str) else ()


def _differ(left: Mapping[Path, object], right: Mapping[Path, object], path: Path) -> bool:
    one, other = left.get(path, _ABSENT), right.get(path, _ABSENT)
    return type(one) is not type(other) or one != other
