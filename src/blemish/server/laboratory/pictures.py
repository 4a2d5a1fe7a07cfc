"""Pictures of an inspection for the page: photograph, heatmap with a slider, segmentation, regions; as HTML."""

from __future__ import annotations

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.overlay import contour_overlay, hatched, heatmap_layer
from blemish.core.pictures import data_uri, fitted, uri_of
from blemish.core.types import ByteArray, Region, Verdict
from blemish.line.explanation_picture import made_of_it
from blemish.line.inspection import Inspection
from blemish.server.judgement import Judgement
from blemish.server.laboratory.fragments import escaped, note, table, type_bars
from blemish.server.wording import number, place

SIDE = 960
THUMBNAIL = 96
_OUTLINE = (255, 176, 0)
_DIMMED = 0.35


def pictures(judgement: Judgement) -> str:
    """Defect types, overlay with a slider for its opacity, original, segmentation and a table of the regions."""
    image, inspection, inspector = judgement.image, judgement.inspection, judgement.inspector
    small = fitted(image, SIDE)
    original = data_uri(small, ".jpg")
    height, width = image.shape[:2]
    types = type_bars(inspection)
    if not inspection.gives_map:
        return (
            f'{types}<div class="bl-views">{_figure(_image(original, "Photograph of the part"), "Original")}</div>'
            '<p class="bl-note">This detector says whether, and does not show where.</p>'
        )
    low, high = inspector.map_scale
    heat = uri_of(heatmap_layer(small.shape[1], small.shape[0], inspection.anomaly_map, low, high), ".png")
    segmented = data_uri(_segmented(small, inspection), ".jpg")
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
    return (
        f'{types}<div class="bl-views"><figure class="bl-main">{stack}<figcaption>Overlay: warm is unusual, numbers '
        f"are the regions below</figcaption>{slider}</figure>"
        f'<div class="bl-side">{_figure(_image(original, "Photograph of the part"), "Original")}'
        f"{_figure(_image(segmented, 'What lies above the pixel threshold'), 'Segmentation')}</div></div>"
        f"{_region_table(inspection, width, height)}{_made_of_it(judgement)}"
    )


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


def _made_of_it(judgement: Judgement) -> str:
    """What an autoencoder gave back, or what speaks for the defect to a classifier, where a part does not pass."""
    inspector, inspection = judgement.inspector, judgement.inspection
    if inspection.verdict is Verdict.PASS or not inspector.manifest.detector.explains:
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
        f'<div class="bl-made" role="group" aria-label="What the network made of it">{figures}</div>'
        if figures
        else ""
    )


def _figure(inside: str, caption: str) -> str:
    return f"<figure>{inside}<figcaption>{escaped(caption)}</figcaption></figure>"


def _image(source: str, alt: str) -> str:
    return f'<img src="{source}" alt="{escaped(alt)}">'
