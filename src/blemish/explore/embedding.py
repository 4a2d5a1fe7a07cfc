"""A map of the photographs: their features in two dimensions."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np

from blemish.core.types import FloatArray


@dataclass(frozen=True)
class ImageMap:
    """Places of photographs on a map.

    Attributes:
        method: "PCA" or "UMAP".
        points: float32 N x 2.
        explained: share of the variance that the two axes show; None for UMAP, whose axes mean nothing.
    """

    method: str
    points: FloatArray
    explained: float | None


def image_maps(vectors: FloatArray, seed: int = 0) -> list[ImageMap]:
    """PCA of feature vectors (N x C), and UMAP where the package `umap-learn` is installed.

    Features are standardised first. Follows Jolliffe, "Principal component analysis", 2002, and McInnes et al.,
    "UMAP", 2018. Fewer than three photographs have no map.
    """
    if len(vectors) < 3:
        return []
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(vectors)
    pca = PCA(n_components=2, random_state=seed)
    points = pca.fit_transform(scaled)
    maps = [ImageMap("PCA", points.astype(np.float32), float(np.sum(pca.explained_variance_ratio_)))]
    try:
        umap = importlib.import_module("umap").UMAP
    except (ImportError, AttributeError):  # not installed; or a mere folder of that name is on the path
        return maps
    placed = umap(n_components=2, random_state=seed, n_jobs=1).fit_transform(scaled)
    maps.append(ImageMap("UMAP", np.asarray(placed, np.float32), None))
    return maps
