"""Student and teacher: where the student cannot say what the teacher says, the image is unlike the good ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.detectors.distilled.painted_defects import with_a_defect
from blemish.detectors.distilled.student_teacher_network import (
    REVERSE,
    Comparison,
    ErrorFusion,
    PixelStudent,
    ReverseStudent,
    StudentTeacherHead,
    StudentTeacherNetwork,
)
from blemish.detectors.frozen import batch_of_one, said_by
from blemish.detectors.frozen_trained import FrozenTrainedDetector, Statistics, taps_of
from blemish.detectors.parameters import refuse
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.feature_examples import FeatureExamples
from blemish.detectors.training.loop import Material, Objective, Recipe, step_schedule
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads
from blemish.features.transformers import Transformer
from blemish.view.preprocessing import standardise

SCORINGS = ("normalized", "raw", "robust")
PREFERRED = ("robust", "normalized", "raw")
"""In doubt: a mean of many places before a maximum, which one odd place decides."""

_ROBUST_COUNT = 100


class StudentTeacherObjective(Objective):
    """Sum over the taps of the mean squared error between teacher and student."""

    def __init__(self, comparison: Comparison, student: nn.Module, taps: Sequence[int]) -> None:
        super().__init__()
        self.comparison = comparison
        self.student = student
        self.taps = tuple(taps)

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the taps' mean squared errors."""
        targets = self.comparison.targets(taps_of(batch, self.taps))
        predictions = self.student(batch.get("image"), targets)
        errors = self.comparison.errors(targets, predictions)
        return torch.stack([one.mean() for one in errors]).sum()


@dataclasses.dataclass
class StudentTeacher(FrozenTrainedDetector):
    """Student and teacher at several taps; see the base classes.

    Attributes:
        student: "reverse", a decoder of the teacher's own digest, or a network of timm that sees the pixels.
        width: of the reverse student's finest stage; 64 with a vision transformer, all of whose stages are as wide.
        standardised: bring all channels of the teacher to mean 0 and deviation 1 first.
        unit: compare directions of feature vectors, not their lengths.
        milestone: share of the epochs after which the learning rate falls to a tenth.
        scoring: "normalized" (error maps standardised per tap by held-out good images, then their mean; score is the
            highest value), "raw" (sum of squared errors; highest value), "robust" (as normalized; score is the mean
            of the 100 highest values on the finest tap's grid), "auto" (whichever tells synthetic defects painted on
            held-out good images best from these images; see `choose_scoring`).
        sigma: smoothing of the map, in pixels of the input.

    After `fit` also `scoring_`: the scoring in use, and `scoring_auroc_`: of each where "auto" has measured them.
    """

    name: ClassVar[str] = "student-teacher"
    measures: ClassVar[str] = "error of the student"
    decided: ClassVar[tuple[str, ...]] = ("size", "taps", "width")
    usual_blocks: ClassVar[int] = 4

    size: int = 256
    taps: tuple[int, ...] = (4, 8, 16)
    epochs: int = 30
    batch_size: int = 4
    learning_rate: float = 3e-3
    patience: int = 0
    examples_per_epoch: int = 256
    student: str = REVERSE
    width: int = 16
    standardised: bool = True
    unit: bool = False
    milestone: float = 0.8
    scoring: str = "auto"
    sigma: float = 4.0

    def reads(self) -> Reads:
        """The teacher's maps, and pixels: for a student that sees them, and to paint defects on."""
        return dataclasses.replace(super().reads(), contracts=(self.preprocessing(),))

    def recipe(self) -> Recipe:
        """A tenth of the rate after the milestone."""
        return dataclasses.replace(
            super().recipe(), schedule=step_schedule((round(self.milestone * self.epochs),))
        )

    def make_objective(self, prepared: Prepared[Statistics]) -> Objective:
        """The untrained student with the teacher's statistics."""
        return StudentTeacherObjective(self._comparison(prepared.found), self._student(), self.taps)

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Statistics]) -> Material:
        """The teacher's maps, and the photographs for a student that sees them; augmented copies for training."""
        augmentation = self.augmented_by() if training else None
        images = self.student != REVERSE
        return Material(FeatureExamples(self.extractor(), paths, augmentation, images), len(paths))

    def trained_head(self, objective: Objective, prepared: Prepared[Statistics]) -> StudentTeacherHead:
        """The student with its errors fused as `scoring` says."""
        held_out = prepared.photographs.held_out
        comparison, student = self._comparison(prepared.found), self._student()
        comparison.load_state_dict(objective.get_submodule("comparison").state_dict())
        student.load_state_dict(objective.get_submodule("student").state_dict())
        head = StudentTeacherHead(comparison, student, self._fusion()).eval().requires_grad_(False)
        good = [head.errors(image, maps) for image, maps in self._inputs(held_out, "Reading held-out images")]
        fusions = self._fusions(good)
        self.scoring_, self.scoring_auroc_ = self.scoring, {}
        if self.scoring == "auto":
            bad = [head.errors(image, maps) for image, maps in self._painted(held_out)]
            self.scoring_auroc_ = {name: _auroc(fusion, good, bad) for name, fusion in fusions.items()}
            self.scoring_ = choose_scoring(self.scoring_auroc_, len(good), len(bad))
        head.fusion = fusions[self.scoring_]
        return head

    def whole(self, head: nn.Module) -> nn.Module:
        """Teacher, student and comparison as one graph."""
        assert isinstance(head, StudentTeacherHead)
        return StudentTeacherNetwork(self.extractor().backbone, head)

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        head = self._head()
        for image, maps in self._inputs(paths):
            yield said_by(head, image, maps)

    def chosen(self) -> dict[str, Any]:
        """The scoring that "auto" has chosen."""
        return super().chosen() | ({"scoring": self.scoring_} if self.scoring == "auto" else {})

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "width": self.width < 1,
            "milestone": not 0 < self.milestone <= 1,
            "scoring": self.scoring not in (*SCORINGS, "auto"),
            "sigma": not 0 <= self.sigma <= self.size,
            "taps": self.student == REVERSE and self.transformer is None and not _halving(self.taps),
        }
        refuse(self, wrong)
        self._student()

    def usual_parameters(self, transformer: Transformer) -> dict[str, Any]:
        """And a width for maps that are all of one size."""
        return super().usual_parameters(transformer) | {"width": 64}

    def _inputs(self, paths: Sequence[Path], doing: str = "") -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Photograph and teacher's maps, each with a batch dimension; no pixels where the student needs none."""
        pixels, contract = PixelCache(), self.preprocessing()
        stream = self.extractor().stream(paths)
        for path, maps in zip(paths, track(stream, doing, len(paths)) if doing else stream, strict=True):
            image = torch.empty(0)
            if self.student != REVERSE:
                image = torch.from_numpy(standardise(pixels.read(path, contract), contract))[None]
            yield image, batch_of_one(maps)

    def _painted(self, held_out: Sequence[Path]) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """As `_inputs`, of the held-out photographs with a synthetic defect on each."""
        pixels, contract, backbone = PixelCache(), self.preprocessing(), self.extractor().backbone
        for position, path in enumerate(track(held_out, "Painting synthetic defects")):
            damaged = with_a_defect(pixels.read(path, contract), np.random.default_rng((self.seed, position)))
            if damaged is not None:
                image = torch.from_numpy(standardise(damaged, contract))[None]
                with torch.inference_mode():
                    maps = backbone(image)
                yield image, maps

    def _student(self) -> nn.Module:
        channels = self.extractor().backbone.channels
        if self.student == REVERSE:
            return ReverseStudent(channels, self.width, 2 if self.transformer is None else 1)
        if self.transformer is not None:
            raise UsageError(
                f"student={self.student} is not possible with the teacher {self.backbone}, a vision transformer whose "
                f"maps all have one size: choose {REVERSE}."
            )
        return PixelStudent(self.student, self.taps, channels)

    def _comparison(self, statistics: Statistics) -> Comparison:
        if not self.standardised:
            statistics = [(torch.zeros_like(mean), torch.ones_like(one)) for mean, one in statistics]
        return Comparison(statistics, self.unit)

    def _fusion(
        self, count: int = 1, weights: Tensor | None = None, offset: Tensor | None = None
    ) -> ErrorFusion:
        weights = torch.ones(len(self.taps)) if weights is None else weights
        offset = torch.zeros(1) if offset is None else offset
        grid = int(self.extractor().shapes[0][1])
        return ErrorFusion(weights, offset, min(count, grid * grid), grid, self.size, self.sigma)

    def _fusions(self, good: Sequence[list[Tensor]]) -> dict[str, ErrorFusion]:
        """A fusion for each scoring, from error maps of good images."""
        weights, offset = standardising_weights(good)
        return {
            "normalized": self._fusion(1, weights, offset),
            "raw": self._fusion(1),
            "robust": self._fusion(_ROBUST_COUNT, weights, offset),
        }


