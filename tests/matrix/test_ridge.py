from __future__ import annotations

import numpy as np
from scipy import sparse

from shopify_upsell.matrix.local_ridge import local_ridge
from shopify_upsell.matrix.ridge import exact_ridge


def a_gram(count: int = 40) -> sparse.csr_matrix:
    table = sparse.random(300, count, density=0.3, random_state=5, format="csr", dtype=np.float32)
    table.data[:] = 1
    return (table.T @ table).tocsr()


def test_the_exact_ridge_is_the_closed_form():
    gram = a_gram().toarray()
    inverse = np.linalg.inv(gram.astype(np.float64) + 10 * np.eye(len(gram)))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)

    assert np.allclose(exact_ridge(gram.copy(), 10.0), expected, atol=1e-5)


def test_the_local_ridge_with_all_neighbours_is_the_exact_one():
    gram = a_gram()

    local = local_ridge(gram, 10.0, neighbours=39).toarray()

    assert np.allclose(local, exact_ridge(gram.toarray(), 10.0), atol=1e-4)


def test_the_local_ridge_with_a_small_hub_is_the_same(monkeypatch):
    whole = local_ridge(a_gram(), 10.0, neighbours=12).toarray()
    monkeypatch.setattr("shopify_upsell.matrix.local_ridge.HUB", 7)

    assert np.allclose(local_ridge(a_gram(), 10.0, neighbours=12).toarray(), whole, atol=1e-5)


def test_resolving_chosen_products_gives_their_columns_of_the_whole():
    whole = local_ridge(a_gram(), 10.0, neighbours=12).toarray()

    some = local_ridge(a_gram(), 10.0, neighbours=12, targets=np.array([4, 9])).toarray()

    assert np.allclose(some[:, [4, 9]], whole[:, [4, 9]], atol=1e-6)
    assert not np.delete(some, [4, 9], axis=1).any()
