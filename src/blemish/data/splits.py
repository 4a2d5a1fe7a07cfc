"""Splits: which photographs are learnt from and which are kept for testing, decided by a seed and stated."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.errors import BlemishError, CatalogError, UsageError
from blemish.core.images import pixel_digest, read_image
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TEST, TRAIN


def supervised_split(catalog: Catalog, share: float = 0.5, seed: int = 0) -> Catalog:
    """Move a seeded share of the labelled test photographs to training, stratified by defect type.

    Good photographs are a stratum of their own. Photographs of equal pixels stay together, whatever their files are
    called; those equal to a training photograph go to training. Of every type with two photographs or more at least
    one stays for testing.

    Args:
        catalog: one category, whose defective photographs stand among the test images.
        share: of each type's photographs that go to training, in (0, 1).
        seed: of the choice; a type's choice does not depend on the other types.

    Raises:
        UsageError: `share` is not in (0, 1).
        CatalogError: there are no defective test photographs.
    """
    if not 0 < share < 1:
        raise UsageError(f"A share of {share:g} is not possible: choose more than 0 and less than 1.")
    table = catalog.table
    testing = (table["split"] == TEST).to_numpy()
    if not (testing & (table["label"] != NORMAL).to_numpy()).any():
        raise CatalogError(
            f"{catalog.root} has no defective test photographs that could be learnt from: add labelled ones, or paint "
            "defects with --synthetic."
        )
    paths = [Path(path) for path in table["path"]]
    groups = group_numbers([_content(path) for path in track(paths, "Looking for identical photographs")])
    trained = set(groups[~testing].tolist())
    moved = testing & np.isin(groups, list(trained))
    free = testing & ~moved
    leaders = _first_of_group(groups, free)
    types = table["defect_type"].to_numpy(dtype=str)[leaders]
    for name in np.unique(types[free]):
        rows = np.flatnonzero(free & (types == name))
        rng = np.random.default_rng((seed, zlib.crc32(str(name).encode())))
        moved[rows[share_of_groups(groups[rows], share, rng)]] = True
    split = np.where(moved, TRAIN, table["split"].to_numpy(dtype=str))
    return replace(catalog, table=table.assign(split=split.astype(object)))


def share_of_groups(
    groups: npt.NDArray[np.intp], share: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Choose whole groups at random that together hold nearly, and never more than, `share` of the members.

    At least one member (where a group is as small as that) and never all are asked for; what is missing is less than
    the largest group. Returns a truth value for each member.
    """
    count = len(groups)
    wanted = min(max(round(share * count), 1), count - 1)
    names, sizes = np.unique(groups, return_counts=True)
    chosen: list[int] = []
    for place in rng.permutation(len(names)):
        if sizes[place] <= wanted:
            chosen.append(int(names[place]))
            wanted -= int(sizes[place])
    return np.isin(groups, chosen)


def group_numbers(keys: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """For each key the position of the first one equal to it."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, position) for position, key in enumerate(keys)], dtype=np.intp)


def _first_of_group(groups: npt.NDArray[np.intp], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """For each row the first row of its group that is in `among`; the row itself where there is none."""
    first: dict[int, int] = {}
    for row in np.flatnonzero(among):
        first.setdefault(int(groups[row]), int(row))
    return np.array([first.get(int(group), row) for row, group in enumerate(groups)], dtype=np.intp)


def _content(path: Path) -> str:
    """What tells a photograph from others: its pixels; of one that cannot be decoded its bytes, or else its name."""
    try:
        return pixel_digest(read_image(path))
    except BlemishError:
        pass
    try:
        return f"file {file_digest(path)}"
    except (BlemishError, OSError):
        return f"path {path}"
