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

MOST_OF_PARTS = 0.2
"""Share of the photographs that whole parts take with them at most: more are no parts, but shifts or folders."""


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
        groups: of the photographs learnt as good, which part each is of, where that is known.
    """

    def __init__(
        self, suspected: Mapping[Path, float] | None = None, groups: Mapping[Path, str] | None = None
    ) -> None:
        self.suspected, self._groups = dict(suspected or {}), dict(groups or {})
        self._found: dict[Path, NormalImage] = {}
        self._scores: list[float] = []
        self._paths: list[Path] = []
        # The order, negative, decides between equal scores: the first seen stays.
        self._highest: list[tuple[float, int, NormalImage]] = []
        self._lowest: list[tuple[float, int, NormalImage]] = []

    def __len__(self) -> int:
        return len(self._scores)

    def add(self, path: Path, name: str, prediction: Prediction, gives_map: bool = True) -> None:
        """Take in one photograph's score; its map is copied if it is among the extremes so far."""
        score, order = float(np.float32(prediction.score)), -len(self._scores)
        self._scores.append(score)
        self._paths.append(path)
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
    def leaving(self) -> list[Path]:
        """What is left out where that is asked for: outliers, those not scored, and other photographs of their parts.

        These show the same from another side or in another light, and would stand alone the next time. Where they were
        more than `MOST_OF_PARTS` of all, the outliers go alone.
        """
        named = [image.path for image, _ in self.outliers] + self.unscored
        parts = {self._part_of(path) for path in named}
        whole = [path for path in dict.fromkeys([*named, *self._groups]) if self._part_of(path) in parts]
        everyone = len(self._groups.keys() | set(self._paths))
        return whole if len(whole) <= MOST_OF_PARTS * everyone else named

    @property
    def without_outliers(self) -> Calibration:
        """The scores of all that stay where the outliers leave; of all, where none would stay."""
        gone = set(self.leaving)
        order = np.argsort(self._scores, kind="stable").tolist()
        staying = [place for place in order if self._paths[place] not in gone] or order
        parts = np.unique([self._part_of(self._paths[place]) for place in staying], return_inverse=True)[1]
        scores = np.asarray(self._scores, np.float32)[staying]
        return Calibration(scores, parts.astype(np.int32) if self._groups else None)

    def threshold_without_outliers(self, rate: float) -> float:
        """What the threshold at a rate would be without the outliers, or at the smallest rate that the rest carries."""
        calibration = self.without_outliers
        return calibration.threshold(max(rate, calibration.smallest_rate))

    def _part_of(self, path: Path) -> str:
        return self._groups.get(path, f"/{path}")

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
