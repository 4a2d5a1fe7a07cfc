"""What an evaluation measured: the scored images, and every figure that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.json_values import number_or_none
from blemish.core.types import BoolArray, FloatArray, Region
from blemish.evaluation.detections import NO_DETECTIONS, Detections
from blemish.evaluation.intervals import auroc_interval
from blemish.evaluation.metrics import Decision, PixelErrors, PixelMetrics, Ranking, decide, rank
from blemish.evaluation.rate import Rate
from blemish.evaluation.type_confusion import TypeConfusion
from blemish.evaluation.undefined import why_undefined
from blemish.line.pixel_decision import PixelDecision
from blemish.view.regions import covered


@dataclass(frozen=True)
class ScoredImage:
    """One test image and what the inspector said of it.

    Attributes:
        path: the photograph; `name` is the same below the catalog's folder.
        anomalous: its label; `defect_type` is "good" where it is False.
        score: anomaly score.
        anomaly_map: float32, thinned to every `Evaluation.grid_step`-th row and column.
        mask_path: ground truth, or None.
        inspect_ms, decode_ms: wall time of the whole inspection (decoding included), and of decoding alone; NaN where
            it was inspected beside others.
        gives_map: False if the detector shows no place.
        regions: where its map is above the pixel threshold, in pixels of the photograph, highest first.
        types, type: probabilities of the defect types known and what it is called, as in `Inspection`.
        counted: where it was looked at, bool array of any size that covers it; None for everywhere.
        pixels: where on the map a region is; None where the evaluation's pixel threshold alone says.
        reason: why it is unlike the photographs learnt from, as in `Inspection`; None where it is like them.
    """

    path: Path
    name: str
    anomalous: bool
    defect_type: str
    score: float
    anomaly_map: FloatArray
    mask_path: Path | None
    inspect_ms: float
    decode_ms: float
    gives_map: bool = True
    regions: tuple[Region, ...] = ()
    types: Mapping[str, float] = field(default_factory=dict)
    type: str | None = None
    counted: BoolArray | None = None
    pixels: PixelDecision | None = None
    reason: str | None = None

    def counted_on(self, shape: tuple[int, ...]) -> BoolArray | None:
        """Where it was looked at, on a grid of this shape; None for everywhere."""
        return None if self.counted is None else covered(self.counted, *shape)


def image_name(path: Path, root: Path) -> str:
    """How a report names a photograph: its path below the catalog's folder, or its file name elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and why."""

    path: Path
    detail: str


