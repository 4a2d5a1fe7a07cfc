"""What a study measures: combinations of features and split, models, categories; a cell is one of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.detectors import classical
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector, detector_info
from blemish.experiments.categories import Category, open_categories
from blemish.experiments.space import Setting, Space, grid, space_of, to_json
from blemish.experiments.store import Cell, cell_folder, file_digests, key_of

FORMAT = 1
MODELS = tuple(info.name for info in classical.DETECTORS)


@dataclass(frozen=True)
class Combination:
    """Features and the split that settings are chosen with.

    Attributes:
        features: "direct", "deep-last" or "deep-mid", as of `blemish.detectors.classical.tabular.TabularDetector`.
        split: "test" or "train", as of `blemish.experiments.split_catalog.split_catalog`.
    """

    features: str
    split: str

    @property
    def name(self) -> str:
        """As tables and charts call it."""
        return f"{self.features} x {'(i)' if self.split == 'test' else '(ii)'}"


COMBINATIONS = (
    Combination("direct", "test"),
    Combination("direct", "train"),
    Combination("deep-last", "test"),
    Combination("deep-last", "train"),
    Combination("deep-mid", "train"),
)


@dataclass(frozen=True)
class StudyPlan:
    """What is measured, where, and how.

    Attributes:
        categories: see `open_study`.
        out: folder for the cells and the painted images.
        models: some of `MODELS`.
        seed: of splits, painted defects and models.
        fixed: parameters that all models share, as `size`; the rest are defaults.
    """

    categories: tuple[Category, ...]
    out: Path
    models: tuple[str, ...] = MODELS
    seed: int = 0
    fixed: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> list[StudyCell]:
        """All cells, by category, then combination, then model."""
        return [
            self._cell(category, combination, model)
            for category in self.categories
            for combination in COMBINATIONS
            for model in self.models
        ]

    def detector(self, model: str, features: str, setting: Setting | None = None) -> TabularDetector:
        """The unfitted detector of a setting; with none, the defaults."""
        given = {**self.fixed, **(setting or {})}
        detector = create_detector(model, features=features, seed=self.seed, **given)
        assert isinstance(detector, TabularDetector)
        return detector

    @property
    def bit_depth(self) -> int:
        """Bits that 16-bit photographs really use."""
        return int(self.fixed.get("bit_depth", 16))

    def _cell(self, category: Category, combination: Combination, model: str) -> StudyCell:
        parameters = self.detector(model, combination.features).key_parameters()
        key = key_of(
            {
                "format": FORMAT,
                "blemish": __version__,
                "model": model,
                "parameters": parameters,
                "weights": file_digests(parameters).get("weights", ""),
                "space": to_json(_space(model)),
                "split": combination.split,
                "category": category.name,
                "data": category.digest,
            }
        )
        folder = cell_folder(self.out, key, category.name, combination.features, combination.split, model)
        return StudyCell(self, category, combination, model, key=key, folder=folder)


@dataclass(frozen=True)
class StudyCell(Cell):
    """One model with one combination on one category."""

    plan: StudyPlan
    category: Category
    combination: Combination
    model: str

    def detector(self, setting: Setting) -> TabularDetector:
        """The unfitted detector of a setting."""
        return self.plan.detector(self.model, self.combination.features, setting)

    def settings(self) -> list[Setting]:
        """The grid that is searched."""
        return grid(_space(self.model))

    @property
    def title(self) -> str:
        """As messages call it."""
        return f"{self.model} on {self.category.name}, {self.combination.name}"


def open_study(
    roots: Sequence[Path], out: Path, models: Sequence[str], seed: int, fixed: dict[str, Any]
) -> StudyPlan:
    """Open every category in `roots`; every file is read once for its digest, none is decoded.

    Raises:
        CatalogError: a root cannot be used.
        UsageError: two categories have one name; a model is unknown or named twice; a parameter cannot be meant.
    """
    for model in models:
        if model not in MODELS:
            raise UsageError(f"There is no model {model} in a study: choose of {', '.join(MODELS)}.")
    if not models or len(set(models)) < len(models):
        raise UsageError(
            "Name each model once, and at least one, as --models one-class-svm,isolation-forest."
        )
    for name in fixed:
        if name in ("features", "seed"):
            raise UsageError(f"--set {name} is not possible in a study, which sets it itself.")
        if any(name in detector_info(model).space for model in models):
            raise UsageError(f"--set {name} is not possible in a study, which searches for its value.")
    plan = StudyPlan((), out, tuple(models), seed, dict(fixed))
    for model in models:
        for combination in COMBINATIONS:
            plan.detector(model, combination.features)  # says now what cannot be meant
    return StudyPlan(tuple(open_categories(roots)), out, plan.models, seed, plan.fixed)


def _space(model: str) -> Space:
    info = detector_info(model)
    return space_of(info.space, f"The default space of {model}", info)
