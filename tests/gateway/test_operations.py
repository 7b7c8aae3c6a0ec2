"""Operations against Shopify's schema, cut down to what they use, and the scopes they need."""

import importlib.util
import json
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

from shopify_upsell.gateway.admin_api import document_name, operation_text
from shopify_upsell.gateway.scopes import WEBHOOK_SCOPES, least_scopes, operation_scopes, required_scopes

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "shopify_upsell" / "gateway" / "operations"
NAMES = sorted(path.stem for path in OPERATIONS.glob("*.graphql") if path.stem != "schema")
PACKAGE = ROOT / "node_modules" / "@shopify" / "dev-mcp"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((OPERATIONS / "schema.graphql").read_text(encoding="utf-8"))


def test_there_are_the_operations_we_know_of() -> None:
    assert NAMES == ["boot", "discounts", "order_changeset", "orders_updated", "products"]


@pytest.mark.parametrize("name", NAMES)
def test_operation_is_valid_and_named_after_its_file(name: str, schema: GraphQLSchema) -> None:
    document = parse(operation_text(name))

    assert validate(schema, document) == []
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value == document_name(name)


@pytest.mark.parametrize(
    "query",
    [
        "{ shop { nope } }",
        "{ shop { email } }",
        "{ orders(first: 1) { nodes { email } } }",
        "{ orders(first: 1) { nodes { customer { firstName } } } }",
        "{ customers(first: 1) { nodes { id } } }",
    ],
)
def test_field_that_no_operation_uses_is_not_in_the_schema(query: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(query)) != []


@pytest.mark.parametrize("word", ["email", "phone", "firstName", "lastName", "address", "Address", "ip", "Ip"])
def test_no_operation_asks_for_who_a_person_is(word: str, schema: GraphQLSchema) -> None:
    fields = {field for named in schema.type_map.values() for field in getattr(named, "fields", {})}

    assert word not in fields


def test_operations_need_these_scopes() -> None:
    assert operation_scopes() == {"read_customers", "read_discounts", "read_orders", "read_products"}


def test_of_alternative_scopes_one_that_is_needed_anyway_is_enough() -> None:
    assert least_scopes([("read_files", "read_products"), ("read_products",)]) == {"read_products"}
    assert least_scopes([("read_files", "read_images")]) == {"read_files"}
    assert least_scopes([]) == frozenset()


def test_webhook_topics_of_the_app_file_all_have_their_scope_stated() -> None:
    config = tomllib.loads((ROOT / "shopify.app.toml").read_text(encoding="utf-8"))
    subscriptions = config["webhooks"]["subscriptions"]
    topics = {
        topic for entry in subscriptions for key in ("topics", "compliance_topics") for topic in entry.get(key, ())
    }

    assert topics == set(WEBHOOK_SCOPES)
    assert required_scopes() >= {"read_orders", "read_products"}


def test_committed_scopes_cover_every_operation() -> None:
    assert sorted(json.loads((OPERATIONS / "scopes.json").read_text(encoding="utf-8"))) == NAMES


def prune_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prune_schema", ROOT / "tools" / "prune_schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prune_schema"] = module
    spec.loader.exec_module(module)
    return module


def test_pruning_keeps_what_is_used_and_drops_the_rest() -> None:
    full = build_schema(
        "type QueryRoot { a: A b: String } type A { c(of: E): I d: Int } enum E { X } "
        "interface I { f: Int g: Int } type J implements I { f: Int g: Int } schema { query: QueryRoot }"
    )

    sdl = prune_tool().prune(full, [parse("{ a { c(of: X) { f } } }")])

    pruned = build_schema(sdl)
    assert validate(pruned, parse("{ a { c(of: X) { f } } }")) == []
    assert [type(error).__name__ for error in validate(pruned, parse("{ b a { d c { g } } }"))] == ["GraphQLError"] * 3
    assert "type J implements I" in sdl


def test_operation_the_full_schema_does_not_allow_stops_the_pruning() -> None:
    tool = prune_tool()

    with pytest.raises(tool.BadOperation, match="nope"):
        tool.prune(build_schema("type Query { a: Int }"), [parse("{ nope }")])


@pytest.mark.skipif(
    not PACKAGE.is_dir(), reason="npm package @shopify/dev-mcp is not installed: nothing to compare with"
)
def test_committed_schema_and_scopes_are_what_the_tool_writes() -> None:
    sdl, scopes = prune_tool().generate(PACKAGE)

    assert (OPERATIONS / "schema.graphql").read_text(encoding="utf-8") == sdl
    assert (OPERATIONS / "scopes.json").read_text(encoding="utf-8") == scopes
