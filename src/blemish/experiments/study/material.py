"""What the cells of a study share: split catalogs, and rows of features, each made once when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.progress import track
from blemish.core.types import FloatArray
from blemish.data.catalog import Catalog
from blemish.detectors.classical.tabular import TabularDetector
from blemish.experiments.search.parts import searched_catalog
from blemish.experiments.study.cell import Part, read_part
from blemish.experiments.study.plan import Category, Combination, Plan, file_name


@dataclass(frozen=True)
class SplitCatalog:
    """A catalog after its split, and the photographs that were left out, each with path and detail."""

    catalog: Catalog
    skipped: tuple[dict[str, str], ...]


class FeatureRows:
    """Rows of features of photographs; each photograph is read once.

    Args:
        detector: whose features are meant.
        category: as progress calls it.
    """

    def __init__(self, detector: TabularDetector, category: str) -> None:
        self._detector, self._category = detector, category
        self._known: dict[Path, FloatArray] = {}

    def of(self, paths: Sequence[Path]) -> FloatArray:
        """Rows (N x D, float32), in order.

        Raises:
            ImageError: a file cannot be read.
        """
        new = list(dict.fromkeys(path for path in paths if path not in self._known))
        if new:
            rows = self._detector.vectors().stream(new)
            said = f"Reading {self._category} for {self._detector.features}"
            for path, row in zip(new, track(rows, said, len(new)), strict=True):
                self._known[path] = row
        return np.stack([self._known[path] for path in paths])


class Material:
    """Split catalogs and features of a study; what has failed fails again with the same sentence."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._splits: dict[tuple[str, str], SplitCatalog | Exception] = {}
        self._rows: dict[tuple[str, str], FeatureRows] = {}
        self._parts: dict[tuple[str, Combination], Part] = {}

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
                parted, skipped = searched_catalog(
                    category.catalog, split, self.folder(category), self._plan.seed, self._plan.bit_depth
                )
                self._splits[key] = SplitCatalog(parted, tuple(skipped))
            except Exception as failure:
                self._splits[key] = failure
        found = self._splits[key]
        if isinstance(found, Exception):
            raise found
        return found

    def rows(self, category: Category, combination: Combination) -> FeatureRows:
        """Features of a category's photographs, the same for both splits."""
        key = category.name, combination.features
        if key not in self._rows:
            detector = self._plan.cells(category, combination)[0].detector()
            self._rows[key] = FeatureRows(detector, category.name)
        return self._rows[key]

    def part(self, category: Category, combination: Combination) -> Part:
        """What a combination may choose on: no test image is read.

        Raises:
            BlemishError: the split is not possible, or an image cannot be read.
        """
        key = category.name, combination
        if key not in self._parts:
            parted = self.split(category, combination.split)
            self._parts[key] = read_part(parted.catalog, self.rows(category, combination).of)
        return self._parts[key]
