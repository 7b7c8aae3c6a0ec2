"""The bundle score: a ridge regression of every product on the others, from co-counts alone.

Comes in: a symmetric co-count table. Goes out: a sparse table of weights, row = anchor, column = companion; the score
of a companion for a basket is the sum over the basket's rows. Small catalogues are solved exactly and at once (EASE);
in large ones each product is regressed on its nearest co-bought products only, which gives up little and costs linear
rather than cubic time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from shopify_upsell.matrix.local_ridge import NEIGHBOURS, local_ridge
from shopify_upsell.matrix.pruning import prune_rows, prune_sparse_rows

Weights = NDArray[np.float32]
Positions = NDArray[np.int64]

EXACT_UP_TO = 4_000
"""Products up to which the exact solve is used: about two seconds and 130 MB there, growing with the cube.
Source: measured on the bench machine; reference `matrix.md` part 4 asks for the cheaper way above 4,000.
"""


def ridge_weights(gram: sparse.csr_matrix, penalty: float, *, neighbours: int = NEIGHBOURS) -> sparse.csr_matrix:
    """Solve the ridge in the way that fits the catalogue's size, and prune it for serving.

    Shape: gram n x n, symmetric; so is the result, float32, zero diagonal, at most 200 per row.
    Units: `penalty` in the gram's own units (weighted orders).
    """
    active = np.flatnonzero(gram.diagonal() > 0)
    inner = gram if len(active) == gram.shape[0] else gram[active][:, active].tocsr()
    if len(active) <= EXACT_UP_TO:
        solved = prune_rows(exact_ridge(inner.toarray(), penalty))
    else:
        solved = prune_sparse_rows(local_ridge(inner, penalty, neighbours=neighbours))
    return _spread(solved, active, gram.shape[0])


def exact_ridge(gram: Weights, penalty: float) -> Weights:
    """Regress every product on all others.

    Shape: n x n in, n x n out with a zero diagonal; `gram` is used up as working memory.
    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019: B = I - P diag(P)^-1 with P the
    inverse of the penalised gram; here by Cholesky in single precision, half the memory and time.
    """
    count = len(gram)
    if count == 0:
        return gram
    # LAPACK reads columns first; the matrix is symmetric, so the transposed view saves a copy.
    work = np.ascontiguousarray(gram, dtype=np.float32).T
    spot = np.arange(count)
    work[spot, spot] += penalty
    factor, _ = lapack.spotrf(work, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    # spotri fills one triangle; mirror it band by band, so that no second full matrix is needed.
    for start in range(0, count, 256):
        rows = slice(start, min(start + 256, count))
        inverse[: rows.stop, rows] = np.where(
            np.arange(rows.stop)[:, None] < spot[None, rows],
            inverse[rows, : rows.stop].T,
            inverse[: rows.stop, rows],
        )
    inverse /= -inverse[spot, spot].copy()[None, :]
    inverse[spot, spot] = 0
    return np.asarray(inverse)


def _spread(weights: sparse.csr_matrix, active: Positions, count: int) -> sparse.csr_matrix:
    """Put a table over the active products back into the whole catalogue's positions."""
    if len(active) == count:
        return weights
    entries = weights.tocoo()
    return sparse.csr_matrix(
        (entries.data, (active[entries.row], active[entries.col])), shape=(count, count), dtype=np.float32
    )
