"""How large the anomalous areas of good parts are, at any threshold: what a region's size is compared with.

Of each good photograph, scored as if unseen, the highest map value is kept, and a curve: at 16 levels from the map's
median to its maximum, closer together towards the top where thresholds lie, the share of the map that the largest
connected area above the level covers. So the threshold can change later without the maps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.conformal import Calibration
from blemish.core.errors import ArtifactError
from blemish.core.types import BoolArray, FloatArray
from blemish.line.artifact import NORMAL_GROUPS, Artifact
from blemish.view.regions import covered

LEVELS = 16
NORMAL_MAXIMA = "normal_maxima.npy"
NORMAL_LEVELS = "normal_levels.npy"
NORMAL_AREAS = "normal_areas.npy"
_HEIGHTS = 1 - (1 - np.arange(LEVELS) / LEVELS) ** 2
"""Of the levels, as shares of the way from a map's median to its maximum: 0 to 0.996."""


@dataclass(frozen=True, eq=False)
class RegionStatistics:
    """The largest areas of N good photographs.

    Attributes:
        maxima: highest map values, float32 N.
        levels: float32 N x L, each row upwards.
        areas: share of the map that the largest connected area strictly above each level covers, float32 N x L, in
            [0, 1], each row downwards.
        groups: int N, which of the photographs are of one part; None where each is its own.
    """

    maxima: FloatArray
    levels: FloatArray
    areas: FloatArray
    groups: npt.NDArray[np.integer] | None = None

    @functools.cached_property
    def calibration(self) -> Calibration:
        """The highest map values: what a rate of the map's threshold rests on."""
        return _sorted(self.maxima, self.groups)

    def largest_areas(self, level: float) -> Calibration:
        """Share of the map that the largest area above a level covers, of each photograph.

        It is taken at the photograph's next level below, where areas are no smaller, so that p-values of sizes are
        never too low; under the lowest level it is everything.
        """
        place = np.count_nonzero(self.levels <= level, axis=1) - 1
        below = np.take_along_axis(self.areas, np.maximum(place, 0)[:, None], axis=1)[:, 0]
        shares = np.where(self.maxima <= level, 0, np.where(place < 0, 1, below))
        return _sorted(shares, self.groups)


def area_curve(anomaly_map: FloatArray, counted: BoolArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Levels and areas of one photograph, float32 L each, see `RegionStatistics`.

    Args:
        anomaly_map: float32 H x W, finite.
        counted: where the photograph was looked at, bool array of any size that covers it; everywhere when None.
    """
    inside = None if counted is None else covered(counted, *anomaly_map.shape)
    values = anomaly_map if inside is None else anomaly_map[inside]
    median, maximum = float(np.median(values)), float(values.max())
    levels = np.asarray(median + _HEIGHTS * (maximum - median), np.float32)
    shares = []
    for level in levels:
        mask = anomaly_map > level
        if inside is not None:
            mask &= inside
        statistics = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)[2]
        shares.append(statistics[1:, cv2.CC_STAT_AREA].max(initial=0) / anomaly_map.size)
    return levels, np.asarray(shares, np.float32)


def region_statistics(artifact: Artifact) -> RegionStatistics | None:
    """What an artifact holds of good parts' areas, checked; None where it is older or its detector shows no place.

    Raises:
        ArtifactError: some of it is absent, or not what the manifest says.
    """
    if NORMAL_MAXIMA not in artifact.members:
        return None
    n_scores, path = artifact.manifest.calibration.n_scores, artifact.path
    maxima = artifact.array(NORMAL_MAXIMA)
    levels, areas = artifact.array(NORMAL_LEVELS), artifact.array(NORMAL_AREAS)
    _require(maxima, (n_scores,), NORMAL_MAXIMA, "a highest map value for each score", path)
    for name, array in ((NORMAL_LEVELS, levels), (NORMAL_AREAS, areas)):
        _require(array, (n_scores, LEVELS), name, f"{LEVELS} values for each score", path)
    _require(levels, levels.shape, NORMAL_LEVELS, "levels upwards", path, _upwards)
    _require(areas, areas.shape, NORMAL_AREAS, "shares downwards", path, _shares_downwards)
    groups = artifact.calibration().groups if NORMAL_GROUPS in artifact.members else None
    return RegionStatistics(maxima, levels, areas, groups)


def _upwards(array: FloatArray) -> bool:
    return bool((np.diff(array, axis=1) >= 0).all())


def _shares_downwards(array: FloatArray) -> bool:
    return bool((np.diff(array, axis=1) <= 0).all() and (array >= 0).all() and (array <= 1).all())


def _require(
    array: npt.NDArray[np.generic],
    shape: tuple[int, ...],
    name: str,
    what: str,
    path: Path,
    holds: Callable[[FloatArray], bool] = lambda array: True,
) -> None:
    right = (array.dtype, array.shape) == (np.dtype("<f4"), shape)
    if not (right and np.isfinite(array.view(np.float32)).all() and holds(array.view(np.float32))):
        raise ArtifactError(f"{path} cannot be used ({name} is not {what}): fit it anew.")


def _sorted(values: npt.NDArray[np.floating], groups: npt.NDArray[np.integer] | None) -> Calibration:
    order = np.argsort(values, kind="stable")
    return Calibration(values[order], None if groups is None else groups[order])
