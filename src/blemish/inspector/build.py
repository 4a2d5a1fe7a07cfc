"""From a catalog of good parts to an artifact: fit, calibrate, check parity, write."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import read_image
from blemish.core.progress import task, track
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector
from blemish.features.onnx_export import to_onnx
from blemish.inspector.artifact import MODEL, NORMAL_SCORES, array_content, write_artifact
from blemish.inspector.calibration import heatmap_scale, pixel_threshold, quantile_threshold
from blemish.inspector.manifest import (
    CalibrationRecord,
    DetectorRecord,
    Manifest,
    ParityRecord,
    TrainingRecord,
    training_digests,
)
from blemish.inspector.parity import check_parity

QUANTILE = 0.995
_PARITY_IMAGES = 4
_LIBRARIES = ("blemish", "numpy", "openvino", "opencv-python-headless", "pillow", "timm", "torch")


@dataclasses.dataclass(frozen=True)
class BuildSummary:
    """What a build did.

    Attributes:
        path: the artifact.
        category, detector: what was learnt, and how.
        n_train: good images learnt from.
        n_scores: of these, scored as if unseen for the threshold.
        threshold: decision threshold on the anomaly score.
        seconds: time of the whole build.
        megabytes: size of the artifact.
        parity_error: largest relative difference between the laboratory's and the line's path.
        skipped: training images that could not be read, each with path and detail.
    """

    path: str
    category: str
    detector: str
    n_train: int
    n_scores: int
    threshold: float
    seconds: float
    megabytes: float
    parity_error: float
    skipped: list[dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return dataclasses.asdict(self)


def build_inspector(
    catalog: Catalog, out: Path, detector: Detector, *, name: str | None = None, folds: int = 4
) -> BuildSummary:
    """Fit a detector on the catalog's good training images and write it as an inspector.

    Training images that cannot be read are left out and listed. The threshold is the 99.5 % point of the scores
    of good images scored as if unseen: each by a detector fitted on the other folds.

    Args:
        catalog: one category.
        out: the `.blemish` file, replaced whole.
        detector: unfitted.
        name: the inspector's name; the file's when None.
        folds: parts of the cross-validation.

    Raises:
        CatalogError: too few readable good images.
        BlemishError: the parity gate refused, or the file could not be written.
    """
    started = time.perf_counter()
    readable, digests, skipped = _readable(catalog, detector.bit_depth)
    detector.fit(readable)
    scores, calibration = _calibrate(detector, readable, folds)
    network = detector.network()
    contract = detector.preprocessing()
    with task("Exporting and checking the inspector"):
        model = to_onnx(network, torch.zeros(1, 3, contract.height, contract.width), ["score", "map"])
        parity = check_parity(network, model, contract, _spread(readable.train_normal(), _PARITY_IMAGES))
    seconds = time.perf_counter() - started
    training = TrainingRecord(
        category=catalog.category,
        n_images=len(digests),
        digests=training_digests(digests),
        seed=detector.seed,
        created=datetime.now(UTC),
        seconds=seconds,
    )
    manifest = _manifest(name or Path(out).stem, detector, calibration, training, parity)
    write_artifact(out, manifest, {MODEL: model, NORMAL_SCORES: array_content(scores)})
    return BuildSummary(
        path=str(out),
        category=catalog.category,
        detector=detector.name,
        n_train=len(digests),
        n_scores=len(scores),
        threshold=calibration.threshold,
        seconds=time.perf_counter() - started,
        megabytes=Path(out).stat().st_size / 1e6,
        parity_error=parity.max_relative_error,
        skipped=skipped,
    )


def _readable(catalog: Catalog, bit_depth: int) -> tuple[Catalog, list[str], list[dict[str, str]]]:
    """The training part of the catalog that can be read, its files' digests, and what was left out."""
    rows, digests, skipped = [], [], []
    training = np.flatnonzero(catalog.table["split"] == "train")
    for row in track(training.tolist(), "Checking photographs"):
        path = catalog.table["path"].iloc[row]
        try:
            read_image(Path(path), bit_depth=bit_depth)
            digests.append(file_digest(Path(path)))
            rows.append(row)
        except ImageError as error:
            skipped.append({"path": str(path), "detail": error.detail})
    if skipped and not rows:
        raise CatalogError(
            f"None of the {len(skipped)} photographs in {catalog.root} can be read; the first: "
            f"{skipped[0]['path']}: {skipped[0]['detail']}"
        )
    return catalog.subset(rows), digests, skipped


def _calibrate(
    detector: Detector, catalog: Catalog, folds: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], CalibrationRecord]:
    """Sorted scores of good images as if unseen, and the thresholds from them."""
    scores, maxima, medians = [], [], []
    for _, prediction in detector.cross_predict(catalog, folds):
        scores.append(prediction.score)
        maxima.append(float(prediction.anomaly_map.max()))
        medians.append(float(np.median(prediction.anomaly_map)))
    normal_scores = np.sort(np.asarray(scores, np.float32))
    threshold = pixel_threshold(np.asarray(maxima), QUANTILE)
    low, high = heatmap_scale(np.asarray(medians), threshold)
    record = CalibrationRecord(
        threshold=quantile_threshold(normal_scores, QUANTILE),
        pixel_threshold=threshold,
        map_low=low,
        map_high=high,
        quantile=QUANTILE,
        n_scores=len(normal_scores),
        method="k-fold",
        folds=min(folds, len(normal_scores)),
    )
    return normal_scores, record


def _manifest(
    name: str,
    detector: Detector,
    calibration: CalibrationRecord,
    training: TrainingRecord,
    parity: ParityRecord,
) -> Manifest:
    """Everything the artifact says of itself."""
    parameters = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in detector.parameters().items()
    }
    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            libraries[library] = "not installed as a package"
    return Manifest(
        name=name,
        detector=DetectorRecord(name=detector.name, parameters=parameters),
        preprocessing=detector.preprocessing(),
        calibration=calibration,
        training=training,
        libraries=libraries,
        parity=parity,
    )


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """`count` paths evenly spread over all."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, count).astype(int))]
