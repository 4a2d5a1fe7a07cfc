"""Pictures for the report: good beside defective, with masks as JET overlay and as contours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pandas as pd

from blemish.core.errors import ImageError
from blemish.core.images import read_image, read_mask
from blemish.core.overlay import Colour, contour_overlay
from blemish.core.pictures import Picture, fitted, picture
from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.data.entries import ANOMALOUS, NORMAL, TEST
from blemish.explore.measures import histograms

MASK_OPACITY = 0.3
_CONTOUR: Colour = (40, 220, 130)
_SIDE = 320

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sample:
    """One defective photograph beside a good one, with its mask where there is one."""

    name: str
    defect_type: str
    pictures: tuple[Picture, ...]


def mask_overlay(image: ByteArray, mask: BoolArray, opacity: float = MASK_OPACITY) -> ByteArray:
    """A mask over a photograph in the colours of JET: red what it marks, blue the rest.

    Args:
        image: uint8 RGB H x W x 3; not changed.
        mask: bool of any size, scaled to the photograph by nearest pixels.
        opacity: of the colours, 0 to 1.

    Returns:
        uint8 RGB H x W x 3.
    """
    height, width = image.shape[:2]
    scaled = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    colours = cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.addWeighted(image, 1 - opacity, colours, opacity, 0), dtype=np.uint8)


def defect_samples(table: pd.DataFrame, most: int) -> list[Sample]:
    """At most `most` defective photographs, of each type in turn, each beside a good one.

    Photographs that can no longer be read are left out. Without defective photographs, good ones are shown.
    """
    readable = table[table["width"].notna()]
    good = _spread(_good(readable), max(most, 1))
    if (readable["label"] == NORMAL).all():
        return [sample for path in good[: min(most, 6)] if (sample := _sample(path, None, "good", None))]
    chosen = _in_turn(readable[readable["label"] == ANOMALOUS], most)
    samples = []
    for number, (path, defect_type, mask) in enumerate(chosen):
        beside = good[number % len(good)] if good else None
        sample = _sample(path, mask, defect_type, beside)
        if sample is not None:
            samples.append(sample)
    return sorted(samples, key=lambda sample: sample.defect_type)


def sample_histograms(table: pd.DataFrame, most: int = 10) -> dict[str, FloatArray]:
    """Colour histograms of a few photographs by name: a typical good one, then one of each defect type."""
    readable = table[table["width"].notna()]
    good = readable[readable["label"] == NORMAL]
    paths: list[tuple[str, str]] = []
    if len(good):
        middle = (good["brightness"] - good["brightness"].median()).abs().to_numpy().argmin()
        paths.append(("good", str(good["path"].iloc[middle])))
    bad = readable[readable["label"] == ANOMALOUS].groupby("defect_type", sort=True)
    paths += [(str(kind), str(rows["path"].iloc[0])) for kind, rows in bad]
    found = {}
    for kind, path in paths[:most]:
        try:
            found[f"{kind}: {Path(path).name}"] = histograms(read_image(path))
        except ImageError:
            continue
    return found


def _good(table: pd.DataFrame) -> list[str]:
    """Good photographs, those of the test split if it has any: they were taken with the defective ones."""
    good = table[table["label"] == NORMAL]
    test = good[good["split"] == TEST]
    return [str(path) for path in (test if len(test) else good)["path"]]


def _in_turn(table: pd.DataFrame, most: int) -> list[tuple[str, str, str | None]]:
    """Rows of each defect type in turn, those with a mask first."""
    queues = []
    for kind, rows in table.groupby("defect_type", sort=True):
        masked = rows["mask"].notna()
        ordered = pd.concat([rows[masked], rows[~masked]])
        paths = [
            (str(path), str(kind), mask if isinstance(mask, str) else None)
            for path, mask in zip(ordered["path"], ordered["mask"], strict=True)
        ]
        queues.append(_spread(paths, most))
    chosen: list[tuple[str, str, str | None]] = []
    for turn in range(most):
        chosen += [queue[turn] for queue in queues if turn < len(queue)]
    return chosen[:most]


def _sample(path: str, mask_path: str | None, defect_type: str, beside: str | None) -> Sample | None:
    try:
        photograph = fitted(read_image(path), _SIDE)
        mask = read_mask(mask_path) if mask_path else None
        good = fitted(read_image(beside), _SIDE) if beside else None
    except ImageError:
        return None
    name = Path(path).name
    drawn = [] if good is None else [(f"Good: {Path(str(beside)).name}", good)]
    drawn.append((defect_type.replace("_", " ").capitalize(), photograph))
    if mask is not None:
        drawn.append(("Mask", mask_overlay(photograph, mask)))
        drawn.append(("Mask, contour", contour_overlay(photograph, mask, _CONTOUR)))
    return Sample(name, defect_type, tuple(picture(caption, pixels, name) for caption, pixels in drawn))


def _spread(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of the items, spread evenly."""
    if len(items) <= limit:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, limit).round().astype(int)]
