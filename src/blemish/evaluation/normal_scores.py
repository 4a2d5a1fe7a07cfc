"""Scores of good photographs scored as if unseen, with pictures of the few at either end."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.outliers import deviations, far_out
from blemish.core.types import BoolArray, FloatArray, Prediction

MOST_UNUSUAL, MOST_USUAL = 8, 4
"""How many photographs of each end are kept with their maps."""


@dataclass(frozen=True)
class NormalImage:
    """One good photograph scored as if unseen.

    Attributes:
        path: the photograph; `name` is the same below the catalog's folder.
        score: anomaly score, rounded to float32 as the threshold is.
        anomaly_map: float32 H x W, or None if the detector shows no place.
        counted: where it was looked at, bool array that covers it; None for everywhere.
    """

    path: Path
    name: str
    score: float
    anomaly_map: FloatArray | None
    counted: BoolArray | None = None


class NormalScores:
    """All scores, and the photographs with the highest and the lowest; no other map is kept."""

    def __init__(self) -> None:
        self._scores: list[float] = []
        # The order, negative, decides between equal scores: the first seen stays.
        self._highest: list[tuple[float, int, NormalImage]] = []
        self._lowest: list[tuple[float, int, NormalImage]] = []

    def __len__(self) -> int:
        return len(self._scores)

    def add(self, path: Path, name: str, prediction: Prediction, gives_map: bool = True) -> None:
        """Take in one photograph's score; its map is copied if it is among the extremes so far."""
        score, order = float(np.float32(prediction.score)), -len(self._scores)
        self._scores.append(score)
        ends = [(self._highest, score, MOST_UNUSUAL), (self._lowest, -score, MOST_USUAL)]
        entered = [end for end in ends if len(end[0]) < end[2] or end[1] > end[0][0][0]]
        if not entered:
            return
        # A copy, as the map may be a view of a whole batch.
        anomaly_map = np.array(prediction.anomaly_map, np.float32) if gives_map else None
        image = NormalImage(path, name, score, anomaly_map, prediction.counted)
        for heap, key, most in entered:
            heapq.heappush(heap, (key, order, image))
            if len(heap) > most:
                heapq.heappop(heap)

    @property
    def scores(self) -> FloatArray:
        """All scores, float32, ascending."""
        return np.sort(np.asarray(self._scores, np.float32))

    @property
    def outliers(self) -> list[tuple[NormalImage, float]]:
        """Those of the most unusual that stand far out of the others, the highest first, with their deviations.

        See `blemish.core.outliers`: deviations are counted in robust standard deviations.
        """
        found = far_out(self._scores, MOST_UNUSUAL)
        away = deviations(self._scores)[found].tolist() if len(found) else []
        return list(zip(self.most_unusual, away, strict=False))

    @property
    def without_outliers(self) -> FloatArray:
        """The scores that do not stand far out, float32, ascending."""
        return self.scores[: len(self) - len(self.outliers)]

    @property
    def most_unusual(self) -> list[NormalImage]:
        """At most 8 photographs, the highest score first."""
        return [image for _, _, image in sorted(self._highest, key=lambda one: one[:2], reverse=True)]

    @property
    def most_usual(self) -> list[NormalImage]:
        """At most 4 photographs that are not among the most unusual, the lowest score first."""
        unusual = {order for _, order, _ in self._highest}
        by_score = sorted(self._lowest, key=lambda one: one[:2], reverse=True)
        return [image for _, order, image in by_score if order not in unusual]
