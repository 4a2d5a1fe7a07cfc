"""The picture of an explanation: rows of labelled panels, from the photograph down to what the network made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.core.errors import UsageError
from blemish.core.overlay import captioned, contour_overlay, heatmap_overlay
from blemish.core.pictures import fitted
from blemish.core.types import BoolArray, ByteArray, FloatArray, Region
from blemish.line.nearest_good_picture import pair_picture

if TYPE_CHECKING:
    from blemish.line.explanation import Explanation
    from blemish.line.runtime import Inspector

PANEL = 420
"""Height of a panel without its label, in pixels."""

WIDEST = 2 * PANEL
"""Wider panels are lower instead."""

MOST_REGIONS = 6
"""Regions that are shown close up, the highest ones."""

FULL_DIFFERENCE = 0.5
"""Difference of pixels in [0, 1] that has the warmest colour: one scale for all parts, so that they can be compared."""

_GAP = 8
_LETTERS = 15
_LABEL = (52, 58, 64)
_OUTLINE = (255, 255, 255)
_WHITE = 255


def explanation_picture(explanation: Explanation) -> ByteArray:
    """Rows of panels, uint8 RGB H x W x 3: photograph and heatmap, what is shown besides, and each region close up.

    Raises:
        UsageError: the photograph was not kept.
    """
    inspection = explanation.inspection
    if inspection.photograph is None:
        raise UsageError(
            "This explanation has no photograph to draw on: make it anew with Inspector.explain."
        )
    rows = [_found(explanation, inspection.photograph), *reconstruction_row(explanation)]
    width = max(row.shape[1] for row in rows)
    rows += _close_up(explanation, inspection.photograph, width)
    width = max(row.shape[1] for row in rows)
    framed = _stacked([_padded(row, width) for row in rows])
    return _titled(framed, explanation.sentence)


def reconstruction_panels(explanation: Explanation) -> list[tuple[str, ByteArray]]:
    """Original, reconstruction and difference with their labels, uint8 RGB of one size; none where there are none."""
    looked, drawn = explanation.looked, explanation.reconstruction
    if looked is None or drawn is None or explanation.difference is None:
        return []
    return [
        ("original", looked),
        ("reconstruction", drawn),
        ("difference", difference_picture(explanation.difference)),
    ]


def made_of_it(explanation: Explanation, photograph: ByteArray) -> list[tuple[str, ByteArray]]:
    """What the network made of a photograph, as panels to stand beside it: original, reconstruction and difference of
    an autoencoder, attention of a classifier; none of others."""
    panels = reconstruction_panels(explanation)
    if explanation.attention is not None:
        panels.append((f"attention: {explanation.attention_of}", attention_picture(explanation, photograph)))
    return panels


def made_of(inspector: Inspector, path: Path) -> list[tuple[str, ByteArray]]:
    """What the network of an inspector makes of a photograph, as panels for a report: see `made_of_it`.

    Raises:
        ImageError: the file cannot be read.
        ArtifactError: the network cannot explain.
    """
    if not inspector.manifest.detector.explains:
        return []
    explanation = inspector.explain(path)
    photograph = explanation.inspection.photograph
    assert photograph is not None  # `explain` has kept it
    return made_of_it(explanation, fitted(photograph))


def difference_picture(difference: FloatArray) -> ByteArray:
    """A difference, float32 H x W, in the heatmap's colours on black, uint8 RGB: `FULL_DIFFERENCE` is the warmest."""
    black = np.zeros((*difference.shape, 3), np.uint8)
    return heatmap_overlay(black, difference, 0.0, FULL_DIFFERENCE, opacity=1)


def reconstruction_row(explanation: Explanation) -> list[ByteArray]:
    """The row of `reconstruction_panels`, uint8 RGB; none where there is nothing to show."""
    panels = reconstruction_panels(explanation)
    if panels and explanation.part is not None:
        label, looked = panels[0]
        panels[0] = (f"{label}, part {explanation.part}", looked)
    return [_row(panels)] if panels else []


def attention_picture(explanation: Explanation, photograph: ByteArray) -> ByteArray:
    """Attention over a photograph, uint8 RGB of its size: what speaks most for the defect is the warmest."""
    attention = explanation.attention
    highest = 0.0 if attention is None else float(attention.max())
    if attention is None or not highest > 0:
        return photograph
    return heatmap_overlay(photograph, attention, 0.0, highest)


def _found(explanation: Explanation, photograph: ByteArray) -> ByteArray:
    """The photograph with its regions numbered, the heatmap, and the attention."""
    inspection = explanation.inspection
    image = _scaled(photograph)
    boxes = [one.region for one in explanation.regions]
    panels = [("photograph", _numbered(image, boxes, inspection.width, inspection.height))]
    if inspection.gives_map:
        heat = inspection.heatmap(image)
        anomalous = inspection.anomalous_pixels()
        panels.append(("heatmap", contour_overlay(heat, anomalous, _OUTLINE) if boxes else heat))
    if explanation.attention is not None:
        panels.append((f"attention: {explanation.attention_of}", attention_picture(explanation, image)))
    return _row(panels)


