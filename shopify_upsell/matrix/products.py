"""What a product is, apart from who bought it: title, place in the catalogue, price, cost, stock.

Comes in: an optional table. Goes out: columns aligned to the matrix's product positions, where a product that the table
does not name is available and has empty text, so that a shop without a table learns all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.lines import Integers

TEXT_COLUMNS = ("title", "category", "subcategory", "brand", "family")
UNKNOWN_MONEY = -1
"""Price or cost that the table does not give; no rule may read it as an amount."""


@dataclass(frozen=True)
class Products:
    """The catalogue as columns, one entry per product.

    Shape: 1-d, equal length, `id` without repeats. Text is str; an unknown text is the empty string.
    Units: `price` and `cost` in minor units of the shop's currency, -1 where unknown.
    Raises: ValueError if lengths differ or an id repeats.
    """

    id: Integers
    title: NDArray[np.object_]
    category: NDArray[np.object_]
    subcategory: NDArray[np.object_]
    brand: NDArray[np.object_]
    family: NDArray[np.object_]
    price: Integers
    cost: Integers
    available: NDArray[np.bool_]

    def __post_init__(self) -> None:
        columns = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(columns.values())) > 1:
            raise ValueError(f"products columns differ in length: {columns}")
        if len(np.unique(self.id)) != len(self.id):
            raise ValueError("products ids repeat")

    def __len__(self) -> int:
        """Count the products."""
        return len(self.id)

    def only(self, places: Integers) -> Products:
        """Keep only the products at these positions."""
        return Products(**{name: getattr(self, name)[places] for name in self.__dataclass_fields__})


def products_from_table(table: Any) -> Products:
    """Read a catalogue from a mapping of columns, or anything that answers `table[name]` and `name in table`.

    Only `id` (or `product_id`) must be there; a missing text is empty, a missing price or cost unknown, and a product
    is available unless the table says otherwise.

    Raises: ValueError if there is no id column.
    """
    if isinstance(table, Products):
        return table
    name_of_id = "id" if "id" in table else "product_id"
    if name_of_id not in table:
        raise ValueError("products needs an id column")
    ids = np.asarray(table[name_of_id]).astype(np.int64)
    texts = {name: _texts(table[name] if name in table else [""] * len(ids)) for name in TEXT_COLUMNS}
    unknown = np.full(len(ids), UNKNOWN_MONEY, dtype=np.int64)
    money = {name: _money(table[name]) if name in table else unknown for name in ("price", "cost")}
    is_listed = "available" in table
    available = np.asarray(table["available"]).astype(bool) if is_listed else np.ones(len(ids), dtype=bool)
    columns: dict[str, Any] = {"id": ids, **texts, **money, "available": available}
    return Products(**columns)


def align_products(products: Products | None, product_ids: Integers) -> Products:
    """Lay the catalogue out in the order of `product_ids`, filling in what it does not know."""
    count = len(product_ids)
    source = np.full(count, -1, dtype=np.int64)
    if products is not None and len(products):
        order = np.argsort(products.id)
        place = np.minimum(np.searchsorted(products.id[order], product_ids), len(products) - 1)
        found = products.id[order][place] == product_ids
        source[found] = order[place[found]]
    is_known = source >= 0

    def taken(name: str, missing: object, dtype: type) -> NDArray[Any]:
        column: NDArray[Any] = np.full(count, missing, dtype=dtype)
        if products is not None:
            column[is_known] = getattr(products, name)[source[is_known]]
        return column

    texts = {name: taken(name, "", object) for name in TEXT_COLUMNS}
    return Products(
        id=product_ids,
        **texts,
        price=taken("price", UNKNOWN_MONEY, np.int64),
        cost=taken("cost", UNKNOWN_MONEY, np.int64),
        available=taken("available", True, np.bool_),
    )


def group_codes(texts: NDArray[np.object_]) -> Integers:
    """Number the distinct texts 0, 1, 2 … in sorted order; -1 where the text is empty."""
    distinct, codes = np.unique(texts.astype(str), return_inverse=True)
    codes = codes.reshape(-1).astype(np.int64)
    if len(distinct) and distinct[0] == "":
        codes -= 1
    return codes


def _texts(values: Iterable[object]) -> NDArray[np.object_]:
    # A float here is pandas' way of saying that the cell is empty.
    return np.array(
        ["" if value is None or isinstance(value, float) else str(value) for value in values] or [],
        dtype=object,
    )


def _money(values: object) -> Integers:
    amounts = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(amounts), np.rint(amounts), UNKNOWN_MONEY).astype(np.int64)
