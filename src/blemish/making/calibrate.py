"""The calibration of a fitted detector: good images scored as if unseen, and the first decision on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.calibration import heatmap_scale
from blemish.core.conformal import Calibration
from blemish.core.progress import track
from blemish.core.types import FloatArray, Prediction
from blemish.detectors.base import Detector
from blemish.evaluation.normal_scores import NormalScores
from blemish.evaluation.result import image_name
from blemish.line.artifact import NORMAL_GROUPS, NORMAL_POOLED, NORMAL_SCORES, array_content
from blemish.line.decision import FALSE_REJECT_RATE, Decision
from blemish.line.manifest import CalibrationRecord, training_digests
from blemish.line.pixel_decision import HYSTERESIS, PixelDecision, grown_from
from blemish.line.region_statistics import (
    NORMAL_AREAS,
    NORMAL_LEVELS,
    NORMAL_MAXIMA,
    RegionStatistics,
    area_curve,
)
from blemish.making.first_decision import ANY_RATES, Rates, first_decision
from blemish.making.reading import Readable
from blemish.view.regions import covered


@dataclass(frozen=True)
class Calibrated:
    """What good images as if unseen say.

    Attributes:
        normal: their scores, with the photographs at either end.
        calibration: the scores as an artifact holds them.
        record: what the manifest says of them.
        decision: the one that holds until somebody makes another.
        regions: how large the areas of their maps are, in the order of the calibration; None without a map.
        farthest: of each photograph the largest distance of a patch, where the detector says it of all.
        pooled: of each photograph, in the order of the calibration, the mean of its farthest patches, float32 N x D;
            None where the detector does not say it of all.
    """

    normal: NormalScores
    calibration: Calibration
    record: CalibrationRecord
    decision: Decision
    regions: RegionStatistics | None = None
    farthest: Sequence[float] = ()
    pooled: FloatArray | None = None

    def members(self) -> dict[str, bytes]:
        """The artifact's members, by name."""
        members = {NORMAL_SCORES: array_content(np.asarray(self.calibration.scores, np.float32))}
        if self.regions is not None:
            members |= {
                NORMAL_MAXIMA: array_content(self.regions.maxima),
                NORMAL_LEVELS: array_content(self.regions.levels),
                NORMAL_AREAS: array_content(self.regions.areas),
            }
        if self.pooled is not None:
            members[NORMAL_POOLED] = array_content(self.pooled)
        groups = self.calibration.groups
        return members | ({} if groups is None else {NORMAL_GROUPS: array_content(groups.astype(np.int32))})


def calibrate(detector: Detector, readable: Readable, folds: int, rates: Rates = ANY_RATES) -> Calibrated:
    """Score good images as if unseen: by detectors of the other folds, or those that were set aside."""
    groups = readable.groups
    learnt = {path: groups[path] for path in readable.catalog.train_normal() if path in groups}
    normal, maxima, medians = NormalScores(detector.suspicious(), learnt), list[float](), list[float]()
    belonging, farthest = list[str](), list[float | None]()
    curves, pooled = list[tuple[FloatArray, FloatArray]](), list[FloatArray]()
    for path, prediction in _unseen_predictions(detector, readable, folds):
        belonging.append(groups.get(path, f"/{path}"))
        normal.add(path, image_name(path, readable.catalog.root), prediction, detector.gives_maps)
        farthest.append(prediction.farthest)
        pooled += [] if prediction.pooled is None else [prediction.pooled]
        maxima.append(float(prediction.anomaly_map.max()))
        counted = prediction.counted
        where = ... if counted is None else covered(counted, *prediction.anomaly_map.shape)
        medians.append(float(np.median(prediction.anomaly_map[where])))
        if detector.gives_maps:
            curves.append(area_curve(prediction.anomaly_map, counted))
    numbers = np.unique(belonging, return_inverse=True)[1].astype(np.int32) if groups else None
    calibration = _sorted(np.asarray(normal.in_order, np.float32), numbers)
    order = np.argsort(normal.in_order, kind="stable")
    regions = _regions(order, maxima, curves, calibration.groups)
    threshold, rate = _pixel_threshold(_sorted(np.asarray(maxima, np.float32), numbers))
    low, high = heatmap_scale(np.asarray(medians), threshold)
    pixels = PixelDecision(threshold=threshold, rate=rate, low=grown_from(threshold, low, HYSTERESIS))
    decision = first_decision(calibration, pixels, rates)
    set_aside = readable.calibration
    method = "validation" if set_aside.enough else detector.calibration
    record = CalibrationRecord(
        map_low=low,
        map_high=high,
        n_scores=len(normal),
        method=method,
        folds=min(folds, calibration.n) if method == "k-fold" else 0,
        n_groups=calibration.n if groups else None,
        digests=training_digests(set_aside.digests) if set_aside.enough else (),
        types=detector.type_calibration(),
    )
    known = [one for one in farthest if one is not None]
    farthest_known = known if len(known) == len(farthest) else ()
    pooled_known = np.stack(pooled)[order] if len(pooled) == len(farthest) else None
    return Calibrated(normal, calibration, record, decision, regions, farthest_known, pooled_known)


def _pixel_threshold(maxima: Calibration) -> tuple[float, float]:
    """The map's threshold, and its rate: as many good parts show an anomalous pixel as are rejected."""
    rate = max(FALSE_REJECT_RATE, maxima.smallest_rate)
    return maxima.threshold(rate), rate


def _regions(
    order: np.ndarray,
    maxima: Sequence[float],
    curves: Sequence[tuple[FloatArray, FloatArray]],
    groups: np.ndarray | None,
) -> RegionStatistics | None:
    """The areas of good parts in an order, which that of `groups` is already; None where there are none."""
    if not curves:
        return None
    levels, areas = (np.stack([curve[place] for curve in curves])[order] for place in (0, 1))
    return RegionStatistics(np.asarray(maxima, np.float32)[order], levels, areas, groups)


def _sorted(scores: np.ndarray, groups: np.ndarray | None) -> Calibration:
    order = np.argsort(scores, kind="stable")
    return Calibration(scores[order], None if groups is None else groups[order])


def _unseen_predictions(
    detector: Detector, readable: Readable, folds: int
) -> Iterator[tuple[Path, Prediction]]:
    """Good photographs that the detector has not learnt from, or not when it scores them, and what it says of each."""
    if readable.calibration.enough:
        paths = track(readable.calibration.paths, "Scoring the photographs set aside")
        yield from zip(paths, detector.predict(readable.calibration.paths), strict=True)
        return
    learnt = readable.catalog.train_normal()
    for position, prediction in detector.cross_predict(readable.catalog, folds):
        yield learnt[position], prediction
