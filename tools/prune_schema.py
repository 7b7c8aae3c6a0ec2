"""Cut Shopify's Admin schema down to what our operations use, and list the access scopes they need.

Usage: python tools/prune_schema.py node_modules/@shopify/dev-mcp

The npm package @shopify/dev-mcp (1.16.0) ships the whole schema with the scopes of every type and field. The two
files this writes beside the operations are committed; tests compare them with a fresh run where the package exists.
"""

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_named_type,
    is_leaf_type,
    parse,
    print_schema,
    validate,
    visit,
)
from graphql.type import GraphQLNamedType, is_specified_scalar_type

API_VERSION = "2026-10"
OPERATIONS = Path(__file__).resolve().parent.parent / "shopify_upsell" / "gateway" / "operations"


class BadOperation(Exception):
    """An operation that the schema does not allow."""


@dataclass(frozen=True)
class AdminSchema:
    """The full schema, and the alternative scopes each type or (type, field) asks for."""

    schema: GraphQLSchema
    type_scopes: dict[str, tuple[str, ...]]
    field_scopes: dict[tuple[str, str], tuple[str, ...]]


def read_admin_schema(package: Path) -> AdminSchema:
    """Read the schema from an unpacked @shopify/dev-mcp."""
    path = package / "dist" / "data" / f"admin_{API_VERSION}.json.gz"
    document: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    items = [item for item in document["offline_scopes"]["items"] if item["offlineScopes"]]
    return AdminSchema(
        schema=build_client_schema(document["data"], assume_valid=True),
        type_scopes={i["typeName"]: tuple(i["offlineScopes"]) for i in items if i["type"] == "type"},
        field_scopes={
            (i["typeName"], i["fieldName"]): tuple(i["offlineScopes"]) for i in items if i["type"] == "field"
        },
    )


class _Uses(Visitor):
    """Collects the fields and types that a document selects."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.fields: dict[str, set[str]] = defaultdict(set)
        self.named: dict[str, GraphQLNamedType] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, field = self.types.get_parent_type(), self.types.get_field_def()
        if parent is None or field is None:
            return
        self.need(parent)
        self.fields[parent.name].add(node.name.value)
        self.need(get_named_type(field.type))
        for argument in field.args.values():
            self.need(get_named_type(argument.type))

    def need(self, named: GraphQLNamedType) -> None:
        if named.name in self.named:
            return
        self.named[named.name] = named
        if isinstance(named, GraphQLInputObjectType):
            for field in named.fields.values():
                self.need(get_named_type(field.type))


def uses_of(schema: GraphQLSchema, documents: Iterable[DocumentNode]) -> _Uses:
    """Walk the documents. Raises: BadOperation naming the first thing the schema does not allow."""
    types = TypeInfo(schema)
    uses = _Uses(types)
    for document in documents:
        errors = validate(schema, document)
        if errors:
            raise BadOperation(errors[0].message)
        visit(document, TypeInfoVisitor(types, uses))
    return uses


def prune(schema: GraphQLSchema, documents: Iterable[DocumentNode]) -> str:
    """Return the schema language of the part in use: a field no operation selects is not in it."""
    uses = uses_of(schema, documents)
    _add_implementations(schema, uses)
    _add_members(uses)
    kept = [_keep(named, uses) for named in sorted(uses.named.values(), key=lambda named: named.name)]
    root = next(named for named in kept if named.name == "QueryRoot")
    assert isinstance(root, GraphQLObjectType)  # noqa: S101 the schema's own root
    types = [named for named in kept if not is_specified_scalar_type(named)]
    return print_schema(GraphQLSchema(query=root, types=types, description=None)) + "\n"


def _add_implementations(schema: GraphQLSchema, uses: _Uses) -> None:
    """Without an object type behind it no answer could hold an interface, and the dev store could not answer."""
    for interface in [named for named in uses.named.values() if isinstance(named, GraphQLInterfaceType)]:
        for implementation in schema.get_possible_types(interface):
            uses.need(implementation)
            uses.fields[implementation.name] |= uses.fields[interface.name]


def _add_members(uses: _Uses) -> None:
    """A union is printed with all its types, also those no operation looks into: these get the least there can be."""
    seen: set[str] = set()
    while waiting := [named for name, named in uses.named.items() if name not in seen]:
        for named in waiting:
            seen.add(named.name)
            if isinstance(named, GraphQLUnionType):
                for member in named.types:
                    _need_least(member, uses)


def _need_least(named: GraphQLNamedType, uses: _Uses) -> None:
    """Take one field of an object that has none yet: one that leads nowhere if there is one."""
    uses.need(named)
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType) or uses.fields.get(named.name):
        return
    name, field = min(named.fields.items(), key=lambda pair: (not is_leaf_type(get_named_type(pair[1].type)), pair[0]))
    uses.fields[named.name].add(name)
    for argument in field.args.values():
        uses.need(get_named_type(argument.type))
    _need_least(get_named_type(field.type), uses)


def _keep(named: GraphQLNamedType, uses: _Uses) -> GraphQLNamedType:
    """Narrow a type in place: the schema object is ours alone and is thrown away afterwards."""
    named.description = None
    if isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        selected = uses.fields.get(named.name) or {next(iter(named.fields))}
        fields: dict[str, GraphQLField] = {name: named.fields[name] for name in sorted(selected)}
        named.fields = fields
        named.interfaces = tuple(i for i in named.interfaces if i.name in uses.named)
        for field in fields.values():
            field.description = None
            for argument in field.args.values():
                argument.description = None
    if isinstance(named, GraphQLInputObjectType):
        for given in named.fields.values():
            given.description = None
    for value in getattr(named, "values", {}).values():
        value.description = None
    return named


def scopes_of(admin: AdminSchema, documents: dict[str, DocumentNode]) -> dict[str, list[list[str]]]:
    """List what each operation needs, as groups of scopes any one of which is enough."""
    needs: dict[str, list[list[str]]] = {}
    for name, document in documents.items():
        uses = uses_of(admin.schema, [document])
        groups = [admin.type_scopes[named] for named in uses.named if named in admin.type_scopes]
        groups += [
            admin.field_scopes[(owner, field)]
            for owner, fields in uses.fields.items()
            for field in fields
            if (owner, field) in admin.field_scopes
        ]
        needs[name] = [list(group) for group in sorted(set(groups))]
    return needs


def read_operations(folder: Path = OPERATIONS) -> dict[str, DocumentNode]:
    """Parse every operation, by file stem."""
    paths = sorted(path for path in folder.glob("*.graphql") if path.stem != "schema")
    return {path.stem: parse(path.read_text(encoding="utf-8"), no_location=True) for path in paths}


def generate(package: Path) -> tuple[str, str]:
    """Return the text of `schema.graphql` and of `scopes.json`."""
    documents = read_operations()
    needs = scopes_of(read_admin_schema(package), documents)
    sdl = prune(read_admin_schema(package).schema, documents.values())
    return sdl, json.dumps(needs, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write both files."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python tools/prune_schema.py PATH_OF_SHOPIFY_DEV_MCP\n")
        return 2
    sdl, scopes = generate(Path(sys.argv[1]))
    (OPERATIONS / "schema.graphql").write_text(sdl, encoding="utf-8")
    (OPERATIONS / "scopes.json").write_text(scopes, encoding="utf-8")
    sys.stdout.write(f"wrote {len(sdl)} bytes of schema for {len(read_operations())} operations\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
