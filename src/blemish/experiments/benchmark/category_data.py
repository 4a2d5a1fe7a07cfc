"""One category as a comparison uses it: its digest, what is learnt from, what is tested, and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import CatalogError, ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.pictures import fitted
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog, open_catalogs
from blemish.data.digest import catalog_digest
from blemish.data.entries import TEST, TRAIN
from blemish.detectors.base import Detector
from blemish.making.reading import learning_catalog

GALLERY_IMAGES, GALLERY_SIDE = 10, 256


@dataclass(frozen=True)
class CategoryData:
    """A category of a comparison.

    Attributes:
        catalog: all its photographs.
        digest: SHA-256 over names, labels and contents of all photographs and masks.
        bit_depth: bits that 16-bit photographs really use.
    """

    catalog: Catalog
    digest: str
    bit_depth: int

    @property
    def name(self) -> str:
        """The category."""
        return self.catalog.category

    @cached_property
    def shown(self) -> list[Path]:
        """Test photographs of the galleries, the same for every detector.

        The first of each defect type and of the good ones, then the second of each, evenly spread over each type;
        so fewer of them are still of all types.
        """
        table = self.catalog.test()
        spread = []
        for kind, paths in table.groupby("defect_type")["path"]:
            n = min(len(paths), GALLERY_IMAGES)
            chosen = [paths.iloc[place] for place in np.linspace(0, len(paths) - 1, n).round().astype(int)]
            middle = len(chosen) // 2
            ordered = chosen[middle:] + chosen[:middle]
            spread += [(rank, kind == "good", kind, Path(path)) for rank, path in enumerate(ordered)]
        return [path for *_, path in sorted(spread)][:GALLERY_IMAGES]

    @cached_property
    def shown_photographs(self) -> dict[Path, ByteArray]:
        """The photographs of the galleries, small, decoded once for all detectors; unreadable ones are left out."""
        photographs = {}
        for path in self.shown:
            try:
                photographs[path] = fitted(read_image(path, bit_depth=self.bit_depth), GALLERY_SIDE)
            except ImageError:
                continue
        return photographs


def open_categories(roots: Sequence[Path], bit_depth: int = 16) -> list[CategoryData]:
    """Open every category in `roots`, in order; every file is read once for its digest, none is decoded.

    Raises:
        CatalogError: a root cannot be used, or a category has no test photographs.
        UsageError: two categories have one name.
    """
    catalogs = [catalog for root in roots for catalog in open_catalogs(root)]
    by_name: dict[str, Catalog] = {}
    for catalog in catalogs:
        other = by_name.setdefault(catalog.category, catalog)
        if other is not catalog:
            raise UsageError(
                f"{other.root} and {catalog.root} are both the category {catalog.category}: rename one folder."
            )
        if catalog.test().empty:
            raise CatalogError(
                f"{catalog.root} has no test photographs to compare detectors on: add a test folder with good "
                "and defective parts."
            )
    return [CategoryData(catalog, catalog_digest(catalog), bit_depth) for catalog in catalogs]


def learning_and_test(catalog: Catalog, detector: Detector) -> tuple[Catalog, Catalog]:
    """The catalog whose training split a detector learns from, and the one whose test split it is judged by.

    They are one: where a detector learns from labelled test photographs, these have moved to the training split.

    Raises:
        CatalogError: it needs defects to learn from, and there are none.
    """
    learning = learning_catalog(catalog, detector)
    return learning, learning


def counts(catalog: Catalog) -> dict[str, Any]:
    """How many photographs there are: to learn from, and to test on by defect type."""
    of = catalog.counts()
    return {"train": sum(of[TRAIN].values()), "test": of[TEST]}
