"""Local outlier factor: how much denser the nearest good images lie than the image itself.

Markus Breunig et al., "LOF: Identifying Density-Based Local Outliers", SIGMOD 2000.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from sklearn.neighbors import LocalOutlierFactor as SklearnFactor
from torch import nn

from blemish.core.errors import UsageError
from blemish.detectors.classical.scores import DensityScore
from blemish.detectors.classical.tabular import TabularDetector
from blemish.features.projection import Arrays, Rows

POWERS = {"minkowski": 2.0, "euclidean": 2.0, "manhattan": 1.0, "chebyshev": np.inf}

_LEAST_REACH = 0.01
"""Of the spread of the good images."""


@dataclasses.dataclass
class LocalOutlierFactor(TabularDetector):
    """scikit-learn's `LocalOutlierFactor` with `novelty=True`, whose parameters these are; a score of 1 is usual.

    The inspector holds the reduced features of all good images.

    Attributes:
        n_neighbors: good images that density is measured by, at most half of all: by all others, every image that
            lies among them would score the same.
        contamination: share of the training images that scikit-learn's own threshold leaves outside, in (0, 0.5], or
            "auto"; it moves no score.
        leaf_size: of the search tree where one is used; it moves no score.
        metric: "minkowski" (of power 2) and "euclidean" are the same; "manhattan" or "chebyshev".
    """

    name: ClassVar[str] = "local-outlier-factor"
    measures: ClassVar[str] = "local outlier factor"
    gives_maps: ClassVar[bool] = False

    moves_no_score: ClassVar[tuple[str, ...]] = ("contamination", "leaf_size")

    n_neighbors: int = 20
    contamination: str | float = 0.01
    leaf_size: int = 30
    metric: str = "minkowski"

    def fit_model(self, rows: Rows) -> Arrays:
        """The good rows, and how densely they lie."""
        if self.metric not in POWERS:
            raise UsageError(
                f"metric={self.metric} is not possible for {self.name}: choose {' or '.join(POWERS)}."
            )
        model = SklearnFactor(
            n_neighbors=self._neighbours(len(rows)),
            contamination=self.contamination,
            leaf_size=self.leaf_size,
            metric=self.metric,
            novelty=True,
        ).fit(rows)
        distances, neighbours = model.kneighbors()
        # Where more images are alike than neighbours are asked for, their distances are rounding.
        reach = np.maximum(distances[:, -1], _LEAST_REACH * np.sqrt(rows.var(axis=0).sum()))
        return {
            "rows": rows,
            "reach": reach,
            "density": 1 / (np.maximum(distances, reach[neighbours]).mean(1) + 1e-10),
            "neighbours": np.array([distances.shape[1]], np.int32),
        }

    def _neighbours(self, rows: int) -> int:
        """Neighbours of so many rows; what cannot be meant is left for scikit-learn to refuse."""
        return self.n_neighbors if self.n_neighbors < 1 else min(self.n_neighbors, max(1, rows // 2))

    def score_parameters(self, rows: int) -> dict[str, Any]:
        """With the neighbours that there are, and the power that the metric has."""
        resolved = {"n_neighbors": self._neighbours(rows), "metric": POWERS.get(self.metric, self.metric)}
        return super().score_parameters(rows) | resolved

    def chosen(self) -> dict[str, Any]:
        """The neighbours, where there are fewer than were asked for."""
        used = self._neighbours(self.n_images_)
        return super().chosen() | ({"n_neighbors": used} if used != self.n_neighbors else {})

    def model_score(self, arrays: Arrays) -> nn.Module:
        """Distances to the good rows, and their densities."""
        return DensityScore(arrays, POWERS[self.metric])
