"""Pictures of an inspection for the laboratory: original, overlay, map, segmentation, regions; as HTML."""

from __future__ import annotations

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.overlay import contour_overlay, hatched, heatmap_layer, heatmap_overlay
from blemish.core.pictures import data_uri, fitted, uri_of
from blemish.core.types import BoolArray, ByteArray, Region
from blemish.line.explanation_picture import made_of_it
from blemish.line.inspection import Inspection
from blemish.server.laboratory.fragments import escaped, note, table, type_bars
from blemish.server.wording import number, place
from blemish.station.judgement import Judgement

SIDE, COMPARED, THUMBNAIL = 960, 480, 96
"""Longer sides in pixels: of one photograph's pictures, of those side by side, of small ones."""

_TRUTH = (255, 255, 255)
_OUTLINE = (255, 176, 0)
_DIMMED = 0.35


def pictures(judgement: Judgement, truth: BoolArray | None = None) -> str:
    """Defect types, overlay with a slider, original, map with its scale, segmentation, regions, reconstruction.

    Args:
        judgement: the photograph as an inspector sees it.
        truth: where the defect really is, bool array of the photograph's shape; None where nobody says.
    """
    image, inspection, inspector = judgement.image, judgement.inspection, judgement.inspector
    small = fitted(image, SIDE)
    original = data_uri(small, ".jpg")
    height, width = image.shape[:2]
    types = type_bars(inspection)
    side = [_figure(_image(original, "Photograph of the part"), "Original")]
    if truth is not None:
        marked = data_uri(contour_overlay(small, truth, _TRUTH), ".jpg")
        side.append(_figure(_image(marked, "Where the defect really is, outlined"), "Ground truth"))
    if not inspection.gives_map:
        return (
            f'{types}<div class="bl-row">{"".join(side)}</div>'
            f"{note('This detector says whether, and does not show where.')}{made_of_photograph(judgement)}"
        )
    low, high = inspector.map_scale
    heat = uri_of(heatmap_layer(small.shape[1], small.shape[0], inspection.anomaly_map, low, high), ".png")
    stack = (
        f'<div class="bl-stack">{_image(original, "Photograph of the part")}'
        f'<img class="bl-heat" src="{heat}" alt="Heatmap over the photograph: warm where it is unusual">'
        f"{_boxes(inspection, width, height)}</div>"
    )
    slider = (
        '<label class="bl-slider">Heatmap opacity'
        '<input type="range" min="0" max="100" value="70" '
        "oninput=\"this.closest('.bl-main').style.setProperty('--bl-opacity', this.value / 100)\"></label>"
    )
    segmented = data_uri(_segmented(small, inspection), ".jpg")
    side += [
        map_figure(judgement),
        _figure(_image(segmented, "What lies above the pixel threshold"), "Segmentation"),
    ]
    return (
        f'{types}<div class="bl-views"><figure class="bl-main">{stack}<figcaption>Overlay: warm is unusual, numbers '
        f'are the regions below</figcaption>{slider}</figure><div class="bl-side">{"".join(side)}</div></div>'
        f"{made_of_photograph(judgement)}{_region_table(inspection, width, height)}"
    )


def overlay_figure(judgement: Judgement, side: int = COMPARED) -> str:
    """The map over the photograph, outlined where a region is; the photograph alone where no place is shown."""
    small, inspection = fitted(judgement.image, side), judgement.inspection
    if not inspection.gives_map:
        return _figure(_image(data_uri(small, ".jpg"), "Photograph of the part"), "Shows no place")
    over, found = inspection.heatmap(small), inspection.anomalous_pixels()
    outlined = contour_overlay(over, found, _OUTLINE) if found.any() else over
    return _figure(_image(data_uri(outlined, ".jpg"), "Overlay: warm where it is unusual"), "Overlay")