def standardising_weights(good: Iterable[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Weights and offset of a fusion that standardises each tap's error map and takes the mean over taps.

    Args:
        good: error maps of good images, one a tap; mean and deviation are over all images and positions.
    """
    taps = [torch.cat([one.flatten() for one in maps]).double() for maps in zip(*good, strict=True)]
    means = torch.stack([tap.mean() for tap in taps])
    deviations = torch.stack([tap.std(correction=0) for tap in taps]).clamp(min=1e-12)
    weights = 1 / deviations / len(taps)
    return weights.float(), -(means * weights).sum().reshape(1).float()


def choose_scoring(auroc: Mapping[str, float], good: int, bad: int) -> str:
    """The first of `PREFERRED` that is no worse than the best by more than a standard error of its AUROC.

    A few held-out images say little, and often nothing: then the score that no single place decides is taken. The rule
    is that of Breiman et al., "Classification and Regression Trees", 1984; the error that of Hanley and McNeil, "The
    meaning and use of the area under a ROC curve", Radiology 1982, for no less than one pair misjudged.
    """
    best = max(auroc.values())
    area = min(best, 1 - 1 / max(1, good * bad))
    of_bad, of_good = area / (2 - area) - area**2, 2 * area**2 / (1 + area) - area**2
    variance = (area * (1 - area) + (bad - 1) * of_bad + (good - 1) * of_good) / max(1, good * bad)
    return next(name for name in PREFERRED if auroc[name] >= best - math.sqrt(max(0.0, variance)))


def _auroc(fusion: ErrorFusion, good: Sequence[list[Tensor]], bad: Sequence[list[Tensor]]) -> float:
    """AUROC of the scores of damaged against good images; 0.5 where there is nothing to compare."""
    if not good or not bad:
        return 0.5
    with torch.inference_mode():
        scores = [float(fusion(errors)[0]) for errors in [*good, *bad]]
    return float(roc_auc_score([0] * len(good) + [1] * len(bad), scores))


def _halving(taps: Sequence[int]) -> bool:
    """Whether each tap's stride is twice that of the one before, as the reverse student needs."""
    strides = sorted(set(taps))
    return len(strides) > 1 and all(2 * one == other for one, other in pairwise(strides))
