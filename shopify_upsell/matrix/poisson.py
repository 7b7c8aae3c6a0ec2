"""Exact bounds on a count of rare events. Pure.

Source: Garwood 1936: the bounds are quantiles of gamma distributions, half of those of chi-square. `scipy.special` is
loaded when first asked: `scipy.stats` says the same and costs every process half a second at its start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]


def upper_count(seen: ArrayLike, confidence: float = 0.95) -> Reals:
    """Give the largest rate that the counts seen do not rule out.

    Shape: any in, the same out. `seen` need not be whole.
    """
    from scipy.special import gammaincinv

    return np.asarray(gammaincinv(np.asarray(seen, np.float64) + 1, 0.5 + confidence / 2), np.float64)


def lower_count(seen: ArrayLike, confidence: float = 0.95) -> Reals:
    """Give the smallest rate that the counts seen do not rule out; 0 where nothing was seen."""
    from scipy.special import gammaincinv

    counts = np.asarray(seen, np.float64)
    bound = gammaincinv(np.maximum(counts, 1e-9), 0.5 - confidence / 2)
    return np.asarray(np.where(counts > 0, bound, 0.0), np.float64)
