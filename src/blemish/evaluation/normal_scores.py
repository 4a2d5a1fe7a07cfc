"""Scores of good photographs scored as if unseen, with pictures of the few at either end."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.conformal import Calibration
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
    """All scores, and the photographs with the highest and the lowest, and suspected ones; no other map is kept.

    Args:
        suspected: photographs learnt as good that show what no other does, with how far that stands out in robust
            standard deviations.
    """

    def __init__(self, suspected: Mapping[Path, float] | None = None) -> None:
        self.suspected = dict(suspected or {})
        self._found: dict[Path, NormalImage] = {}
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
        if not entered and path not in self.suspected:
            return
        # A copy, as the map may be a view of a whole batch.
        anomaly_map = np.array(prediction.anomaly_map, np.float32) if gives_map else None
        image = NormalImage(path, name, score, anomaly_map, prediction.counted)
        if path in self.suspected:
            self._found[path] = image
        for heap, key, most in entered:
            heapq.heappush(heap, (key, order, image))
            if len(heap) > most:
                heapq.heappop(heap)

    @property
    def in_order(self) -> FloatArray:
        """All scores, float32, as they were added."""
        return np.asarray(self._scores, np.float32)

    @property
    def scores(self) -> FloatArray:
        """All scores, float32, ascending."""
        return np.sort(np.asarray(self._scores, np.float32))

    @property
    def outliers(self) -> list[tuple[NormalImage, float]]:
        """Photographs to look at, with how many robust standard deviations something of them stands out.

        First those of the most unusual whose scores stand far out of the others (see `blemish.core.outliers`), the
        highest first; then those that are suspected of what they show, what stands out most first.
        """
        scored = self.far_out
        known = {image.path for image, _ in scored}
        others = [(image, self.suspected[path]) for path, image in self._found.items() if path not in known]
        return [*scored, *sorted(others, key=lambda one: -one[1])]

    @property
    def far_out(self) -> list[tuple[NormalImage, float]]:
        """Those of them whose scores stand far out of the others."""
        found = far_out(self._scores, MOST_UNUSUAL)
        away = deviations(self._scores)[found].tolist() if len(found) else []
        return list(zip(self.most_unusual, away, strict=False))

    @property
    def unscored(self) -> list[Path]:
        """Suspected photographs that were not scored as if unseen."""
        return [path for path in self.suspected if path not in self._found]

    @property
    def without_outliers(self) -> FloatArray:
        """The scores of all but the `outliers`, float32, ascending; of all, where none but outliers are."""
        scores = self.scores.tolist()
        for image, _ in self.outliers:
            scores.remove(image.score)
        return np.asarray(scores, np.float32) if scores else self.scores

    def threshold_without_outliers(self, rate: float) -> float:
        """What the threshold at a rate would be without the outliers, or at the smallest rate that the rest carries."""
        calibration = Calibration(self.without_outliers)
        return calibration.threshold(max(rate, calibration.smallest_rate))

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
