"""What a study measures: combinations of features and split, models, categories; a cell is one of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.data.told import NOTHING_TOLD, Told
from blemish.detectors import classical
from blemish.detectors.augmentation import NONE
from blemish.detectors.chosen import ChosenDetector, choose_detectors
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import detector_info
from blemish.experiments.categories import Category, open_categories
from blemish.experiments.space import DEFAULT, Setting, Space, free_space, grid, open_space, to_json
from blemish.experiments.store import Cell, by_content, cell_folder, file_digests, key_of
from blemish.line.rows import DIRECT_PIXELS, PIXELS

FORMAT = 1
MODELS = tuple(info.name for info in classical.DETECTORS)
_ELSEWHERE = {
    "features": "a study compares features itself",
    "seed": "give it with --seed",
    "bit_depth": "give it with --bit-depth",
}


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
        chosen: some of `MODELS`, with what is set of them; the rest are defaults and what is searched.
        seed: of splits, painted defects and models.
        bit_depth: bits that 16-bit photographs really use.
        fixed: what is set, as the user wrote it, with the files of weights.
        combinations: of features and split.
    """

    categories: tuple[Category, ...]
    out: Path
    chosen: tuple[ChosenDetector, ...]
    seed: int = 0
    bit_depth: int = 16
    fixed: dict[str, Any] = field(default_factory=dict)
    combinations: tuple[Combination, ...] = COMBINATIONS

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(one.label for one in self.chosen)

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
        (chosen,) = (one for one in self.chosen if one.label == model)
        detector = chosen.make(features=features, seed=self.seed, **(setting or {}))
        assert isinstance(detector, TabularDetector)
        return detector

    def space(self, model: str) -> Space:
        """What is searched for a model: its default space, without what is set."""
        (chosen,) = (one for one in self.chosen if one.label == model)
        return free_space(open_space(DEFAULT, detector_info(model)), DEFAULT, chosen.parameters, {})

    def taken_out(self) -> dict[str, dict[str, Any]]:
        """By model, what is set although its default space has values for it; only models of which something is."""
        of = {
            one.label: {
                name: value for name, value in one.parameters.items() if name in detector_info(one.name).space
            }
            for one in self.chosen
        }
        return {model: values for model, values in of.items() if values}

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
                "parameters": by_content(parameters),
                "weights": file_digests(parameters).get("weights", ""),
                "space": to_json(self.space(model)),
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
        return grid(self.plan.space(self.model))

    @property
    def title(self) -> str:
        """As messages call it."""
        return f"{self.model} on {self.category.name}, {self.combination.name}"


def open_study(
    roots: Sequence[Path],
    out: Path,
    models: Sequence[str],
    seed: int = 0,
    bit_depth: int = 16,
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Path] | None = None,
    features: Sequence[str] | None = None,
    told: Told = NOTHING_TOLD,
) -> StudyPlan:
    """Open every category in `roots`; every file is read once for its digest, none is decoded.

    Args:
        roots, out, seed, bit_depth: see `StudyPlan`.
        models: some of `MODELS`.
        settings, weights: see `blemish.detectors.chosen.choose_detectors`.
        features: some of `STUDY_FEATURES`; those of `COMBINATIONS` where None.
        told: what the user says that each root is.

    Raises:
        CatalogError: a root cannot be used.
        UsageError: two categories have one name; a model or features are unknown or named twice; an option is not
            possible.
    """
    combinations = _combinations(features)
    for model in models:
        if model not in MODELS:
            raise UsageError(f"There is no model {model} in a study: choose of {', '.join(MODELS)}.")
    if not models or len(set(models)) < len(models):
        raise UsageError(
            "Name each model once, and at least one, as --models one-class-svm,isolation-forest."
        )
    given = dict(settings or {})
    chosen = choose_detectors(
        models,
        given,
        common={"bit_depth": bit_depth},
        preset=_FOUNDED,
        weights=weights,
        elsewhere=_ELSEWHERE,
    )
    if any(one.parameters.get("augment", NONE) != NONE for one in chosen):
        raise UsageError("--set augment is not possible in a study, which makes one row of each photograph.")
    plan = StudyPlan((), out, chosen, seed, bit_depth, given | _weights(weights or {}), combinations)
    _check_shared(plan)
    return replace(plan, categories=tuple(open_categories(roots, told=told)))


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


def _weights(files: Mapping[str, Path]) -> dict[str, Any]:
    """Files of weights as what is set shows them."""
    return (
        {"weights": [f"{name}={file}" if name else str(file) for name, file in files.items()]}
        if files
        else {}
    )


def _check_shared(plan: StudyPlan) -> None:
    """Refuse values that cannot be meant, and those that would give two models other rows of features.

    Raises:
        UsageError: there is such a value.
    """
    shared = [field.name for field in dataclasses.fields(TabularDetector) if field.init]
    for combination in plan.combinations:
        made = [plan.detector(model, combination.features).get_params() for model in plan.models]
        for name in shared:
            if any(one[name] != made[0][name] for one in made):
                raise UsageError(
                    f"--set {name} is not possible for one model of a study alone, as all read the same features: set "
                    "it for all."
                )
