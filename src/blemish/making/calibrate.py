"""The calibration of a fitted detector: good images scored as if unseen, and the first decision on top of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.calibration import heatmap_scale
from blemish.core.conformal import Calibration
from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.detectors.base import Detector
from blemish.evaluation.normal_scores import NormalScores
from blemish.evaluation.result import image_name
from blemish.line.artifact import NORMAL_GROUPS, NORMAL_SCORES, array_content
from blemish.line.decision import FALSE_REJECT_RATE, Decision, PixelDecision
from blemish.line.manifest import CalibrationRecord, training_digests
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
    """

    normal: NormalScores
    calibration: Calibration
    record: CalibrationRecord
    decision: Decision

    def members(self) -> dict[str, bytes]:
        """The artifact's members, by name."""
        members = {NORMAL_SCORES: array_content(np.asarray(self.calibration.scores, np.float32))}
        groups = self.calibration.groups
        return members | ({} if groups is None else {NORMAL_GROUPS: array_content(groups.astype(np.int32))})


def calibrate(detector: Detector, readable: Readable, folds: int, rates: Rates = ANY_RATES) -> Calibrated:
    """Score good images as if unseen: by detectors of the other folds, or those that were set aside."""
    normal, maxima, medians = NormalScores(detector.suspicious()), list[float](), list[float]()
    belonging, groups = list[str](), readable.groups
    for path, prediction in _unseen_predictions(detector, readable, folds):
        belonging.append(groups.get(path, f"/{path}"))
        normal.add(path, image_name(path, readable.catalog.root), prediction, detector.gives_maps)
        maxima.append(float(prediction.anomaly_map.max()))
        counted = prediction.counted
        where = ... if counted is None else covered(counted, *prediction.anomaly_map.shape)
        medians.append(float(np.median(prediction.anomaly_map[where])))
    numbers = np.unique(belonging, return_inverse=True)[1].astype(np.int32) if groups else None
    calibration = _sorted(np.asarray(normal.in_order, np.float32), numbers)
    decision = first_decision(calibration, _pixels(_sorted(np.asarray(maxima), numbers)), rates)
    low, high = heatmap_scale(np.asarray(medians), decision.pixels.threshold)
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
    return Calibrated(normal, calibration, record, decision)


def _pixels(maxima: Calibration) -> PixelDecision:
    """As many good parts show an anomalous pixel as are rejected."""
    rate = max(FALSE_REJECT_RATE, maxima.smallest_rate)
    return PixelDecision(threshold=maxima.threshold(rate), rate=rate)


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