def map_figure(judgement: Judgement, side: int = SIDE) -> str:
    """The map alone, and under it the scale of its colours with the pixel threshold; nothing where there is none."""
    inspection = judgement.inspection
    if not inspection.gives_map:
        return ""
    low, high = judgement.inspector.map_scale
    black = np.zeros_like(fitted(judgement.image, side))
    drawn = data_uri(heatmap_overlay(black, inspection.anomaly_map, low, high, opacity=1), ".jpg")
    steps = np.linspace(low, high, 128, dtype=np.float32)[None]
    strip = data_uri(heatmap_overlay(np.zeros((1, 128, 3), np.uint8), steps, low, high, opacity=1), ".png")
    threshold = min(max((inspection.pixel_threshold - low) / (high - low), 0.0), 1.0)
    scale = (
        f'<span class="bl-scale"><img src="{strip}" alt="Scale of the colours"><i style="left:{threshold:.1%}"></i>'
        f"<span>{number(low)}</span><span>threshold {number(inspection.pixel_threshold)}</span>"
        f"<span>{number(high)}</span></span>"
    )
    return f"<figure>{_image(drawn, 'Map: warm where it is unusual')}{scale}<figcaption>Map</figcaption></figure>"


def thumbnail(image: ByteArray, of: str, side: int = THUMBNAIL) -> str:
    """A small picture as HTML, at most `side` pixels wide and high."""
    return f'<img class="bl-thumb" src="{data_uri(fitted(image, side), ".jpg")}" alt="{escaped(of)}">'


def _segmented(image: ByteArray, inspection: Inspection) -> ByteArray:
    """The photograph, dimmed where it is usual, outlined where it is not, hatched where nobody looks."""
    import cv2

    found = inspection.anomalous_pixels()
    height, width = image.shape[:2]
    mask = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    dimmed = np.where(mask[..., None] > 0, image, (image * _DIMMED).astype(np.uint8))
    if inspection.counted is not None:
        dimmed = hatched(dimmed, ~inspection.counted)
    return contour_overlay(np.ascontiguousarray(dimmed), found, _OUTLINE) if found.any() else dimmed


def _boxes(inspection: Inspection, width: int, height: int) -> str:
    """Boxes of the regions with their numbers, in pixels of the photograph."""
    size = max(width, height) / 32
    boxes = []
    for rank, region in enumerate(inspection.regions, 1):
        x, y = region.x, max(region.y - size * 0.25, size)
        boxes.append(
            f'<rect x="{region.x}" y="{region.y}" width="{region.width}" height="{region.height}"/>'
            f'<text x="{x}" y="{y}" font-size="{size:.0f}">{rank}</text>'
        )
    return (
        f'<svg class="bl-boxes" viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(boxes)}</svg>'
    )


def _region_table(inspection: Inspection, width: int, height: int) -> str:
    if not inspection.regions:
        return ""
    rows = [
        [
            str(rank),
            escaped(place(region, width, height)),
            f"{region.x}, {region.y}",
            f"{region.width} x {region.height}",
            _area(region),
            number(region.score),
            "" if region.p_value is None else f"{region.p_value:.3f}",
            "" if region.verdict is None else escaped(region.verdict),
        ]
        for rank, region in enumerate(inspection.regions[:8], 1)
    ]
    head = [
        "Region",
        "Where",
        "Left, top (px)",
        "Size (px)",
        "Area",
        "Highest value",
        "p of its area",
        "Alone",
    ]
    return table(head, rows, "Regions")


def _area(region: Region) -> str:
    """A region's area in pixels, in square millimetres too where the scale is known."""
    if region.area is None:
        return ""
    pixels = f"{region.area:,.0f} px"
    return pixels if region.square_millimetres is None else f"{pixels}, {region.square_millimetres:.3g} mm²"


def made_of_photograph(judgement: Judgement) -> str:
    """Original, reconstruction and difference of an autoencoder, attention of a classifier; nothing of others."""
    inspector, inspection = judgement.inspector, judgement.inspection
    if not inspector.manifest.detector.explains:
        return ""
    try:
        explanation = inspector.explain(inspection)
    except BlemishError as error:
        return note(str(error))
    panels = made_of_it(explanation, fitted(judgement.image, SIDE))
    figures = "".join(
        _figure(_image(data_uri(one, ".jpg"), label.capitalize()), label.capitalize())
        for label, one in panels
    )
    return (
        f'<div class="bl-row bl-made" role="group" aria-label="What the network made of it">{figures}</div>'
        if figures
        else ""
    )


def _figure(inside: str, caption: str) -> str:
    return f"<figure>{inside}<figcaption>{escaped(caption)}</figcaption></figure>"


def _image(source: str, alt: str) -> str:
    return f'<img src="{source}" alt="{escaped(alt)}">'