@dataclass(frozen=True)
class Evaluation:
    """What an inspector was worth on one category's test images.

    Attributes:
        category: the catalog's category.
        threshold: decision threshold; a part is rejected when its score is above it.
        pixel_threshold: a pixel is shown as anomalous when its map value is above it.
        map_scale: map values where heatmap colours begin (a good part's usual value) and end; one scale for
            all images, with `pixel_threshold` in its middle unless the inspector says otherwise.
        images: the images that were scored, in the catalog's order.
        failed: files that could not be read; they count nowhere.
        pixels: pixel metrics, or None without usable masks.
        pixel_note: why there are none, or what they leave out; empty when there is nothing to say.
        grid_step: pixel metrics were measured on every `grid_step`-th row and column of the maps.
        detections: how the regions of the masks were found, or None without usable masks.
        saturated_overlap: area under the sPRO curve, or None where the catalog does not say what saturates a defect.
        learnt_types: names of the defect types that the inspector tells apart; empty where it does not.
    """

    category: str
    threshold: float
    pixel_threshold: float
    map_scale: tuple[float, float]
    images: tuple[ScoredImage, ...]
    failed: tuple[Failure, ...]
    pixels: PixelMetrics | None
    pixel_note: str
    grid_step: int
    detections: Detections | None = None
    saturated_overlap: float | None = None
    learnt_types: tuple[str, ...] = ()

    @property
    def gives_maps(self) -> bool:
        """Whether the detector shows places."""
        return all(image.gives_map for image in self.images)

    @cached_property
    def labels(self) -> BoolArray:
        """True for each anomalous image."""
        return np.array([image.anomalous for image in self.images], dtype=np.bool_)

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """Anomaly score of each image."""
        return np.array([image.score for image in self.images], dtype=np.float64)

    @cached_property
    def ranking(self) -> Ranking:
        """Scores of anomalous images among those of normal ones."""
        return rank(self.labels, self.scores)

    @cached_property
    def decision(self) -> Decision:
        """Counts at the decision threshold."""
        return decide(self.labels, self.scores, self.threshold)

    @cached_property
    def auroc_interval(self) -> tuple[float, float]:
        """95 % interval of the image AUROC."""
        return auroc_interval(self.ranking.auroc(), self.ranking.n_anomalous, self.ranking.n_normal)

    @property
    def false_rejects(self) -> Rate:
        """How many good parts were rejected."""
        return Rate(self.decision.false_positives, self.ranking.n_normal)

    @property
    def escapes(self) -> Rate:
        """How many defective parts passed."""
        return Rate(self.decision.false_negatives, self.ranking.n_anomalous)

    @property
    def not_judged(self) -> tuple[ScoredImage, ...]:
        """Images that were not judged: unlike those learnt from, and not rejected.

        Every figure counts them by their scores, as if they had passed: an escape stays one, and is listed here too.
        """
        return tuple(
            image for image in self.images if image.reason is not None and image.score <= self.threshold
        )

    @cached_property
    def type_confusion(self) -> TypeConfusion | None:
        """What each type of defect was called; None where the inspector tells no types apart."""
        if not self.learnt_types:
            return None
        return TypeConfusion.of(self.images, self.learnt_types, self.threshold)

    def latency_ms(self, what: str = "inspect_ms") -> tuple[float, float]:
        """Median and 99th percentile of `inspect_ms` or `decode_ms`.

        Of those that were inspected alone; the first image is left out where there are others: its inspection may load
        the model.
        """
        times = [time for image in self.images if not math.isnan(time := getattr(image, what))]
        p50, p99 = np.percentile(times[1:] or times, [50, 99])
        return float(p50), float(p99)

    def of_defect_type(self, defect_type: str) -> Evaluation:
        """The same evaluation with the normal images and only this type's anomalous ones."""
        kept = tuple(i for i in self.images if not i.anomalous or i.defect_type == defect_type)
        return replace(
            self, images=kept, failed=(), pixels=None, pixel_note="", detections=None, saturated_overlap=None
        )

    @property
    def defect_types(self) -> list[str]:
        """Names of the defect types, sorted."""
        return sorted({image.defect_type for image in self.images if image.anomalous})

    def to_json(self) -> dict[str, Any]:
        """Everything measured, JSON-ready: what is undefined is None, and `undefined` says why; times in ms."""
        figures = self._figures()
        return figures | {"undefined": why_undefined(self, figures)}

    def _figures(self) -> dict[str, Any]:
        decision, best = self.decision, self.ranking.best_f1()
        pixels, types = self.pixels, self.type_confusion
        return {
            "category": self.category,
            "n_normal": self.ranking.n_normal,
            "n_anomalous": self.ranking.n_anomalous,
            "image_auroc": number_or_none(self.ranking.auroc()),
            "image_auroc_interval": _numbers(self.auroc_interval),
            "image_ap": number_or_none(self.ranking.average_precision()),
            "image_f1": number_or_none(best.f1),
            "image_f1_threshold": number_or_none(best.threshold),
            "threshold": self.threshold,
            "precision": number_or_none(decision.precision),
            "recall": number_or_none(decision.recall),
            "accuracy": number_or_none(decision.accuracy),
            "f1": number_or_none(decision.f1),
            "confusion": {
                "rejected_anomalous": decision.true_positives,
                "rejected_normal": decision.false_positives,
                "passed_normal": decision.true_negatives,
                "passed_anomalous": decision.false_negatives,
            },
            "false_reject": self.false_rejects.to_json(),
            "escape": self.escapes.to_json(),
            "not_judged": _not_judged(self.not_judged),
            "pixel_auroc": number_or_none(pixels.auroc) if pixels else None,
            "pixel_ap": number_or_none(pixels.average_precision) if pixels else None,
            "pixel_f1": number_or_none(pixels.f1) if pixels else None,
            "aupro": number_or_none(pixels.aupro) if pixels else None,
            **({"pixel_errors": _errors(pixels.errors)} if pixels and pixels.errors else {}),
            **({} if self.saturated_overlap is None else {"au_spro": number_or_none(self.saturated_overlap)}),
            **(self.detections or NO_DETECTIONS).to_json(),
            "pixel_note": self.pixel_note,
            "pixel_grid_step": self.grid_step,
            "latency_ms": dict(zip(("p50", "p99"), self.latency_ms(), strict=True)),
            "decode_ms": dict(zip(("p50", "p99"), self.latency_ms("decode_ms"), strict=True)),
            "per_defect_type": {name: _of_type(self.of_defect_type(name)) for name in self.defect_types},
            **({"types": types.to_json()} if types else {}),
            "failed": [{"path": str(failure.path), "detail": failure.detail} for failure in self.failed],
        }


def _not_judged(images: Sequence[ScoredImage]) -> dict[str, Any]:
    """How many images were not judged, by their label, and why."""
    anomalous = sum(image.anomalous for image in images)
    reasons = [{"path": str(image.path), "reason": image.reason} for image in images]
    return {"normal": len(images) - anomalous, "anomalous": anomalous, "images": reasons}


def _errors(errors: PixelErrors) -> dict[str, Any]:
    """By how much figures of pixels may be off, by the names that they have."""
    values = errors.auroc, errors.average_precision, errors.f1, errors.aupro
    return dict(zip(("pixel_auroc", "pixel_ap", "pixel_f1", "aupro"), _numbers(values), strict=True))


def _of_type(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of one defect type."""
    return {
        "n": evaluation.ranking.n_anomalous,
        "image_auroc": number_or_none(evaluation.ranking.auroc()),
        "image_auroc_interval": _numbers(evaluation.auroc_interval),
        "image_ap": number_or_none(evaluation.ranking.average_precision()),
        "recall": number_or_none(evaluation.decision.recall),
        "escape": evaluation.escapes.to_json(),
    }


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [number_or_none(value) for value in values]
