"""What a study measures: combinations of features and split, models, categories; a cell is one of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog, open_catalogs
from blemish.data.digest import catalog_digest
from blemish.detectors import classical
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector, detector_info
from blemish.experiments.search.space import Setting, grid, space_of, to_json
from blemish.experiments.search.spaces import DEFAULT_SPACES

FORMAT = 1
MODELS = tuple(info.name for info in classical.DETECTORS)


@dataclass(frozen=True)
class Combination:
    """Features and the split that settings are chosen with.

    Attributes:
        features: "direct", "deep-last" or "deep-mid", as of `blemish.detectors.classical.tabular.TabularDetector`.
        split: "test" or "train", as of `blemish.experiments.search.parts.searched_catalog`.
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
class Category:
    """One category of a study: its catalog as opened, and the digest of its files."""

    catalog: Catalog
    digest: str

    @property
    def name(self) -> str:
        """The category."""
        return self.catalog.category


@dataclass(frozen=True)
class Plan:
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

    def cells(self, category: Category, combination: Combination) -> list[Cell]:
        """The cells of a combination, one for each model."""
        return [Cell(self, category, combination, model) for model in self.models]

    def all_cells(self) -> list[Cell]:
        """By category, then combination, then model."""
        return [
            cell
            for category in self.categories
            for combination in COMBINATIONS
            for cell in self.cells(category, combination)
        ]

    @property
    def bit_depth(self) -> int:
        """Bits that 16-bit photographs really use."""
        return int(self.fixed.get("bit_depth", 16))


@dataclass(frozen=True)
class Cell:
    """One model with one combination on one category."""

    plan: Plan
    category: Category
    combination: Combination
    model: str

    def detector(self, setting: Setting | None = None) -> TabularDetector:
        """The unfitted detector of a setting; with none, the defaults."""
        given = {**self.plan.fixed, **(setting or {})}
        detector = create_detector(
            self.model, features=self.combination.features, seed=self.plan.seed, **given
        )
        assert isinstance(detector, TabularDetector)
        return detector

    def settings(self) -> list[Setting]:
        """The grid that is searched."""
        return grid(space_of(self._space(), f"The default space of {self.model}", detector_info(self.model)))

    @cached_property
    def key(self) -> str:
        """SHA-256 over everything that the result depends on."""
        parameters = self.detector().parameters()
        weights = parameters.get("weights")
        space = space_of(self._space(), self.model, detector_info(self.model))
        depends_on = {
            "format": FORMAT,
            "blemish": __version__,
            "model": self.model,
            "parameters": parameters,
            "weights": file_digest(Path(weights)) if weights and Path(weights).is_file() else "",
            "space": to_json(space),
            "split": self.combination.split,
            "category": self.category.name,
            "data": self.category.digest,
        }
        text = json.dumps(depends_on, default=str, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def title(self) -> str:
        """As messages call it."""
        return f"{self.model} on {self.category.name}, {self.combination.name}"

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        parts = (self.category.name, self.combination.features, self.combination.split, self.model)
        return self.plan.out / "cells" / f"{file_name(*parts)}-{self.key[:12]}"

    def _space(self) -> dict[str, list[Any]]:
        return DEFAULT_SPACES[self.model]


def file_name(*parts: str) -> str:
    """A name that every file system takes; names that differ may come to the same."""
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part)[:40] for part in parts)


def open_study(
    roots: Sequence[Path], out: Path, models: Sequence[str], seed: int, fixed: dict[str, Any]
) -> Plan:
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
    for name in ("features", "seed"):
        if name in fixed:
            raise UsageError(f"--set {name} is not possible in a study, which sets it itself.")
    catalogs = [catalog for root in roots for catalog in open_catalogs(root)]
    by_name: dict[str, Catalog] = {}
    for catalog in catalogs:
        other = by_name.setdefault(catalog.category, catalog)
        if other is not catalog:
            raise UsageError(
                f"{other.root} and {catalog.root} are both called {catalog.category}: rename one folder."
            )
    shared = [name for name in fixed if any(name in DEFAULT_SPACES[model] for model in models)]
    if shared:
        raise UsageError(f"--set {shared[0]} is not possible in a study, which searches for its value.")
    plan = Plan(tuple(Category(one, "") for one in catalogs), out, tuple(models), seed, dict(fixed))
    for cell in plan.all_cells():
        cell.detector()
    return Plan(
        tuple(Category(one, catalog_digest(one)) for one in catalogs), out, plan.models, seed, plan.fixed
    )
