"""The picture that `blemish inspect` leaves for every photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from blemish.core.overlay import contour_overlay, heatmap_overlay, segmentation
from blemish.core.storage import write_bytes
from blemish.core.types import BoolArray, ByteArray, Inspection, Verdict

LONGEST_SIDE = 1600
"""Larger photographs are scaled down, so that a shift's overlays fit on a disk."""

_GAP = 8
_COLOURS = {Verdict.PASS: (46, 160, 67), Verdict.REVIEW: (219, 154, 4), Verdict.REJECT: (218, 30, 40)}
_OUTLINE = (255, 255, 255)


def write_overlay(
    path: Path,
    image: ByteArray,
    inspection: Inspection,
    map_scale: tuple[float, float],
    pixel_threshold: float,
) -> None:
    """Write the photograph, and beside it the heatmap with the anomalous areas outlined, as a JPEG.

    Of a detector that shows no place it is the photograph alone.

    Args:
        path: the file to write, atomically.
        image: the photograph, uint8 RGB H x W x 3.
        inspection: what the inspector said of it.
        map_scale: map values of the heatmap's coldest and warmest colour.
        pixel_threshold: areas of the map above it are outlined.
    """
    picture = overlay(image, inspection, map_scale, pixel_threshold)
    encoded = cv2.imencode(".jpg", picture[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, 90))[1]
    write_bytes(path, encoded.tobytes())


def overlay(
    image: ByteArray, inspection: Inspection, map_scale: tuple[float, float], pixel_threshold: float
) -> ByteArray:
    """The picture that `write_overlay` writes: uint8 RGB, framed in the verdict's colour."""
    shrink = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    if shrink < 1:
        size = (max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    shown = [image]
    if inspection.gives_map:
        heat = heatmap_overlay(image, inspection.anomaly_map, *map_scale)
        if inspection.regions:  # a part that passed shows no outline
            heat = contour_overlay(heat, _outlined(inspection, pixel_threshold), _OUTLINE)
        shown += [np.full((image.shape[0], _GAP, 3), 255, np.uint8), heat]
    return np.asarray(
        cv2.copyMakeBorder(
            np.concatenate(shown, axis=1),
            *(_GAP, _GAP, _GAP, _GAP),
            cv2.BORDER_CONSTANT,
            value=_COLOURS[inspection.verdict],
        ),
        dtype=np.uint8,
    )


def _outlined(inspection: Inspection, pixel_threshold: float) -> BoolArray:
    """Map pixels to outline: those above the threshold, or the regions' boxes where there are none."""
    anomalous = segmentation(inspection.anomaly_map, pixel_threshold)
    if anomalous.any():
        return anomalous
    boxes = np.zeros((inspection.height, inspection.width), np.bool_)
    for region in inspection.regions:
        boxes[region.y : region.y + region.height, region.x : region.x + region.width] = True
    return boxes
