"""A category as settings are chosen on it: readable photographs, split as asked for, the test images held back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from blemish.data.catalog import Catalog
from blemish.data.copies import counted_once
from blemish.data.entries import TRAIN
from blemish.data.painted_images import Painting
from blemish.data.painted_splits import normal_split, train_split
from blemish.data.readable import readable_paths
from blemish.data.splits import test_split
from blemish.experiments.held_back import HeldBack, hold_back
from blemish.features.pixels import PixelCache, contents_of

SPLITS = ("test", "train", "normal")
PAINTED = "painted"


@dataclass(frozen=True)
class SplitCatalog:
    """A catalog after its split.

    Attributes:
        catalog: with folds, and with the test images.
        skipped: photographs that were left out, each with path and detail: those that cannot be read, and training
            photographs that are copies of test photographs or show the same pixels as another.
    """

    catalog: Catalog
    skipped: tuple[dict[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The split in words."""
        return self.catalog.split_name

    @property
    def choosing(self) -> Catalog:
        """What settings and thresholds are chosen on: everything but the test images."""
        return self._parted[0]

    @property
    def held_back(self) -> HeldBack:
        """The test images."""
        return self._parted[1]

    @cached_property
    def _parted(self) -> tuple[Catalog, HeldBack]:
        return hold_back(self.catalog)


def split_catalog(
    catalog: Catalog, split: str, out: Path, seed: int = 0, bit_depth: int = 16
) -> SplitCatalog:
    """Split a catalog so that settings can be chosen.

    Args:
        catalog: one category.
        split: one of `SPLITS`, see `blemish.data.splits` and `blemish.data.painted_splits`.
        out: folder of the experiment; painted images go to `painted` in it.
        seed: of the split.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        CatalogError: there are too few photographs for the split.
        UsageError: `out` holds a folder of that name with other files.
    """
    paths, skipped = readable_paths([Path(path) for path in catalog.table["path"]], bit_depth)
    readable = catalog.subset(catalog.table["path"].isin([str(path) for path in paths]))
    if split == "test":
        parted = test_split(readable, seed=seed)
    else:
        painting, folder = Painting(bit_depth=bit_depth), out / PAINTED
        if split == "train":
            parted = train_split(readable, folder, seed=seed, painting=painting)
        else:
            parted = normal_split(readable, seed=seed, folder=folder, painting=painting)
    training = [Path(path) for path in parted.table.loc[parted.table["split"] == TRAIN, "path"]]
    parted = counted_once(parted, contents_of(training, bit_depth, PixelCache()))
    known = len(catalog.problems)
    copies = [{"path": one.path, "detail": one.detail} for one in parted.problems[known:]]
    return SplitCatalog(parted, (*skipped, *copies))
