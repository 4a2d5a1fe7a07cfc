"""A head that knows defects which people have shown: it stands beside the memory bank, and may only raise a score.

It is a logistic regression on what a photograph shows where it is least like good parts: the mean of its farthest
patches, which the frozen network gives anyway. Where it begins to speak is set by good parts, each as if unseen: above
the highest of them. So it costs no more good parts than one in as many as there are, and that one counts in the
calibration; and what it does not know stays the memory bank's alone.
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
"""Good photographs, each as if unseen, that it takes to say where the head may begin to speak."""

FARTHEST = 9
"""Patches whose mean is looked at: as `blemish.detectors.layers.FARTHEST`, which the calibration was made with."""

_LEAST_FOUND = 0.2
"""Share of the known defects, each as if unseen, that a head must tell from all good parts to be worth having."""

_STRENGTH = 0.01
_FOLDS, _SEED = 10, 0
_NOTHING = -1e30


@dataclass(frozen=True)
class KnownDefectHead:
    """What the graph makes of the mean of the farthest patches: weights . mean + bias, where that is above a line.

    Attributes:
        weights: float32 K; with `bias` they give a value on the scale of anomaly scores.
        bias: of that value.
        line: below it the head says nothing.
        n_defects: known defects that it was learnt from.
        found: share of them that it tells from all good parts, each as if unseen, 0 to 1.
    """

    weights: FloatArray
    bias: float
    line: float
    n_defects: int
    found: float
    count: int = FARTHEST
    nothing: float = _NOTHING

    @property
    def columns(self) -> int:
        """Numbers of a patch."""
        return len(self.weights)

    def of(self, pooled: FloatArray) -> FloatArray:
        """What it says of means of farthest patches, N x K: float32 N, about minus infinity where it says nothing."""
        value = np.asarray(pooled, np.float32) @ self.weights + np.float32(self.bias)
        return np.where(value < np.float32(self.line), np.float32(self.nothing), value).astype(np.float32)


def farthest_mean(vectors: FloatArray, distances: FloatArray) -> FloatArray:
    """Mean of the patches, P x K, that have the largest distances, P: float32 K."""
    flat = distances.ravel()
    farthest = (
        np.argpartition(-flat, FARTHEST - 1)[:FARTHEST] if len(flat) > FARTHEST else np.arange(len(flat))
    )
    return np.asarray(vectors[farthest].mean(0), np.float32)


def learn_head(
    good: FloatArray, scores: FloatArray, defects: FloatArray
) -> tuple[KnownDefectHead | None, FloatArray]:
    """Learn to tell known defects from good parts, or find that it cannot be done safely.

    Args:
        good: means of the farthest patches of good photographs, each as if unseen, N x K.
        scores: their anomaly scores by the bank, N.
        defects: the same means of known defects, M x K.

    Returns:
        The head, None where it would tell too few of the known defects from the good; and the scores of the good
        photographs beside it, each by a head that has not seen it.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    if len(defects) < FEWEST_DEFECTS or len(good) < FEWEST_GOOD:
        return None, scores
    middle, spread = good.mean(0), good.std(0) + 1e-6
    rows = (np.concatenate([good, defects]) - middle) / spread
    labels = np.repeat([0, 1], [len(good), len(defects)])

    def fitted(some: np.ndarray) -> LogisticRegression:
        model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000)
        return model.fit(rows[some], labels[some])

    unseen = np.zeros(len(rows))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for others, mine in folds.split(rows, labels):
        unseen[mine] = fitted(others).decision_function(rows[mine])
    of_good, of_defects = unseen[: len(good)], unseen[len(good) :]
    line = float(of_good.max())
    found = float(np.mean(of_defects > line))
    if found < _LEAST_FOUND:
        return None, scores
    whole = fitted(np.arange(len(rows)))
    # One robust deviation of the good is one of theirs on the other scale; the line is the highest score of the good.
    slope = _deviation(scores) / _deviation(of_good)
    top = float(scores.max())
    weights = slope * whole.coef_[0] / spread
    bias = slope * (float(whole.intercept_[0]) - line) + top - float(weights @ middle)
    head = KnownDefectHead(np.asarray(weights, np.float32), bias, top, len(defects), found)
    said = np.where(of_good >= line, top + slope * (of_good - line), _NOTHING)
    return head, np.asarray(np.maximum(scores, said), np.float32)


def _deviation(values: npt.NDArray[np.floating]) -> float:
    """One robust standard deviation."""
    away = deviations(values)
    highest = int(np.argmax(away))
    return max(float(values[highest] - np.median(values)) / max(float(away[highest]), 1e-6), 1e-6)
