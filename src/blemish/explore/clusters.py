"""Clusters of vectors by density (HDBSCAN)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blemish.core.errors import MissingExtraError, UsageError
from blemish.core.types import FloatArray

MOST_CLUSTERED = 10_000
"""Vectors at most: 24 bytes are taken for each pair meanwhile, 2.4 GB."""

MIN_CLUSTER_SIZE = 5
"""Members at least: scikit-learn's default."""


def cluster_vectors(vectors: FloatArray, min_cluster_size: int = MIN_CLUSTER_SIZE) -> npt.NDArray[np.int64]:
    """The cluster of each vector by its direction from the mean of all, from 0; -1 for those in none.

    What all vectors share says nothing of their kinds, so their mean is taken off first. Densities are not smoothed
    (`min_samples` 1), as kinds have few members. docs/decisions/0020 says on what both were chosen.

    Time and memory grow with the square of their number. All distances are computed at once, which is several times
    faster than scikit-learn's trees in so many dimensions and leaves the interpreter to other threads meanwhile.

    Args:
        vectors: N x D float32.
        min_cluster_size: fewer alike are no cluster; 2 or more.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        UsageError: there are more than `MOST_CLUSTERED`.

    References:
        R. Campello, D. Moulavi, J. Sander, "Density-Based Clustering Based on Hierarchical Density Estimates",
        PAKDD 2013.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ModuleNotFoundError as error:
        raise MissingExtraError("Clustering", "train") from error
    if len(vectors) > MOST_CLUSTERED:
        raise UsageError(
            f"{len(vectors):,} vectors cannot be clustered: take at most {MOST_CLUSTERED:,} of them."
        )
    if len(vectors) < min_cluster_size:
        return np.full(len(vectors), -1, np.int64)
    method = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=1,
        metric="precomputed",
        copy=False,
    )
    return np.asarray(method.fit_predict(_distances(vectors)), np.int64)


def _distances(vectors: FloatArray) -> npt.NDArray[np.float64]:
    """Euclidean distances of all pairs of directions from the mean, N x N, made in place."""
    directions = vectors.astype(np.float64)
    directions -= directions.mean(axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), np.finfo(np.float32).eps)
    distances = directions @ directions.T
    distances *= -2
    distances += 2
    np.clip(distances, 0, None, out=distances)
    np.sqrt(distances, out=distances)
    np.fill_diagonal(distances, 0)
    return np.asarray(distances)
