"""What the cells of a study share: split catalogs, and rows of features, each made once when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blemish.core.progress import track
from blemish.core.types import FloatArray
from blemish.detectors.classical.tabular import STREAMED, FeatureRows, TabularDetector
from blemish.experiments.categories import Category
from blemish.experiments.split_catalog import SplitCatalog, split_catalog
from blemish.experiments.store import file_name
from blemish.experiments.study.choice import ChoosingRows, choosing_rows
from blemish.experiments.study.plan import Combination, StudyPlan
from blemish.features.rows import StreamedRows


class KnownRows:
    """Rows of features of photographs; each photograph is read once, but for raw pixels, which are streamed.

    Args:
        detector: whose features are meant.
        category: as progress calls it.
    """

    def __init__(self, detector: TabularDetector, category: str) -> None:
        self._detector, self._category = detector, category
        self._known: dict[Path, FloatArray] = {}

    def of(self, paths: Sequence[Path]) -> FeatureRows:
        """Rows (N x D, float32), in order.

        Raises:
            ImageError: a file cannot be read.
        """
        if self._detector.features in STREAMED:
            return StreamedRows(self._detector.vectors(), paths)
        new = list(dict.fromkeys(path for path in paths if path not in self._known))
        if new:
            rows = self._detector.vectors().stream(new)
            said = f"Reading {self._category} for {self._detector.features}"
            for path, row in zip(new, track(rows, said, len(new)), strict=True):
                self._known[path] = row
        return np.stack([self._known[path] for path in paths])


class StudyInputs:
    """Split catalogs and features of a study; what has failed fails again with the same sentence."""

    def __init__(self, plan: StudyPlan) -> None:
        self._plan = plan
        self._splits: dict[tuple[str, str], SplitCatalog | Exception] = {}
        self._rows: dict[tuple[str, str], KnownRows] = {}
        self._choosing: dict[tuple[str, Combination], ChoosingRows] = {}

    def folder(self, category: Category) -> Path:
        """Where the painted images of a category lie."""
        return self._plan.out / "splits" / f"{file_name(category.name)}-{category.digest[:12]}"

    def split(self, category: Category, split: str) -> SplitCatalog:
        """A category after a split.

        Raises:
            CatalogError: there are too few images for it.
        """
        key = category.name, split
        if key not in self._splits:
            try:
                folder, plan = self.folder(category), self._plan
                self._splits[key] = split_catalog(category.catalog, split, folder, plan.seed, plan.bit_depth)
            except Exception as failure:
                self._splits[key] = failure
        found = self._splits[key]
        if isinstance(found, Exception):
            raise found
        return found

    def rows(self, category: Category, combination: Combination) -> KnownRows:
        """Features of a category's photographs, the same for both splits."""
        key = category.name, combination.features
        if key not in self._rows:
            detector = self._plan.detector(self._plan.models[0], combination.features)
            self._rows[key] = KnownRows(detector, category.name)
        return self._rows[key]

    def choosing(self, category: Category, combination: Combination) -> ChoosingRows:
        """What a combination chooses on: no test image is read.

        Raises:
            BlemishError: the split is not possible, or an image cannot be read.
        """
        key = category.name, combination
        if key not in self._choosing:
            catalog = self.split(category, combination.split).choosing
            self._choosing[key] = choosing_rows(catalog, self.rows(category, combination).of)
        return self._choosing[key]