def _close_up(explanation: Explanation, photograph: ByteArray, width: int) -> list[ByteArray]:
    """A row for each of the highest regions: the region, and beside it the most similar good patch where known."""
    rows = []
    inspection = explanation.inspection
    near = {one.region: one for one in explanation.nearest}
    for number, reason in enumerate(explanation.regions[:MOST_REGIONS], 1):
        words = f"region {number}: {explanation.region_in_words(number)}"
        if (nearest := near.get(number - 1)) is not None:
            pair = pair_picture(photograph, reason.region, nearest)
            rows.append(_titled(_padded(pair, max(width, pair.shape[1])), words))
            continue
        crop = _around(photograph, reason.region, inspection.width, inspection.height)
        row = _row([(f"region {number}", crop)])
        rows.append(_titled(_padded(row, max(width, row.shape[1])), words))
    return rows


def _around(photograph: ByteArray, region: Region, width: int, height: int) -> ByteArray:
    """The region and as much again around it, outlined, of a photograph of `width` x `height` at any scale."""
    across, down = photograph.shape[1] / width, photograph.shape[0] / height
    side = max(region.width * across, region.height * down, 24.0)
    x, y = (region.x + region.width / 2) * across, (region.y + region.height / 2) * down
    left, top = max(0, round(x - side)), max(0, round(y - side))
    right = min(photograph.shape[1], max(left + 1, round(x + side)))
    bottom = min(photograph.shape[0], max(top + 1, round(y + side)))
    inside: BoolArray = np.zeros((bottom - top, right - left), np.bool_)
    begin_y, begin_x = round(region.y * down) - top, round(region.x * across) - left
    end_y = begin_y + max(1, round(region.height * down))
    end_x = begin_x + max(1, round(region.width * across))
    inside[max(0, begin_y) : end_y, max(0, begin_x) : end_x] = True
    # Enlarged first, so that the outline stays thin.
    return contour_overlay(_scaled(photograph[top:bottom, left:right]), inside, _OUTLINE)


def _numbered(image: ByteArray, regions: Sequence[Region], width: int, height: int) -> ByteArray:
    """A photograph of `width` x `height`, at any scale, with a box and a number for each region."""
    across, down = image.shape[1] / width, image.shape[0] / height
    drawn = image.copy()
    for number, one in enumerate(regions, 1):
        begin = (round(one.x * across), round(one.y * down))
        end = (round((one.x + one.width) * across), round((one.y + one.height) * down))
        at = (min(begin[0] + 3, drawn.shape[1] - 14), max(12, begin[1] - 4))
        for colour, thickness in (((0, 0, 0), 3), (_OUTLINE, 1)):
            cv2.rectangle(drawn, begin, end, colour, thickness, cv2.LINE_AA)
            cv2.putText(drawn, str(number), at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)
    return drawn


def _row(panels: Sequence[tuple[str, ByteArray]]) -> ByteArray:
    """Pictures side by side, each at the panels' height with its label above."""
    drawn = [captioned(_scaled(picture), label, _LABEL) for label, picture in panels]
    height = max(one.shape[0] for one in drawn)
    space = np.full((height, _GAP, 3), _WHITE, np.uint8)
    pieces = [piece for one in drawn for piece in (_raised(one, height), space)][:-1]
    return np.concatenate(pieces, axis=1)


def _scaled(picture: ByteArray) -> ByteArray:
    """A picture at the panels' height, or lower where it would be too wide."""
    height, width = picture.shape[:2]
    scale = min(PANEL / height, WIDEST / width)
    size = (max(24, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return picture
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _titled(picture: ByteArray, text: str) -> ByteArray:
    """A picture with text on a bar above it, on as many lines as it takes."""
    font = ImageFont.load_default(_LETTERS)
    room = picture.shape[1] - _LETTERS
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    bar = Image.new("RGB", (picture.shape[1], round((len(lines) * 1.35 + 0.5) * _LETTERS)), _LABEL)
    for number, line in enumerate(lines):
        at = (_LETTERS // 2, round((number * 1.35 + 0.95) * _LETTERS))
        ImageDraw.Draw(bar).text(at, line, (255, 255, 255), font, anchor="lm")
    return np.concatenate([np.asarray(bar, np.uint8), picture])


def _raised(picture: ByteArray, height: int) -> ByteArray:
    below = ((0, height - picture.shape[0]), (0, 0), (0, 0))
    return np.pad(picture, below, constant_values=_WHITE)


def _padded(picture: ByteArray, width: int) -> ByteArray:
    beside = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, beside, constant_values=_WHITE)


def _stacked(rows: Sequence[ByteArray]) -> ByteArray:
    space = np.full((_GAP, rows[0].shape[1], 3), _WHITE, np.uint8)
    return np.concatenate([piece for row in rows for piece in (row, space)][:-1])
