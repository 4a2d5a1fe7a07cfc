"""An inspection: what an inspector says of one photograph, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import cv2
import numpy as np
from PIL import Image

from blemish.core.errors import UsageError
from blemish.core.overlay import captioned, contour_overlay, hatched, heatmap_overlay
from blemish.core.pictures import data_uri, encoded, fitted
from blemish.core.types import BoolArray, ByteArray, FloatArray, Region, Verdict
from blemish.line.pixel_decision import PixelDecision
from blemish.line.regions import anomalous_pixels

LONGEST_SIDE = 1600
"""Larger photographs are scaled down, so that a shift's overlays fit on a disk."""

_GAP = 8
_COLOURS = {
    Verdict.PASS: (46, 160, 67),
    Verdict.REVIEW: (219, 154, 4),
    Verdict.REJECT: (218, 30, 40),
    Verdict.NOT_JUDGED: (110, 118, 129),
}
_OUTLINE = (255, 255, 255)
_ABOVE_ZERO = PixelDecision(threshold=0.0)


@dataclass(frozen=True, repr=False)
class Inspection:
    """What an inspector says of one photograph; a notebook shows it as verdict and picture.

    Attributes:
        verdict: pass, review, reject, or not judged.
        score: anomaly score; the part is rejected above `threshold`.
        threshold: the inspector's decision threshold.
        review_threshold: above it and not above `threshold` a part is to be reviewed.
        p_value: share of unseen good parts expected to score at least as high, in (0, 1].
        anomaly_map: float32 array H x W at the detector's input size, coarser where that is read in tiles.
        regions: anomalous areas in pixels of the photograph, highest first; empty for a pass, and without a map.
        width, height: size of the photograph in pixels.
        parts: p-values by the detectors that an ensemble is made of, by name.
        types: probability of each defect type known, by name, if the part is defective; empty for a pass, and where the
            detector knows no types.
        type: the likeliest type of a part that does not pass, or "none of these" where it is like no labelled defect;
            None where `types` is empty.
        mask_probability: mean probability of a defect over the pixels, 0 to 1; None unless the detector finds a mask.
        gives_map: False if the detector shows no place: then the map is the score everywhere and means nothing.
        pixels: where on the map a region is.
        map_scale: map values of the heatmap's coldest and warmest colour.
        photograph: uint8 RGB H x W x 3, where it was kept: all of it, at the scale that it was decoded at.
        counted: where the photograph was looked at, bool array of any size that covers it; None for everywhere.
        part_count: like parts that were found and judged, the score being the worst one's; None where the photograph
            was judged as one.
        expected_parts: fewest, usual and most parts of the good photographs; None likewise.
        reason: why the photograph is unlike those learnt from, in one sentence with figures; None where it is like
            them. It is then not judged, unless its score is above the threshold: that stays a reject.
    """

    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    anomaly_map: FloatArray
    regions: tuple[Region, ...]
    width: int
    height: int
    parts: Mapping[str, float] = field(default_factory=dict)
    types: Mapping[str, float] = field(default_factory=dict)
    type: str | None = None
    mask_probability: float | None = None
    gives_map: bool = True
    pixels: PixelDecision = _ABOVE_ZERO
    map_scale: tuple[float, float] = (0.0, 1.0)
    photograph: ByteArray | None = None
    counted: BoolArray | None = None
    part_count: int | None = None
    expected_parts: tuple[int, int, int] | None = None
    review_threshold: float | None = None
    reason: str | None = None

    @property
    def unusual_count(self) -> bool:
        """Whether there are fewer or more parts than on any good photograph that was learnt from."""
        if self.part_count is None or self.expected_parts is None:
            return False
        return not self.expected_parts[0] <= self.part_count <= self.expected_parts[2]

    def __repr__(self) -> str:
        """Verdict and figures, as `Inspection(reject, score 3.1 / 2.4, p 0.003, 2 regions)`."""
        return f"Inspection({self.verdict}, {', '.join(self._figures())})"

    def overlay(self) -> Image.Image:
        """The photograph, and beside it the heatmap with the anomalous areas outlined, framed in the verdict's colour.

        Of a detector that shows no place it is the photograph alone; a defect type that was told stands above, and an
        unusual number of parts. Photographs are scaled down to 1600 pixels.

        Raises:
            UsageError: the photograph was not kept.
        """
        return Image.fromarray(self.overlay_pixels())

    def overlay_pixels(self) -> ByteArray:
        """As `overlay`, uint8 RGB H x W x 3."""
        if self.photograph is None:
            raise UsageError(
                "This inspection has no photograph to draw on: inspect it anew with Inspector.inspect."
            )
        image = fitted(self.photograph, LONGEST_SIDE)
        shown = [image]
        if self.gives_map:
            heat = self.heatmap(image)
            if self.regions:  # a part that passed shows no outline
                heat = contour_overlay(heat, self._outlined(), _OUTLINE)
            shown += [np.full((image.shape[0], _GAP, 3), 255, np.uint8), heat]
        frame, colour = (_GAP, _GAP, _GAP, _GAP), _COLOURS[self.verdict]
        framed = cv2.copyMakeBorder(np.concatenate(shown, axis=1), *frame, cv2.BORDER_CONSTANT, value=colour)
        picture = np.asarray(framed, dtype=np.uint8)
        counted = self.parts_in_words() if self.unusual_count else ""
        said = ", ".join(filter(None, (self.type_in_words(), counted)))
        return captioned(picture, f"{self.verdict.upper()}  {said}", colour) if said else picture

    def heatmap(self, photograph: ByteArray, opacity: float = 0.6) -> ByteArray:
        """The map over the photograph, uint8 RGB H x W x 3 of any size; hatched where nobody looks."""
        heat = heatmap_overlay(photograph, self.anomaly_map, *self.map_scale, opacity)
        return heat if self.counted is None else hatched(heat, ~self.counted)

    def anomalous_pixels(self) -> BoolArray:
        """Pixels of the map, bool H x W, that are looked at and belong to regions."""
        return anomalous_pixels(self.anomaly_map, self.pixels, self.counted)

    @property
    def pixel_threshold(self) -> float:
        """Regions have map values above it."""
        return self.pixels.threshold

    def type_in_words(self) -> str:
        """The defect type with its probability, as `scratch 87%`; empty where none is told."""
        return type_in_words(self.type, self.types)

    def to_json(self) -> dict[str, Any]:
        """Verdict, figures and regions as JSON-ready values; no picture."""
        document: dict[str, Any] = {
            "verdict": str(self.verdict),
            "score": self.score,
            "threshold": self.threshold,
            "review_threshold": self.threshold if self.review_threshold is None else self.review_threshold,
            "p_value": self.p_value,
            "width": self.width,
            "height": self.height,
            "regions": [region.to_json() for region in self.regions],
        }
        if self.reason is not None:
            document["reason"] = self.reason
        if self.parts:
            document["parts"] = dict(self.parts)
        if self.types:
            document |= {"type": self.type, "types": dict(self.types)}
        if self.mask_probability is not None:
            document["mask_probability"] = self.mask_probability
        if not self.gives_map:
            document["gives_map"] = False
        if self.part_count is not None and self.expected_parts is not None:
            fewest, usual, most = self.expected_parts
            document["part_count"] = self.part_count
            document["expected_parts"] = {"fewest": fewest, "usual": usual, "most": most}
        return document

    def parts_in_words(self) -> str:
        """How many parts were found, as `6 parts`, or `5 parts, 6 expected`; empty where it was judged as one."""
        if self.part_count is None or self.expected_parts is None:
            return ""
        found = f"{self.part_count} part{'s' if self.part_count != 1 else ''}"
        if not self.unusual_count:
            return found
        fewest, _, most = self.expected_parts
        return f"{found}, {fewest if fewest == most else f'{fewest} to {most}'} expected"

    def _repr_png_(self) -> bytes | None:
        return None if self.photograph is None else encoded(self.overlay_pixels(), ".png")

    def _repr_html_(self) -> str:
        colour = "rgb({}, {}, {})".format(*_COLOURS[self.verdict])
        word = f'<b style="color: {colour}">{self.verdict.upper()}</b>'
        picture = ""
        if self.photograph is not None:
            uri = data_uri(self.overlay_pixels(), ".jpg")
            picture = f'<br><img src="{uri}" alt="Photograph and heatmap" style="max-width: 100%">'
        return f"<div>{word} {escape(', '.join(self._figures()))}{picture}</div>"

    def _figures(self) -> list[str]:
        figures = [f"score {self.score:.4g} / {self.threshold:.4g}", f"p {self.p_value:.3f}"]
        if self.reason is not None:
            figures.append(self.reason)
        if said := self.type_in_words():
            figures.append(said)
        if self.mask_probability is not None:
            figures.append(f"mask probability {self.mask_probability:.3g}")
        if said := self.parts_in_words():
            figures.append(said)
        if count := len(self.regions):
            figures.append(f"{count} region{'s' if count != 1 else ''}")
        return figures

    def _outlined(self) -> BoolArray:
        """Map pixels to outline: those of the regions, or the regions' boxes where none is above the threshold."""
        anomalous = self.anomalous_pixels()
        if not anomalous.any():
            return self._boxes(self.height, self.width)
        return anomalous & self._boxes(*anomalous.shape) if self.pixels.smallest_side else anomalous

    def _boxes(self, rows: int, columns: int) -> BoolArray:
        """Where the regions' boxes are, bool on a grid that covers the photograph."""
        boxes = np.zeros((rows, columns), np.bool_)
        for region in self.regions:
            top, bottom = region.y * rows // self.height, -(-(region.y + region.height) * rows // self.height)
            left, right = (
                region.x * columns // self.width,
                -(-(region.x + region.width) * columns // self.width),
            )
            boxes[top:bottom, left:right] = True
        return boxes


def type_in_words(name: str | None, types: Mapping[str, float]) -> str:
    """A defect type with its probability among `types`, as `scratch 87%`; "none of these" alone, empty for None."""
    if name is None:
        return ""
    return f"{name} {types[name]:.0%}" if name in types else name
