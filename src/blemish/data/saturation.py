"""How much of a defect has to be found, where a data set says it, as MVTec LOCO AD does in `defects_config.json`.

Of a missing part any pixel of the place where it should be is as right as another, so a few of them are enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import read_image
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS
from blemish.data.layouts.loco import LOCO, masks_by_photograph, saturation_file
from blemish.data.layouts.tree import FolderTree


@dataclass(frozen=True)
class Defect:
    """One defect of a photograph.

    Attributes:
        mask: where it is.
        threshold: pixels that have to be found, or where `relative`, the share of the defect, in (0, 1].
        relative: whether `threshold` is a share.
    """

    mask: Path
    threshold: float
    relative: bool

    def saturation(self, area: int) -> float:
        """Pixels that have to be found of a defect of `area` pixels: at least one, at most all."""
        wanted = int(self.threshold * area) if self.relative else min(self.threshold, area)
        return float(max(wanted, 1))


def saturated_defects(catalog: Catalog) -> dict[Path, list[Defect]] | None:
    """The defects of each defective photograph; None where the data set does not say how much has to be found.

    A mask of a value that the file does not name has to be found whole, as has one that cannot be read.

    Raises:
        CatalogError: the file that says it cannot be meant.
    """
    tree = FolderTree(catalog.root)
    table = saturation_file(tree) if catalog.layout == LOCO.name else None
    if table is None:
        return None
    known, masks = _by_pixel_value(table), masks_by_photograph(tree)
    rows = catalog.table[catalog.table["label"] == ANOMALOUS]
    return {Path(path): [_defect(mask, known) for mask in masks(Path(path))] for path in rows["path"]}


def _defect(mask: Path, known: Mapping[int, tuple[float, bool]]) -> Defect:
    try:
        value = int(read_image(mask).max())
    except ImageError:
        value = 0
    return Defect(mask, *known.get(value, (1.0, True)))


def _by_pixel_value(table: Path) -> dict[int, tuple[float, bool]]:
    """Threshold, and whether it is a share, by the value that the defect's masks have."""
    try:
        document = json.loads(table.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise CatalogError(f"{table} cannot be read as JSON ({error}): unpack it again.") from error
    if not isinstance(document, list):
        raise CatalogError(f"{table} holds no list of defects: unpack it again.")
    return dict(_entry(one, table) for one in document)


def _entry(one: Any, table: Path) -> tuple[int, tuple[float, bool]]:
    values = one if isinstance(one, dict) else {}
    value, threshold = values.get("pixel_value"), values.get("saturation_threshold")
    relative = values.get("relative_saturation") is True
    sound = isinstance(threshold, int | float) and 0 < threshold <= (1 if relative else 1 << 40)
    if not isinstance(value, int) or not isinstance(threshold, int | float) or not sound:
        raise CatalogError(
            f"{table}: {str(one)[:80]} is no defect; give pixel_value, relative_saturation and a saturation_threshold "
            "above 0, up to 1 where it is relative."
        )
    return value, (float(threshold), relative)
