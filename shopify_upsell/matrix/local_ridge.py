"""The bundle ridge for catalogues too large to solve at once: each product on its nearest co-bought products.

Comes in: a symmetric sparse co-count table. Goes out: a sparse table of weights, row = anchor, column = target. Most
time goes into gathering each target's small system out of the big table, so the most-bought products (the hub, in
nearly every system) are held dense and only the thin tail is looked up in the sparse table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from shopify_upsell.matrix.pruning import prune_sparse_rows

Reals = NDArray[np.float32]
Positions = NDArray[np.int64]

NEIGHBOURS = 160
"""Products that one product is regressed on. Source: on the largest bench set's earlier fold 60 reached .97, 120 .99
and 240 1.01 of the exact solve at λ = 50.
"""

HUB = 3_000
"""Most-bought products held dense: 12 kB for each product of the catalogue."""

BLOCK = 16
"""Targets whose tail neighbours are fetched together."""


@dataclass(frozen=True)
class _Table:
    """The co-counts by falling popularity: columns of the hub dense, tail by tail sparse."""

    hub: Reals
    tail: sparse.csr_matrix

    @property
    def hub_size(self) -> int:
        return int(self.hub.shape[1])


def local_ridge(
    gram: sparse.csr_matrix, penalty: float, *, neighbours: int = NEIGHBOURS, targets: Positions | None = None
) -> sparse.csr_matrix:
    """Regress each target on the products most often bought with it; all others get weight zero.

    Shape: n x n in and out; only the columns of `targets` are filled (all by default).
    Units: `penalty` in weighted orders, as the gram.
    """
    count = gram.shape[0]
    order = np.argsort(-gram.diagonal(), kind="stable").astype(np.int64)
    sorted_gram = gram[order][:, order].tocsr()
    nearest = nearest_products(sorted_gram, penalty, neighbours)
    hub_size = min(HUB, count)
    table = _Table(
        np.ascontiguousarray(sorted_gram[:, :hub_size].toarray()),
        sorted_gram[hub_size:][:, hub_size:].tocsr(),
    )
    del sorted_gram
    wanted = np.arange(count) if targets is None else np.flatnonzero(np.isin(order, targets))
    solved: list[tuple[Positions, Positions, Reals]] = []
    for start in range(0, len(wanted), BLOCK):
        solved.extend(_solve_block(table, nearest, wanted[start : start + BLOCK], penalty))
    if not solved:
        return sparse.csr_matrix((count, count), dtype=np.float32)
    anchors, columns, values = (np.concatenate(part) for part in zip(*solved, strict=True))
    return sparse.csr_matrix((values, (order[anchors], order[columns])), shape=(count, count), dtype=np.float32)


def nearest_products(gram: sparse.csr_matrix, penalty: float, neighbours: int) -> sparse.csr_matrix:
    """Keep each product's nearest others by cosine, damped so that one-off pairs do not crowd in.

    Shape: n x n, at most `neighbours` entries per row, columns ascending.
    """
    scale = (1 / np.sqrt(gram.diagonal() + penalty)).astype(np.float32)
    cosine = gram.copy()
    cosine.data *= scale[cosine.indices]
    cosine.data *= np.repeat(scale, np.diff(cosine.indptr))
    cosine.setdiag(0)
    cosine.eliminate_zeros()
    nearest = prune_sparse_rows(cosine, neighbours)
    nearest.sort_indices()
    return nearest


def _solve_block(
    table: _Table, nearest: sparse.csr_matrix, targets: Positions, penalty: float
) -> list[tuple[Positions, Positions, Reals]]:
    """Solve some targets; give for each the anchors, the target repeated, and the weights."""
    supports = [
        nearest.indices[nearest.indptr[target] : nearest.indptr[target + 1]].astype(np.int64) for target in targets
    ]
    members = np.concatenate([*supports, targets])
    tail = np.unique(members[members >= table.hub_size])
    inside = tail - table.hub_size
    dense_tail = table.tail[inside][:, inside].toarray()
    solved = []
    for target, support in zip(targets, supports, strict=True):
        if len(support):
            weights = _regress(table, dense_tail, tail, support, int(target), penalty)
            solved.append((support, np.full(len(support), target), weights))
    return solved


def _regress(
    table: _Table, dense_tail: Reals, tail: Positions, support: Positions, target: int, penalty: float
) -> Reals:
    """Solve one target's small system, gathered half from the hub and half from the tail."""
    split = int(np.searchsorted(support, table.hub_size))
    place = np.searchsorted(tail, support[split:])
    # Only the lower triangle is read, so the hub columns and the tail square are all there is to fill.
    system = np.zeros((len(support), len(support)), dtype=np.float32)
    system[:, :split] = table.hub.ravel().take(support[:, None] * table.hub_size + support[None, :split])
    system[split:, split:] = dense_tail[place[:, None], place[None, :]]
    system.flat[:: len(support) + 1] += penalty
    if target < table.hub_size:
        right = table.hub[support, target]
    else:
        at = int(np.searchsorted(tail, target))
        right = np.concatenate([table.hub[target, support[:split]], dense_tail[place, at]])
    # LAPACK reads columns first: the transposed view's upper triangle is our lower one, without a copy.
    _, weights, _ = lapack.sposv(system.T, right, lower=0, overwrite_a=1)
    return np.asarray(weights, dtype=np.float32)
