"""A data set with painted defects from photographs of good parts, in the MVTec AD layout."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.errors import CatalogError
from blemish.core.images import read_image
from blemish.core.pictures import encoded
from blemish.core.storage import write_bytes
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog
from blemish.data.contact_sheet import contact_sheet
from blemish.data.copies import copy_groups
from blemish.data.entries import GOOD
from blemish.data.folders import made_folder, refuse_foreign_folder
from blemish.data.painted_images import USUAL_PAINTING, Painting, paint_into
from blemish.data.painted_splits import PAINTED_SHARE
from blemish.data.readable import readable_paths
from blemish.data.splits import TRAIN_SHARE, check_share, share_of_groups

_FEWEST = 4


@dataclass(frozen=True)
class SyntheticSet:
    """What was written.

    Attributes:
        folder: of the data set.
        sheet: the contact sheet, a JPEG beside it.
        n_train: good images to learn from.
        test: images to test with, by defect type; "good" are those without a defect.
        skipped: photographs that could not be read, each with path and detail.
    """

    folder: Path
    sheet: Path
    n_train: int
    test: dict[str, int]
    skipped: tuple[dict[str, str], ...]


def write_synthetic_set(
    catalog: Catalog,
    out: Path,
    share: float = PAINTED_SHARE,
    seed: int = 0,
    painting: Painting = USUAL_PAINTING,
) -> SyntheticSet:
    """Write a data set whose test images are good training images of `catalog`, a share of them with a painted defect.

    60 % of the good training images become `train/good`, as they are; of the others `share` get a defect, and the rest
    are `test/good`. Copies of one photograph stand on one side. Test images of the catalog are not used. A contact
    sheet beside the folder shows every type of defect in three strengths.

    Args:
        catalog: one category.
        out: folder to write, replaced as a whole if Blemish made it.
        share: of the test images that get a defect, in (0, 1).
        seed: of everything.
        painting: how.

    Raises:
        UsageError: `share` or a painter is not possible, or `out` holds other files.
        CatalogError: fewer than 4 good training images can be read, or all are copies of one.
    """
    check_share(share)
    names = painting.names()
    refuse_foreign_folder(out)
    paths, skipped = readable_paths(catalog.train_normal(), painting.bit_depth)
    learnt, tested = _parted(catalog, paths, seed)
    rng = np.random.default_rng((seed, 2))
    painted = share_of_groups(np.arange(len(tested), dtype=np.intp), share, rng)
    origin = {"made_by": "blemish synthesize", "category": catalog.category, "share": share, "seed": seed}
    with made_folder(out, {**origin, "defects": names}) as draft:
        damaged = np.flatnonzero(painted)
        rows = paint_into(draft, [tested[place] for place in damaged], seed, painting)
        seen = {int(damaged[row["number"]]) for row in rows}
        good = [path for place, path in enumerate(tested) if place not in seen]
        _copy(learnt, draft / "train" / GOOD)
        _copy(good, draft / "test" / GOOD)
    # Beside the data set: in it, it would be a photograph of no class.
    beside = out.with_name(f"{out.name}-contact-sheet.jpg")
    sheet = contact_sheet(_images(paths, len(names), painting.bit_depth), painting, seed)
    write_bytes(beside, encoded(sheet, ".jpg", quality=90))
    kinds = Counter(row["defect_type"] for row in rows)
    counts = {GOOD: len(good), **{name: kinds[name] for name in names if kinds[name]}}
    return SyntheticSet(out, beside, len(learnt), counts, tuple(skipped))


def _parted(catalog: Catalog, paths: Sequence[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """Photographs to learn from, and those to test with; copies stay together."""
    groups = copy_groups(paths)
    chosen = (
        share_of_groups(groups, TRAIN_SHARE, np.random.default_rng(seed)) if len(paths) >= _FEWEST else groups
    )
    learnt = [path for path, one in zip(paths, chosen, strict=True) if one]
    tested = [path for path, one in zip(paths, chosen, strict=True) if not one]
    if len(paths) < _FEWEST or not learnt or len(tested) < 2:
        raise CatalogError(
            f"{catalog.root} has {len(np.unique(groups))} different good training images that can be read, and at "
            f"least {_FEWEST} are needed: photograph more good parts."
        )
    return learnt, tested


def _copy(paths: Sequence[Path], folder: Path) -> None:
    """Copy files; a number in front keeps apart those of one name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        shutil.copyfile(path, folder / f"{number:04d}-{path.name}")


def _images(paths: Sequence[Path], count: int, bit_depth: int) -> list[ByteArray]:
    """Up to `count` photographs, evenly spread."""
    places = np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int))
    return [read_image(paths[place], bit_depth=bit_depth) for place in places]
