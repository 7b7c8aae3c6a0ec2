"""The Admin GraphQL API: Shopify's own (pruned) schema executed with graphql-core over the shop's objects."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
    get_operation_ast,
    parse,
    validate,
)

from shopify_upsell.devstore.admin_objects import (
    Listing,
    Node,
    installation_node,
    instant,
    matches,
    order_node,
    product_node,
    shop_node,
)
from shopify_upsell.devstore.catalogue import Product
from shopify_upsell.devstore.config import DevstoreRefused
from shopify_upsell.devstore.discounts import Discounts
from shopify_upsell.devstore.oauth import TokenDesk
from shopify_upsell.devstore.orders import Order
from shopify_upsell.devstore.query_cost import MAX_QUERY_COST, Bucket, CostReader, count_objects
from shopify_upsell.devstore.shop import DevShop

MAX_PAGE = 250
UNAUTHORISED = "[API] Invalid API key or access token (unrecognized login or wrong password)"

ORDER_SORT: dict[str, Callable[[Order], str]] = {
    "UPDATED_AT": lambda order: order.updated_at.isoformat(),
    "CREATED_AT": lambda order: order.ordered_at.isoformat(),
    "PROCESSED_AT": lambda order: order.ordered_at.isoformat(),
}


def load_schema(path: Path) -> GraphQLSchema:
    """Read the pruned schema.

    Raises: DevstoreRefused when the file is missing.
    """
    if not path.is_file():
        raise DevstoreRefused(f"the Admin schema {path.name} is missing")
    return build_schema(path.read_text(encoding="utf-8"), assume_valid=True)


class Resolvers:
    """Answers the root fields; everything below is read from plain values."""

    def __init__(self, shop: DevShop, discounts: Discounts) -> None:
        self.shop = shop
        self.roots: dict[str, Callable[..., object]] = {
            "shop": lambda: shop_node(shop, request.host),
            "currentAppInstallation": lambda: installation_node(shop),
            "orders": self.orders,
            "order": self.order,
            "products": self.products,
            "product": self.product,
            "discountNodes": discounts.listing,
        }

    def resolve(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> object:
        """Find a field's value: by root, by key, by calling it; paginate where a connection is wanted."""
        value: object
        if info.path.prev is None:
            root = self.roots.get(info.field_name)
            if root is None:
                raise GraphQLError(f"The dev store does not answer {info.field_name} yet.")
            value = root(**arguments)
        else:
            value = source.get(info.field_name) if isinstance(source, Mapping) else None
            if callable(value):
                value = value(**arguments)
        if get_named_type(info.return_type).name.endswith("Connection"):
            return paginate(value, arguments)
        if isinstance(value, list) and "first" in arguments:
            return value[: arguments["first"]]
        return value

    def orders(self, query: str | None = None, sortKey: str = "PROCESSED_AT", **_: object) -> Listing:
        """List orders that match a search."""
        by = ORDER_SORT.get(sortKey, ORDER_SORT["PROCESSED_AT"])
        found = [order for order in list(self.shop.orders.values()) if matches(query, _order_fields(order))]
        rows: list[tuple[tuple[str, int], object]] = [((by(order), order.order_id), order) for order in found]
        return Listing(sorted(rows, key=lambda row: row[0]), self._order_row)

    def _order_row(self, order: object) -> Node:
        return order_node(self.shop, order) if isinstance(order, Order) else {}

    def order(self, id: str, **_: object) -> Node | None:
        """Find one order by GID."""
        number = id.removeprefix("gid://shopify/Order/")
        order = self.shop.orders.get(int(number)) if number.isdigit() else None
        return None if order is None else order_node(self.shop, order)

    def products(self, query: str | None = None, sortKey: str = "ID", **_: object) -> Listing:
        """List products that match a search, by id: none of them ever changes."""
        found = [product for product in self.shop.products.values() if matches(query, self._product_fields(product))]
        rows: list[tuple[tuple[str, int], object]] = [(("", product.product_id), product) for product in found]
        return Listing(sorted(rows, key=lambda row: row[0]), self._product_row)

    def _product_row(self, product: object) -> Node:
        return product_node(self.shop, product, request.host_url.rstrip("/")) if isinstance(product, Product) else {}

    def product(self, id: str, **_: object) -> Node | None:
        """Find one product by GID."""
        number = id.removeprefix("gid://shopify/Product/")
        product = self.shop.products.get(int(number)) if number.isdigit() else None
        return None if product is None else self._product_row(product)

    def _product_fields(self, product: Product) -> dict[str, str]:
        return {
            "id": str(product.product_id),
            "handle": product.handle,
            "status": product.status,
            "product_type": product.product_type,
            "published_status": "published" if product.is_reachable else "unpublished",
            "updated_at": instant(self.shop.world.now),
        }


