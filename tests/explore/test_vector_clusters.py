"""Clusters of vectors: what is put together is found again, as scikit-learn's own way over trees finds it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from blemish.core.errors import UsageError
from blemish.core.types import FloatArray
from blemish.explore.clusters import MOST_CLUSTERED, cluster_vectors


def blobs(spread: float, seed: int = 0) -> tuple[FloatArray, list[int]]:
    """Unit vectors around six directions."""
    random = np.random.default_rng(seed)
    labels = [number % 6 for number in range(120)]
    vectors = random.normal(size=(6, 40))[labels] + spread * random.normal(size=(120, 40))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def test_groups_are_found() -> None:
    vectors, labels = blobs(0.2)
    assert adjusted_rand_score(labels, cluster_vectors(vectors)) == 1


def test_what_is_like_nothing_else_is_in_none() -> None:
    assert cluster_vectors(np.eye(12, dtype=np.float32)).tolist() == [-1] * 12


@pytest.mark.parametrize("spread", [0.2, 0.6])
@pytest.mark.parametrize("size", [2, 5, 15])
def test_it_is_hdbscan(spread: float, size: int) -> None:
    vectors, _ = blobs(spread, seed=size)
    directions = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    trees = HDBSCAN(min_cluster_size=size, min_samples=1, algorithm="kd_tree", copy=True)
    expected = trees.fit_predict(directions)
    found = cluster_vectors(vectors, size)
    assert adjusted_rand_score(expected, found) > 0.99
    assert ((found < 0) == (expected < 0)).mean() > 0.98


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_are_no_cluster(count: int) -> None:
    assert cluster_vectors(np.ones((count, 3), np.float32)).tolist() == [-1] * count


def test_equal_vectors_are_one_cluster_beside_others() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 6, axis=0)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 6), cluster_vectors(vectors)) == 1


def test_too_many_are_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"10,001 vectors cannot be clustered: take at most 10,000"):
        cluster_vectors(np.ones((MOST_CLUSTERED + 1, 1), np.float32))
