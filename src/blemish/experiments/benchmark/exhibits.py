"""Exhibits: the same test photographs for every detector, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import read_mask
from blemish.core.overlay import Colour, contour_overlay
from blemish.core.pictures import Picture, picture, uri_of
from blemish.core.types import BoolArray, ByteArray
from blemish.evaluation.evaluate import mask_on_grid
from blemish.experiments.benchmark.cell import CellResult
from blemish.experiments.benchmark.compared import ComparedCategory

_GROUND_TRUTH: Colour = (40, 200, 120)


def exhibit_rows(
    data: ComparedCategory, results: Mapping[str, CellResult], most: int
) -> list[dict[str, Any]]:
    """At most `most` test photographs, each with what every detector shows of it.

    Returns:
        For each photograph its name, defect type, and columns of two pictures: the photograph and the ground truth
        (None where there is none), and every detector's heatmap and segmentation. A detector that was not tested on it
        has None in both.
    """
    table = data.catalog.test().set_index("path")
    rows = []
    for path, photograph in list(data.shown_photographs.items())[:most]:
        row = table.loc[str(path)]
        root = data.catalog.root
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        own = picture("Photograph", photograph, name), _truth(row["mask"], photograph, name)
        columns = [own, *(_pictures_of(label, of, name, photograph) for label, of in results.items())]
        rows.append({"name": name, "defect_type": row["defect_type"], "columns": columns})
    return rows


def _truth(mask: Any, photograph: ByteArray, name: str) -> Picture | None:
    if not isinstance(mask, str) or not mask:
        return None
    try:
        truth: BoolArray = mask_on_grid(read_mask(Path(mask)), *photograph.shape[:2])
    except ImageError:
        return None
    return picture("Ground truth", contour_overlay(photograph, truth, _GROUND_TRUTH), name)


def _pictures_of(
    label: str, result: CellResult, name: str, photograph: ByteArray
) -> tuple[Picture | None, Picture | None]:
    """Heatmap and segmentation of one photograph, as the cell has kept them; the photograph alone without a map."""
    number = next((n for n, one in enumerate(result.shown) if one["name"] == name), None)
    if number is None:
        return None, None
    one, threshold = result.shown[number], result.metrics["threshold"]
    decided = "reject" if one["rejected"] else "pass"
    sign = ">" if one["rejected"] else "≤"
    captions = (f"{label}: {decided}, {one['score']:.3g} {sign} {threshold:.3g}", f"{label}: segmentation")
    if f"heatmap_{number}" not in result.arrays:
        return picture(f"{captions[0]}; it shows no place", photograph, name), None
    height, width = photograph.shape[:2]
    heat, found = (
        Picture(
            caption,
            uri_of(np.asarray(result.arrays[f"{kind}_{number}"]).tobytes(), ".jpg"),
            width,
            height,
            f"{caption} of {name}",
        )
        for kind, caption in zip(("heatmap", "segmentation"), captions, strict=True)
    )
    return heat, found
