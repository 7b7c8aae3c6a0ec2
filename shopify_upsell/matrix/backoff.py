"""Rows for products that hardly sold yet, borrowed from their relatives in the catalogue.

Comes in: ridge weights and catalogue groups. Goes out: the mean row of each family or type, and how much of it a
product with few orders borrows. Whole shops without orders get a labelled prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.products import Products, group_codes
from shopify_upsell.matrix.pruning import prune_sparse_rows

FEW_ORDERS = 10
BORROWED_WORTH = 5.0
"""Orders that the relatives' mean row is worth. Source: a pseudo-count; at 20 orders a product speaks for itself."""

LEVELS = ("family", "subcategory", "category")


@dataclass(frozen=True)
class Lending:
    """How products with few orders borrow from their relatives.

    Shape: `share` n, the part of a product's row that is borrowed, 0 for well-sold ones; `group` n, which mean row;
    `rows` groups x n, the mean rows.
    """

    share: NDArray[np.float32]
    group: NDArray[np.int64]
    rows: sparse.csr_matrix

    def scores(self, bought: sparse.csr_matrix, ridge: sparse.csr_matrix) -> NDArray[np.float64]:
        """Add up the rows of each basket, own and borrowed. Shape: baskets x n in and out."""
        own: NDArray[np.float64] = (bought @ sparse.diags(1 - self.share) @ ridge).toarray().astype(np.float64)
        borrowers = np.flatnonzero(self.share > 0)
        if not bought[:, borrowers].nnz:
            return own
        entries = (self.share[borrowers], (borrowers, self.group[borrowers]))
        lent = sparse.csr_matrix(entries, shape=(len(self.share), self.rows.shape[0]))
        return np.asarray(own + (bought @ lent @ self.rows).toarray())


def lend_rows(ridge: sparse.csr_matrix, orders: NDArray[np.int64], products: Products) -> Lending:
    """Let products with fewer than FEW_ORDERS orders borrow; the share falls from 1 at none to a third at ten.

    Shape: ridge n x n; orders n.
    """
    group = nearest_group(products, orders)
    borrows = (orders < FEW_ORDERS) & (group >= 0)
    share = np.where(borrows, BORROWED_WORTH / (orders + BORROWED_WORTH), 0.0).astype(np.float32)
    used, compact = np.unique(group[borrows], return_inverse=True)
    small = np.full(len(orders), -1, dtype=np.int64)
    small[borrows] = compact.reshape(-1)
    means = _mean_rows(ridge, orders, products, used).astype(np.float32)
    return Lending(share, small, prune_sparse_rows(means.tocsr()))


def nearest_group(products: Products, orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each product the closest group in which another product has sold; -1 if there is none.

    Shape: group numbers run over all levels, as in `level_codes`.
    """
    chosen = np.full(len(products), -1, dtype=np.int64)
    for codes in level_codes(products):
        inside = codes >= 0
        sold = np.bincount(codes[inside], (orders[inside] > 0), minlength=1)
        others = np.zeros(len(products))
        others[inside] = sold[codes[inside]] - (orders[inside] > 0)
        is_new = (chosen < 0) & (others > 0)
        chosen[is_new] = codes[is_new]
    return chosen


def level_codes(products: Products) -> list[NDArray[np.int64]]:
    """Number the groups of all levels through, closest level first; -1 where a product has none."""
    levels: list[NDArray[np.int64]] = []
    offset = 0
    for level in LEVELS:
        codes = group_codes(getattr(products, level))
        levels.append(np.where(codes >= 0, codes + offset, -1))
        offset += int(codes.max(initial=-1)) + 1
    return levels


def _mean_rows(
    ridge: sparse.csr_matrix, orders: NDArray[np.int64], products: Products, groups: NDArray[np.int64]
) -> sparse.csr_matrix:
    """Average the rows of each of the given groups, by orders. Shape: groups x n."""
    rows, columns = [], []
    for codes in level_codes(products):
        members = np.flatnonzero((orders > 0) & np.isin(codes, groups) & (codes >= 0))
        rows.append(np.searchsorted(groups, codes[members]))
        columns.append(members)
    row, column = np.concatenate(rows), np.concatenate(columns)
    weight = orders[column].astype(np.float64)
    total = np.bincount(row, weight, minlength=len(groups))
    share = (weight / total[row]).astype(np.float32)
    return sparse.csr_matrix((share, (row, column)), shape=(len(groups), len(orders))) @ ridge


def cold_start_scores(products: Products, basket: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score companions by catalogue alone: of the same line, but another kind of product.

    Shape: `basket` holds positions; the result has one score per product, zero where nothing speaks for it.
    """
    scores = np.zeros(len(products))
    if not len(basket):
        return scores
    for level, worth in (("brand", 1.0), ("category", 0.5)):
        codes = group_codes(getattr(products, level))
        scores += worth * (np.isin(codes, codes[basket]) & (codes >= 0))
    for level in ("family", "subcategory"):
        codes = group_codes(getattr(products, level))
        scores[np.isin(codes, codes[basket]) & (codes >= 0)] = 0.0
    scores[basket] = 0.0
    return scores
