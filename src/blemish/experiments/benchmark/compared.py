"""One category as a comparison uses it: what is learnt from, and the test photographs that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import read_image
from blemish.core.pictures import fitted
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST, TRAIN
from blemish.data.told import NOTHING_TOLD, Told
from blemish.experiments.categories import Category, open_categories

EXHIBITS, EXHIBIT_SIDE = 10, 256


@dataclass(frozen=True)
class ComparedCategory(Category):
    """A category of a comparison.

    Attributes:
        bit_depth: bits that 16-bit photographs really use.
    """

    bit_depth: int = 16

    @cached_property
    def shown(self) -> list[Path]:
        """Test photographs that the report shows, the same for every detector.

        The first of each defect type and of the good ones, then the second of each, evenly spread over each type;
        so fewer of them are still of all types.
        """
        table = self.catalog.test()
        spread = []
        for kind, paths in table.groupby("defect_type")["path"]:
            n = min(len(paths), EXHIBITS)
            chosen = [paths.iloc[place] for place in np.linspace(0, len(paths) - 1, n).round().astype(int)]
            middle = len(chosen) // 2
            ordered = chosen[middle:] + chosen[:middle]
            spread += [(rank, kind == "good", kind, Path(path)) for rank, path in enumerate(ordered)]
        return [path for *_, path in sorted(spread)][:EXHIBITS]

    @cached_property
    def shown_photographs(self) -> dict[Path, ByteArray]:
        """The photographs that are shown, small, decoded once for all detectors; unreadable ones are left out."""
        photographs = {}
        for path in self.shown:
            try:
                photographs[path] = fitted(read_image(path, bit_depth=self.bit_depth), EXHIBIT_SIDE)
            except ImageError:
                continue
        return photographs


def open_compared(
    roots: Sequence[Path], bit_depth: int = 16, told: Told = NOTHING_TOLD
) -> list[ComparedCategory]:
    """Open every category in `roots` for a comparison, see `blemish.experiments.categories.open_categories`.

    Raises:
        CatalogError: a root cannot be used, or a category has no test photographs.
        UsageError: two categories have one name.
    """
    categories = open_categories(roots, tested=True, told=told)
    return [ComparedCategory(one.catalog, one.digest, bit_depth) for one in categories]


def counts(catalog: Catalog) -> dict[str, Any]:
    """How many photographs there are: to learn from, and to test on by defect type."""
    of = catalog.counts()
    return {"train": sum(of[TRAIN].values()), "test": of[TEST]}
