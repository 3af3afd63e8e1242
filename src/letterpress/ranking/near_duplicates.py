"""Which slates hold texts that are nearly the same, so that a fold is never judged on what it learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 1024


def near_duplicate_groups(
    vectors: NDArray[np.floating], slates: NDArray[np.integer], *, cosine: float = 0.9
) -> NDArray[np.int64]:
    """A group for each row `(n,)`: slates that share a pair of rows above `cosine` are in one group.

    `vectors` is `(n, d)`, `slates` `(n,)` counts from 0. Rows of zeros and NaN are near nothing.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [-1.0, 0.2]])
    >>> near_duplicate_groups(vectors, np.array([0, 0, 1, 2])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    known = np.nan_to_num(np.asarray(vectors, np.float32))
    norms = np.linalg.norm(known, axis=1, keepdims=True)
    units = np.divide(known, norms, out=np.zeros_like(known), where=norms > 0)
    left, right = [], []
    for start in range(0, len(units), _ROWS_AT_ONCE):
        first, second = np.nonzero(units[start : start + _ROWS_AT_ONCE] @ units.T > cosine)
        left.append(slates[first + start])
        right.append(slates[second])
    edges = np.concatenate(left), np.concatenate(right)
    n_slates = int(slates.max()) + 1
    graph = coo_matrix((np.ones(len(edges[0]), bool), edges), shape=(n_slates, n_slates))
    components: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    groups: NDArray[np.int64] = components[slates]
    return groups


def grouped_folds(groups: NDArray[np.integer], folds: int, *, seed: int) -> NDArray[np.int64]:
    """A fold for each row `(n,)`: groups stay whole, the largest are dealt first, each to the smallest fold.

    >>> folds = grouped_folds(np.array([0, 0, 0, 1, 2, 3]), 2, seed=1)
    >>> sorted(np.bincount(folds).tolist()), len(set(folds[:3].tolist()))
    ([3, 3], 1)
    """
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(names))
    dealt = np.zeros(len(names), np.int64)
    filled = np.zeros(folds, np.int64)
    for group in drawn[np.argsort(-sizes[drawn], kind="stable")]:
        dealt[group] = np.argmin(filled)
        filled[dealt[group]] += sizes[group]
    return dealt[codes]
