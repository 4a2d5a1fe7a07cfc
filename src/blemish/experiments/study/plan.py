"""What a study measures: combinations of features and split, models, categories; a cell is one of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.detectors import classical
from blemish.detectors.augmentation import NONE
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector, detector_info
from blemish.experiments.categories import Category, open_categories
from blemish.experiments.space import Setting, Space, grid, space_of, to_json
from blemish.experiments.store import Cell, cell_folder, file_digests, key_of
from blemish.line.rows import DIRECT_PIXELS, PIXELS

FORMAT = 1
MODELS = tuple(info.name for info in classical.DETECTORS)


@dataclass(frozen=True)
class Combination:
    """Features and the split that settings are chosen with.

    Attributes:
        features: as of `blemish.detectors.classical.tabular.TabularDetector`; deep ones are means over space.
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
"""Those of a study that names no features."""

FURTHER = tuple(
    Combination(features, split) for features in (PIXELS, DIRECT_PIXELS) for split in ("test", "train")
)
"""Those of a study that names raw pixels, alone or behind the handcrafted features."""

STUDY_FEATURES = tuple(dict.fromkeys(one.features for one in (*COMBINATIONS, *FURTHER)))

_FOUNDED = "founded"
"""The preset that a study begins with: the tabular school, whatever the detectors' defaults have become."""

_NEW = ("pooling", "covariance")
"""Parameters that came later: with the preset's values they are no part of a key, so that older cells are found."""


@dataclass(frozen=True)
class StudyPlan:
    """What is measured, where, and how.

    Attributes:
        categories: see `open_study`.
        out: folder for the cells and the painted images.
        models: some of `MODELS`.
        seed: of splits, painted defects and models.
        fixed: parameters that all models share, as `size`; the rest are defaults.
        combinations: of features and split.
    """

    categories: tuple[Category, ...]
    out: Path
    models: tuple[str, ...] = MODELS
    seed: int = 0
    fixed: dict[str, Any] = field(default_factory=dict)
    combinations: tuple[Combination, ...] = COMBINATIONS

    def cells(self) -> list[StudyCell]:
        """All cells, by category, then combination, then model."""
        return [
            self._cell(category, combination, model)
            for category in self.categories
            for combination in self.combinations
            for model in self.models
        ]

    def detector(self, model: str, features: str, setting: Setting | None = None) -> TabularDetector:
        """The unfitted detector of a setting; with none, the defaults."""
        given = {**self.fixed, **(setting or {})}
        detector = create_detector(model, _FOUNDED, features=features, seed=self.seed, **given)
        assert isinstance(detector, TabularDetector)
        return detector

    @property
    def bit_depth(self) -> int:
        """Bits that 16-bit photographs really use."""
        return int(self.fixed.get("bit_depth", 16))

    def _cell(self, category: Category, combination: Combination, model: str) -> StudyCell:
        parameters = self.detector(model, combination.features).key_parameters()
        founded = detector_info(model).presets[_FOUNDED]
        for name in _NEW:
            if name in founded and parameters[name] == founded[name]:
                del parameters[name]
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
    roots: Sequence[Path],
    out: Path,
    models: Sequence[str],
    seed: int,
    fixed: dict[str, Any],
    features: Sequence[str] | None = None,
) -> StudyPlan:
    """Open every category in `roots`; every file is read once for its digest, none is decoded.

    Args:
        roots, out, models, seed, fixed: as of `StudyPlan`.
        features: some of `STUDY_FEATURES`; those of `COMBINATIONS` where None.

    Raises:
        CatalogError: a root cannot be used.
        UsageError: two categories have one name; a model or features are unknown or named twice; a parameter cannot be
            meant.
    """
    combinations = _combinations(features)
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
        if name == "augment" and fixed[name] != NONE:
            raise UsageError(
                "--set augment is not possible in a study, which makes one row of each photograph."
            )
        if any(name in detector_info(model).space for model in models):
            raise UsageError(f"--set {name} is not possible in a study, which searches for its value.")
    plan = StudyPlan((), out, tuple(models), seed, dict(fixed), combinations)
    for model in models:
        for combination in combinations:
            plan.detector(model, combination.features)  # says now what cannot be meant
    return replace(plan, categories=tuple(open_categories(roots)))


def _combinations(features: Sequence[str] | None) -> tuple[Combination, ...]:
    """The combinations of some of `STUDY_FEATURES`.

    Raises:
        UsageError: none is named, or one twice, or one that there is not.
    """
    if features is None:
        return COMBINATIONS
    for name in features:
        if name not in STUDY_FEATURES:
            raise UsageError(
                f"There are no features {name} in a study: choose of {', '.join(STUDY_FEATURES)}."
            )
    if not features or len(set(features)) < len(features):
        raise UsageError("Name features once, and at least some, as --features direct,pixels.")
    return tuple(one for one in (*COMBINATIONS, *FURTHER) if one.features in features)


def _space(model: str) -> Space:
    info = detector_info(model)
    return space_of(info.space, f"The default space of {model}", info)