def _order_fields(order: Order) -> dict[str, str]:
    return {
        "id": str(order.order_id),
        "name": f"#{order.number}",
        "updated_at": instant(order.updated_at),
        "created_at": instant(order.ordered_at),
        "processed_at": instant(order.ordered_at),
        "cart_token": order.cart_token or "",
        "checkout_token": order.checkout_token or "",
        "financial_status": order.financial_status,
        "test": "false",
    }


def paginate(value: object, arguments: Mapping[str, Any]) -> Node:
    """Cut one page out of a listing: `first` and `after`, `reverse`; cursors hold the sort key of the last row.

    Raises: GraphQLError without `first` or `last`, or for more than 250.
    """
    listing = value if isinstance(value, Listing) else Listing(
        [(("", at), item) for at, item in enumerate(value if isinstance(value, list) else [])],
        lambda item: item if isinstance(item, dict) else {},
    )  # fmt: skip
    size = arguments.get("first") or arguments.get("last")
    if not size:
        raise GraphQLError("you must provide one of first or last")
    if size > MAX_PAGE:
        raise GraphQLError(f"first cannot exceed {MAX_PAGE}")
    rows = list(reversed(listing.rows)) if arguments.get("reverse") else listing.rows
    start = _start(rows, arguments.get("after"))
    page = rows[start : start + size]
    edges = [{"cursor": _cursor(key), "node": listing.to_node(item)} for key, item in page]
    return {
        "nodes": [edge["node"] for edge in edges],
        "edges": edges,
        "pageInfo": {
            "hasNextPage": start + size < len(rows),
            "hasPreviousPage": start > 0,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


def _cursor(key: tuple[str, int]) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def _start(rows: list[tuple[tuple[str, int], object]], after: str | None) -> int:
    """Where the page begins. A row that moved while pages were read is found again by its new key."""
    if not after:
        return 0
    try:
        sort, number = json.loads(base64.b64decode(after))
    except ValueError as wrong:
        raise GraphQLError("Invalid cursor for current pagination sort.") from wrong
    is_rising = len(rows) < 2 or rows[0][0] <= rows[-1][0]
    for at, (key, _) in enumerate(rows):
        if key != (sort, number) and (key > (sort, number)) == is_rising:
            return at
    return len(rows)


class _AdminApi:
    """Runs documents against the schema, for points from the bucket."""

    def __init__(self, shop: DevShop, schema: GraphQLSchema, discounts: Discounts) -> None:
        self.shop = shop
        self.schema = schema
        self.resolvers = Resolvers(shop, discounts)
        config = shop.config
        self.bucket = Bucket(config.bucket_size, config.restore_rate, config.bucket_size, config.clock())

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request: parse, validate, price, pay, execute."""
        try:
            document = parse(body["query"])
        except GraphQLError as wrong:
            return {"errors": [wrong.formatted]}
        errors = validate(self.schema, document)
        if errors:
            return {"errors": [error.formatted for error in errors]}
        operation = get_operation_ast(document, body.get("operationName"))
        if operation is None:
            return _refused("An operation name is required", {})
        requested = CostReader(self.schema, document, body.get("variables") or {}).cost(operation)
        if requested > MAX_QUERY_COST:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_QUERY_COST})."
            return _refused(message, {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MAX_QUERY_COST})
        with self.shop.lock:
            return self._run(document, body, requested)

    def _run(self, document: DocumentNode, body: Mapping[str, Any], requested: int) -> dict[str, Any]:
        if requested > self.bucket.available_at(self.shop.config.clock()):
            return {**_refused("Throttled", {"code": "THROTTLED"}), **self._cost(requested, None)}
        result = execute_sync(
            self.schema,
            document,
            variable_values=body.get("variables"),
            operation_name=body.get("operationName"),
            field_resolver=self.resolvers.resolve,
            type_resolver=lambda value, *_: value.get("__typename"),
        )
        actual = min(requested, max(1, count_objects(result.data) - 1))
        self.bucket.available -= actual
        return {**result.formatted, **self._cost(requested, actual)}

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        status = self.bucket.status(self.shop.config.clock())
        spent = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
        return {"extensions": {"cost": spent}}


def make_admin_graphql(shop: DevShop, desk: TokenDesk, schema: GraphQLSchema, discounts: Discounts) -> Blueprint:
    """Build the endpoint, with Shopify's errors and cost extensions."""
    views = Blueprint("admin_graphql", __name__)
    api = _AdminApi(shop, schema, discounts)

    @views.post("/admin/api/<version>/graphql.json")
    def graphql(version: str) -> ResponseReturnValue:
        if not desk.is_valid(request.headers.get("X-Shopify-Access-Token")):
            return _versioned(jsonify(errors=UNAUTHORISED), version), 401
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return _versioned(jsonify(errors={"query": "Required parameter missing or invalid"}), version), 400
        return _versioned(jsonify(api.answer(body)), version)

    return views


def _refused(message: str, extensions: dict[str, object]) -> dict[str, object]:
    return {"errors": [{"message": message, "extensions": extensions}]}


def _versioned(answer: Response, version: str) -> Response:
    answer.headers["X-Shopify-API-Version"] = version
    return answer
