"""One cell: fit a detector on a category, measure it on the test photographs; and later time its inspector."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, read_content, read_mask
from blemish.core.json_values import number_or_none
from blemish.core.overlay import contour_overlay, heatmap_overlay, segmentation
from blemish.core.pictures import encoded
from blemish.core.types import BoolArray, ByteArray
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector
from blemish.detectors.training.session import TrainingSession, training_session
from blemish.evaluation.evaluate import evaluate, mask_on_grid
from blemish.evaluation.overlap import overlap
from blemish.evaluation.result import Evaluation, ScoredImage
from blemish.evaluation.unseen import unseen
from blemish.experiments.benchmark.cell import (
    Arrays,
    CellResult,
    ComparedCell,
    clean,
    read_result,
    write_figures,
    write_result,
)
from blemish.experiments.benchmark.compared import ComparedCategory
from blemish.experiments.held_back import hold_back
from blemish.experiments.trial import failure_sentence
from blemish.features.together import Together
from blemish.line.artifact import read_artifact
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.making.build import BuildSummary, build_inspector
from blemish.making.reading import Readable, learning_catalog, readable_for

TIMED_IMAGES = 20
_WARM_UP = 3
_OUTLINE = (232, 60, 60)


def run_cell(
    cell: ComparedCell, data: ComparedCategory, together: Together, seconds_an_image: float | None
) -> CellResult:
    """Measure a cell and keep the result, also where it fails: then with the sentence that says why.

    Args:
        cell: which.
        data: its category.
        together: what reading all photographs of the category found.
        seconds_an_image: what the detector's backbone took for a photograph, None if unknown or without one.
    """
    clean(cell)
    try:
        detector = cell.candidate.make(seed=cell.seed)
        # Where a detector learns from labelled test photographs, these have moved to the training split.
        learning, held_back = hold_back(learning_catalog(data.catalog, detector, known=together.contents))
        readable = readable_for(learning, together)
        result, _ = held_back.measured_once(
            read_result(cell),
            lambda test: _measure(cell, detector, data, readable, test, together, seconds_an_image),
            write_result,
        )
    except Exception as failure:  # one detector's defect must not end the comparison of the others
        result = CellResult(cell, error=failure_sentence(failure, cell.candidate.label))
        write_result(result)
        return result
    shutil.rmtree(cell.training, ignore_errors=True)
    return result


def _measure(
    cell: ComparedCell,
    detector: Detector,
    data: ComparedCategory,
    readable: Readable,
    test: Catalog,
    together: Together,
    seconds_an_image: float | None,
) -> CellResult:
    """Fit the detector, judge the test photographs, and gather what is kept of both."""
    summary = _fit(cell, detector, data.catalog, readable)
    inspector = Inspector.load(cell.inspector)
    evaluation = _evaluate(detector, inspector, unseen(test, inspector), together)
    reading = None if seconds_an_image is None else seconds_an_image * summary.n_train
    shown, pictures = _pictures(evaluation, inspector, data)
    unread = [{"path": str(failure.path), "detail": failure.detail} for failure in evaluation.failed]
    return CellResult(
        cell,
        metrics={
            **figures(evaluation),
            "n_train": summary.n_train,
            "n_labelled": summary.n_labelled,
            "n_scores": summary.n_scores,
            "megabytes": megabytes(cell.inspector),
        },
        timings={
            "fit_seconds": summary.seconds + (reading or 0.0),
            "learning_seconds": summary.seconds,
            "reading_seconds": reading,
        },
        unreadable=summary.skipped + unread,
        copies=summary.copies,
        shown=shown,
        timed=[str(image.path) for image in _spread(evaluation.images)],
        arrays={"scores": evaluation.scores, "labels": evaluation.labels, **pictures},
    )


def _fit(cell: ComparedCell, detector: Detector, catalog: Catalog, readable: Readable) -> BuildSummary:
    """Fit the detector and write its inspector; a training that was interrupted goes on from its checkpoint."""
    with training_session(TrainingSession(folder=cell.training, resume=True)):
        return build_inspector(catalog, cell.inspector, detector, name=_name(cell), readable=readable)


def _name(cell: ComparedCell) -> str:
    """Name of the cell's inspector: detector and category."""
    return f"{cell.candidate.label} on {cell.category}"[:200]


