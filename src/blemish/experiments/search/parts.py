"""The catalog that a search works on: readable photographs, split as asked for."""

from __future__ import annotations

from pathlib import Path

from blemish.data.catalog import Catalog
from blemish.data.painted_images import Painting
from blemish.data.painted_splits import normal_split, train_split
from blemish.data.readable import readable_paths
from blemish.data.splits import test_split

SPLITS = ("test", "train", "normal")
PAINTED = "painted"


def searched_catalog(
    catalog: Catalog, split: str, out: Path, seed: int = 0, bit_depth: int = 16
) -> tuple[Catalog, list[dict[str, str]]]:
    """Split a catalog for a search.

    Args:
        catalog: one category.
        split: "test", "train" or "normal", see `blemish.data.splits` and `blemish.data.painted_splits`.
        out: folder of the search; painted images go to `painted` in it.
        seed: of the split.
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        The catalog with folds, and the photographs that were left out, each with path and detail: those that cannot be
        read, and training photographs that are copies of test photographs.

    Raises:
        CatalogError: there are too few photographs for the split.
        UsageError: `out` holds a folder of that name with other files.
    """
    paths, skipped = readable_paths([Path(path) for path in catalog.table["path"]], bit_depth)
    kept = catalog.subset(catalog.table["path"].isin([str(path) for path in paths]))
    if split == "test":
        parted = test_split(kept, seed=seed)
    else:
        painting, folder = Painting(bit_depth=bit_depth), out / PAINTED
        if split == "train":
            parted = train_split(kept, folder, seed=seed, painting=painting)
        else:
            parted = normal_split(kept, seed=seed, folder=folder, painting=painting)
    known = len(catalog.problems)
    copies = [{"path": one.path, "detail": one.detail} for one in parted.problems[known:]]
    return parted, [*skipped, *copies]
