"""A head that knows defects which people have shown: it stands beside the memory bank, and may only raise a score.

It is a logistic regression on what a photograph shows where it is least like good parts: the mean of its farthest
patches, which the frozen network gives anyway. Nine of ten good parts, each as if unseen, it leaves as they are; what
is beyond them is raised by how far it is. The good parts' scores with it are the calibration, so that the promise
holds, and what it does not know stays the memory bank's alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.outliers import deviations
from blemish.core.types import FloatArray

FEWEST_DEFECTS = 10
"""Known defects from which on a head is learnt."""

FEWEST_GOOD = 50
"""Good photographs, each as if unseen, that it takes to say what the head leaves as it is."""

SHARPNESS = 16.0
"""Of the mean: as `blemish.detectors.layers.SHARPNESS`, which the calibration was made with."""

_LEAST_FOUND = 0.3
"""Share of the known defects, each as if unseen, that a head must raise to be worth having; of good parts it raises a
tenth."""

_UNTOUCHED = 0.9
"""Share of good parts that the head leaves as they are."""

_WEIGHT, _STRENGTH = 2.0, 0.1
"""Of one robust deviation of the head beside one of the bank, and how freely it learns: chosen with the share left
untouched on defects painted on good photographs, see docs/decisions/0072-learning-from-corrections.md."""

_FOLDS, _SEED = 10, 0


@dataclass(frozen=True)
class KnownDefectHead:
    """What the graph adds to the score: weights . mean of the farthest patches + bias, where that is above 0.

    Attributes:
        weights: float32 K; with `bias` they give a difference on the scale of anomaly scores.
        bias: of that.
        n_defects: known defects that it was learnt from.
        found: share of them that it raises, each as if unseen, 0 to 1.
    """

    weights: FloatArray
    bias: float
    n_defects: int
    found: float

    @property
    def columns(self) -> int:
        """Numbers of a patch."""
        return len(self.weights)

    def of(self, pooled: FloatArray) -> FloatArray:
        """What it adds for means of farthest patches, N x K: float32 N, 0 and more."""
        value = np.asarray(pooled, np.float32) @ self.weights + np.float32(self.bias)
        return np.asarray(np.maximum(value, 0), np.float32)


def farthest_mean(vectors: FloatArray, distances: FloatArray) -> FloatArray:
    """Mean of patches, P x K, weighed by their distances, P, as `blemish.detectors.layers.farthest_patches`."""
    flat = np.asarray(distances, np.float32).ravel()
    weights = np.exp(SHARPNESS * (flat / max(float(flat.max()), 1e-12) - 1))
    return np.asarray((weights / weights.sum()) @ vectors, np.float32)


def learn_head(
    good: FloatArray, scores: FloatArray, defects: FloatArray
) -> tuple[KnownDefectHead | None, FloatArray]:
    """Learn to tell known defects from good parts, or find that it cannot be done safely.

    Args:
        good: means of the farthest patches of good photographs, each as if unseen, N x K.
        scores: their anomaly scores by the bank, N.
        defects: the same means of known defects, M x K.

    Returns:
        The head, None where it would raise too few of the known defects; and the scores of the good photographs with
        it, each by a head that has not seen it.
    """
    if len(defects) < FEWEST_DEFECTS or len(good) < FEWEST_GOOD:
        return None, scores
    of_good, of_defects, whole = _fitted(good, defects)
    foretold = of_defects > np.quantile(of_good, _UNTOUCHED)
    found = float(np.mean(foretold))
    if found < _LEAST_FOUND or np.sum(foretold) < FEWEST_DEFECTS / 2:
        return None, scores
    # What no other foretells is remembered, and learnt once another like it comes: a slip of the finger never is.
    of_good, _, whole = _fitted(good, defects[foretold])
    line = float(np.quantile(of_good, _UNTOUCHED))
    slope = _WEIGHT * _deviation(scores) / _deviation(of_good)
    head = KnownDefectHead(
        np.asarray(slope * whole[0], np.float32), slope * (whole[1] - line), len(defects), found
    )
    raised = scores + slope * np.maximum(of_good - line, 0)
    return head, np.asarray(raised, np.float32)


def _fitted(
    good: FloatArray, defects: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[npt.NDArray[np.float64], float]]:
    """Values of good photographs and of defects, each by a head that has not seen it; and weights and bias of one that
    has seen all."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    middle, spread = good.mean(0), good.std(0) + 1e-6
    rows = (np.concatenate([good, defects]) - middle) / spread
    labels = np.repeat([0, 1], [len(good), len(defects)])

    def fitted(some: npt.NDArray[np.intp]) -> LogisticRegression:
        model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000)
        return model.fit(rows[some], labels[some])

    unseen = np.zeros(len(rows), np.float32)
    folds = StratifiedKFold(min(_FOLDS, len(defects)), shuffle=True, random_state=_SEED)
    for others, mine in folds.split(rows, labels):
        unseen[mine] = fitted(others).decision_function(rows[mine])
    whole = fitted(np.arange(len(rows)))
    weights = whole.coef_[0] / spread
    bias = float(whole.intercept_[0]) - float(weights @ middle)
    return unseen[: len(good)], unseen[len(good) :], (weights, bias)


def _deviation(values: npt.NDArray[np.floating]) -> float:
    """One robust standard deviation."""
    away = deviations(values)
    highest = int(np.argmax(away))
    return max(float(values[highest] - np.median(values)) / max(float(away[highest]), 1e-6), 1e-6)