def _evaluate(detector: Detector, inspector: Inspector, test: Catalog, together: Together) -> Evaluation:
    """Judge the test photographs as the inspector does, on the fitted detector's scores: it reads the caches."""
    paths = [Path(path) for path in test.test()["path"]]
    predictions = detector.predict([path for path in paths if path not in together.problems])

    def inspect(path: Path) -> Inspection:
        if path in together.problems:
            raise together.problems[path]
        prediction = next(predictions)
        height, width = prediction.anomaly_map.shape
        return inspector.judge(prediction, width, height)

    return evaluate(
        # Of parts nothing is in the caches; and a photograph that shows none must not end the others.
        inspect if detector.cuts is None else inspector.inspect,
        test,
        inspector.threshold,
        pixel_threshold=inspector.pixel_threshold,
        map_scale=inspector.map_scale,
        time_decoding=False,
    )


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """What `blemish evaluate` measures, without times, and with the figures of the calibrated pixel threshold.

    `pixel_f1` and `iou` are those of `blemish.evaluation.overlap` at the inspector's pixel threshold; the best that any
    threshold reaches, which `blemish evaluate` names `pixel_f1`, is `pixel_f1_best`.
    """
    measured = evaluation.to_json()
    for name in ("category", "latency_ms", "decode_ms", "failed"):
        del measured[name]
    covered = overlap(_segmentations(evaluation))
    measured["pixel_f1_best"] = measured["pixel_f1"]
    known = covered.n_defective > 0
    measured["pixel_f1"] = number_or_none(covered.f1) if known else None
    measured["iou"] = covered.iou if known else None
    measured["pixel_threshold"] = evaluation.pixel_threshold
    return measured


def _segmentations(evaluation: Evaluation) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Mask and segmentation of every image whose truth is known."""
    for image in evaluation.images:
        mask = _truth(image) if image.gives_map else None
        if mask is not None:
            yield mask, segmentation(image.anomaly_map, evaluation.pixel_threshold)


def _truth(image: ScoredImage) -> BoolArray | None:
    """The mask on the map's grid; None for a defective image without a usable one."""
    mask: BoolArray = np.zeros(image.anomaly_map.shape, np.bool_)
    if image.mask_path is not None:
        try:
            mask = mask_on_grid(read_mask(image.mask_path), *mask.shape)
        except ImageError:
            return None
    return mask if mask.any() or not image.anomalous else None


def time_cell(result: CellResult) -> CellResult:
    """The result with its inspector's times, kept; nothing else should run meanwhile. One that has them is returned."""
    if result.error or "ms" in result.timings:
        return result
    milliseconds, decode = time_inspector(
        Inspector.load(result.cell.inspector), list(map(Path, result.timed))
    )
    timed = replace(result, timings={**result.timings, "ms": milliseconds, "decode_ms": decode})
    write_figures(timed)
    return timed


def _spread(images: Sequence[ScoredImage]) -> list[ScoredImage]:
    """At most `TIMED_IMAGES` of the images, evenly spread."""
    places = np.linspace(0, len(images) - 1, min(TIMED_IMAGES, len(images))).round().astype(int)
    return [images[place] for place in np.unique(places)]


def time_inspector(inspector: Inspector, paths: Sequence[Path]) -> tuple[float, float]:
    """Median milliseconds that an inspector takes for a decoded photograph, and that decoding it takes.

    Args:
        inspector: newly loaded.
        paths: the photographs, after a warm-up on the first.
    """
    inspected, decoded = [], []
    for number, path in enumerate(paths):
        started = time.perf_counter()
        photograph = inspector.open_photograph(read_content(path, DEFAULT_LIMITS.max_bytes), str(path))
        decoded.append(time.perf_counter() - started)
        for _ in range(_WARM_UP if number == 0 else 0):
            inspector.inspect_photograph(photograph)
        started = time.perf_counter()
        inspector.inspect_photograph(photograph)
        inspected.append(time.perf_counter() - started)
    return 1e3 * float(np.median(inspected)), 1e3 * float(np.median(decoded))


def megabytes(inspector: Path) -> float:
    """Size of an inspector's members; unlike the file's, it does not depend on when it was written."""
    return sum(member.size for member in read_artifact(inspector).manifest.members) / 1e6


def _pictures(
    evaluation: Evaluation, inspector: Inspector, data: ComparedCategory
) -> tuple[list[dict[str, Any]], Arrays]:
    """Of each photograph that is shown name, score and decision, and heatmap and segmentation where there is a map."""
    by_path = {image.path: image for image in evaluation.images}
    shown: list[dict[str, Any]] = []
    pictures: Arrays = {}
    for path, photograph in data.shown_photographs.items():
        image = by_path.get(path)
        if image is None:  # not among those that this detector was tested on
            continue
        number = len(shown)
        shown.append(
            {"name": image.name, "score": image.score, "rejected": bool(image.score > inspector.threshold)}
        )
        if not image.gives_map:
            continue
        found = segmentation(image.anomaly_map, inspector.pixel_threshold)
        heat = heatmap_overlay(photograph, image.anomaly_map, *inspector.map_scale)
        pictures[f"heatmap_{number}"] = _jpeg(heat)
        pictures[f"segmentation_{number}"] = _jpeg(contour_overlay(photograph, found, _OUTLINE))
    return shown, pictures


def _jpeg(picture: ByteArray) -> ByteArray:
    return np.frombuffer(encoded(picture, ".jpg"), np.uint8)
