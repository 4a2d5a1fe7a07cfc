"""Isolation forest: what random cuts set apart quickly is unusual.

Fei Tony Liu, Kai Ming Ting and Zhi-Hua Zhou, "Isolation Forest", ICDM 2008.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest as SklearnForest
from torch import nn

from blemish.detectors.classical.projection import Arrays, Rows
from blemish.detectors.classical.scores import PathLengthScore
from blemish.detectors.classical.tabular import TabularDetector

_EULER = 0.5772156649015329
_USUAL_SAMPLES = 256  # what scikit-learn means by "auto"


@dataclasses.dataclass
class IsolationForest(TabularDetector):
    """scikit-learn's `IsolationForest`, whose parameters these are; the score is 0 to 1.

    Attributes:
        n_estimators: trees.
        contamination: share of the training images that scikit-learn's own threshold leaves outside, in (0, 0.5], or
            "auto"; it moves no score.
        max_samples: images that a tree is grown from: a number, a share, or "auto" for at most 256.
        max_features: columns that a tree may cut: a number, or a share.
    """

    name: ClassVar[str] = "isolation-forest"
    measures: ClassVar[str] = "ease of isolation"
    gives_maps: ClassVar[bool] = False

    n_estimators: int = 100
    contamination: str | float = 0.01
    max_samples: str | int | float = "auto"
    max_features: int | float = 1.0

    def fit_model(self, rows: Rows) -> Arrays:
        """All nodes of all trees, one after the other."""
        model = SklearnForest(
            n_estimators=self.n_estimators,
            contamination=self.contamination,
            max_samples=self.max_samples,
            max_features=self.max_features,
            random_state=self.seed,
        ).fit(rows)
        trees = [tree.tree_ for tree in model.estimators_]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        parts = [
            _nodes(tree, columns, start)
            for tree, columns, start in zip(trees, model.estimators_features_, starts, strict=False)
        ]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        arrays["roots"] = starts[:-1].astype(np.int32)
        arrays["depth"] = np.array([max(tree.max_depth for tree in trees)], np.int32)
        arrays["usual_length"] = _usual_path_length(np.array([max(2, model.max_samples_)]))
        return arrays

    def score_parameters(self, rows: int) -> dict[str, Any]:
        """With the images of a tree as a number: of up to 256 rows, "auto" takes all."""
        samples = self.max_samples
        if samples == "auto":
            samples = min(_USUAL_SAMPLES, rows)
        elif isinstance(samples, float):
            samples = int(samples * rows)
        return super().score_parameters(rows) | {"max_samples": samples}

    def model_score(self, arrays: Arrays) -> nn.Module:
        """The walk through all trees."""
        return PathLengthScore(arrays)


def _nodes(tree: Any, columns: npt.NDArray[Any], start: int) -> Arrays:
    """The nodes of one tree, whose first has place `start`."""
    places = np.arange(tree.node_count, dtype=np.int32)
    leaf = tree.children_left < 0
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(~leaf):  # children stand behind their parents
        depth[tree.children_left[node]] = depth[tree.children_right[node]] = depth[node] + 1
    return {
        "feature": np.where(leaf, 0, columns[np.where(leaf, 0, tree.feature)]).astype(np.int32),
        "threshold": np.where(leaf, np.float32(0), _rounded_down(tree.threshold)),
        "left": (start + np.where(leaf, places, tree.children_left)).astype(np.int32),
        "right": (start + np.where(leaf, places, tree.children_right)).astype(np.int32),
        "length": depth + _usual_path_length(tree.n_node_samples),
    }


def _rounded_down(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The largest float32 at most each value: comparing a float32 with it is comparing with the value itself."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _usual_path_length(samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean path length of a random tree of so many samples: the paper's c(n)."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2 * (np.log(n - 1) + _EULER) - 2 * (n - 1) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, many))
