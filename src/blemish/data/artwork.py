"""Artwork of the drawn parts: what is printed on the label, and the layers of the circuit board."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.core.types import FloatArray

_ARTWORK_SEED = 20240229  # the artwork is one design: it never changes with the user's seed


@dataclass(frozen=True)
class Artwork:
    """Layers of a part, float32: colour H x W x 3 (0..255); coverage, height (pixels), metal (0..1) H x W."""

    colour: FloatArray
    coverage: FloatArray
    height: FloatArray
    metal: FloatArray


@lru_cache(maxsize=4)
def label_artwork(side: int) -> Artwork:
    """The printed label for a picture of `side` pixels: logo, title, text lines, ruled boxes, barcode."""
    width, height = round(side * 0.80), round(side * 0.62)
    u = width / 400  # one typographic unit
    page = Image.new("RGB", (width, height), (238, 237, 231))
    pen = ImageDraw.Draw(page)
    ink = (34, 33, 38)
    _draw_logo(pen, u)
    pen.text((92 * u, 14 * u), "NORDLICHT", font=_font(31 * u), fill=(24, 58, 116))
    pen.text((93 * u, 48 * u), "PRECISION FASTENERS", font=_font(14.5 * u), fill=ink)
    pen.line((12 * u, 78 * u, 388 * u, 78 * u), fill=ink, width=max(1, round(2 * u)))
    lines = ("Hex bolt  M8 x 40  A2-70", "DIN 933   Qty 100 pcs", "Lot 2417-0386", "Store dry. Keep sealed.")
    for row, line in enumerate(lines):
        pen.text((14 * u, (86 + 23 * row) * u), line, font=_font(18 * u), fill=ink)
    pen.rectangle((286 * u, 90 * u, 386 * u, 174 * u), outline=ink, width=max(1, round(2 * u)))
    pen.text((300 * u, 93 * u), "SIZE", font=_font(13 * u), fill=ink)
    pen.text((299 * u, 108 * u), "M8", font=_font(50 * u), fill=ink)
    _draw_barcode(pen, u, left=16, top=190, right=300, bottom=262)
    pen.text((62 * u, 265 * u), "4 0 1 2 7 0 0  8 8 4 0 3 3 1", font=_font(15 * u), fill=ink)
    _draw_recycling(pen, u)
    colour = np.asarray(cv2.GaussianBlur(np.asarray(page, dtype=np.float32), (0, 0), 0.7), dtype=np.float32)
    coverage = _rounded(height, width, round(9 * u))
    return Artwork(colour, coverage, coverage * 2, np.zeros_like(coverage))


@lru_cache(maxsize=4)
def board_artwork(side: int) -> Artwork:
    """The circuit board for a picture of `side` pixels, its layers stacked as a factory does."""
    n = round(side * 0.88)
    rng = np.random.default_rng(_ARTWORK_SEED)
    copper, pads, holes, silk = (Image.new("L", (n, n), 0) for _ in range(4))
    pens = [ImageDraw.Draw(layer) for layer in (copper, pads, holes, silk)]
    _draw_board_layers(pens[0], pens[1], pens[2], pens[3], n / 400, rng)
    trace, pad, hole, print_ = (
        cv2.GaussianBlur(np.asarray(layer, dtype=np.float32) / 255, (0, 0), 0.7)
        for layer in (copper, pads, holes, silk)
    )
    colour = np.empty((n, n, 3), dtype=np.float32)
    colour[:] = (20, 84, 52)
    weave = np.sin(np.arange(n) * 2 * np.pi / (n / 110)) * 1.2
    colour += (weave[:, None] + weave[None, :])[..., None]
    for coverage, paint in ((trace, (38, 122, 70)), (print_, (214, 217, 208)), (pad, (186, 180, 164))):
        colour += (np.array(paint, dtype=np.float32) - colour) * coverage[..., None]
    colour += (np.array((17, 16, 17), dtype=np.float32) - colour) * hole[..., None]
    raised = cv2.GaussianBlur(1.6 * trace + 3.4 * pad + 0.6 * print_ - 3.5 * hole, (0, 0), n / 420)
    outline = _rounded(n, n, round(0.03 * n))
    return Artwork(colour, outline, raised, np.clip(pad - hole, 0, 1))


def _draw_board_layers(
    copper: ImageDraw.ImageDraw,
    pads: ImageDraw.ImageDraw,
    holes: ImageDraw.ImageDraw,
    silk: ImageDraw.ImageDraw,
    u: float,
    rng: np.random.Generator,
) -> None:
    """Draw one board of 400 x 400 units `u`: a chip's footprint, a header, passives, traces, corner holes."""
    chip, half, pitch, count = (205.0, 178.0), 46.0, 11.0, 8
    for index in range(count):
        offset = (index - (count - 1) / 2) * pitch
        for side_x, side_y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            x = chip[0] + side_x * (half + 13) + abs(side_y) * offset
            y = chip[1] + side_y * (half + 13) + abs(side_x) * offset
            _box(pads, x, y, 9 if side_x else 3.2, 3.2 if side_x else 9, u)
            _trace_outwards(copper, x, y, side_x, side_y, offset, u)
    silk.rectangle(
        _scaled((chip[0] - 40, chip[1] - 40, chip[0] + 40, chip[1] + 40), u), outline=255, width=round(2 * u)
    )
    silk.ellipse(_scaled((chip[0] - 34, chip[1] - 34, chip[0] - 25, chip[1] - 25), u), fill=255)
    silk.text((chip[0] * u - 16 * u, chip[1] * u - 10 * u), "U1", font=_font(20 * u), fill=255)
    for index in range(10):  # a pin header along the lower edge
        x = 76 + index * 27.5
        _disc(pads, x, 366, 9.5, u)
        _disc(holes, x, 366, 4.6, u)
        copper.line(_scaled((x, 366, x, 330 - 6 * (index % 3)), u), fill=255, width=round(4 * u))
    silk.rectangle(_scaled((60, 351, 340, 381), u), outline=255, width=round(1.6 * u))
    silk.text((64 * u, 334 * u), "J1", font=_font(15 * u), fill=255)
    silk.text((246 * u, 20 * u), "BLM-7 REV C", font=_font(17 * u), fill=255)
    for name, x, y, upright in _PASSIVES:
        along, across = (0, 8.5) if upright else (8.5, 0)
        for sign in (-1, 1):
            _box(
                pads,
                x + sign * along,
                y + sign * across,
                5.2 if not upright else 7,
                7 if not upright else 5.2,
                u,
            )
        silk.text(((x + 14) * u, (y - 19) * u), name, font=_font(13 * u), fill=255)
    for x, y in ((26, 26), (374, 26), (26, 374), (374, 374)):
        _disc(pads, x, y, 15, u)
        _disc(holes, x, y, 9.5, u)
    for x, y in rng.uniform(70, 320, size=(14, 2)):  # vias
        if max(abs(x - chip[0]), abs(y - chip[1])) > 78:
            _disc(pads, float(x), float(y), 4.4, u)
            _disc(holes, float(x), float(y), 1.9, u)


_PASSIVES = (
    ("R1", 66, 92, False), ("R2", 66, 132, False), ("R3", 66, 172, False), ("C1", 66, 222, True),
    ("C2", 66, 272, True), ("R4", 338, 84, False), ("R5", 338, 128, False), ("C3", 338, 180, True),
    ("C4", 338, 236, True), ("R6", 140, 54, False), ("C5", 338, 292, False),
)  # fmt: skip


def _trace_outwards(
    pen: ImageDraw.ImageDraw, x: float, y: float, side_x: int, side_y: int, offset: float, u: float
) -> None:
    """A trace that leaves a chip's pad, bends by 45 degrees and runs on."""
    bend, run = 14 + 0.2 * abs(offset), 26 + 0.7 * abs(offset)
    drift = np.sign(offset) * (8 + 0.5 * abs(offset))
    points = [(x, y), (x + side_x * bend, y + side_y * bend)]
    points.append(
        (
            points[1][0] + side_x * abs(drift) + abs(side_y) * drift,
            points[1][1] + side_y * abs(drift) + abs(side_x) * drift,
        )
    )
    points.append((points[2][0] + side_x * run * 0.6, points[2][1] + side_y * run * 0.6))
    pen.line([(px * u, py * u) for px, py in points], fill=255, width=max(1, round(3.2 * u)), joint="curve")


def _draw_logo(pen: ImageDraw.ImageDraw, u: float) -> None:
    pen.ellipse(_scaled((14, 12, 76, 74), u), fill=(24, 58, 116))
    pen.ellipse(_scaled((23, 21, 67, 65), u), fill=(238, 237, 231))
    hexagon = [(45 + 17 * np.cos(a), 43 + 17 * np.sin(a)) for a in np.arange(6) * np.pi / 3]
    pen.polygon([(x * u, y * u) for x, y in hexagon], fill=(206, 62, 36))
    pen.ellipse(_scaled((38, 36, 52, 50), u), fill=(238, 237, 231))


def _draw_barcode(
    pen: ImageDraw.ImageDraw, u: float, left: float, top: float, right: float, bottom: float
) -> None:
    rng = np.random.default_rng(_ARTWORK_SEED)
    x = left
    while x < right:
        bar, gap = rng.choice((1.6, 3.2, 4.8, 6.4), size=2, p=(0.45, 0.3, 0.15, 0.1))
        pen.rectangle(_scaled((x, top, min(x + bar, right), bottom), u), fill=(30, 29, 33))
        x += bar + gap + 0.6


def _draw_recycling(pen: ImageDraw.ImageDraw, u: float) -> None:
    for angle in (90, 210, 330):
        pen.arc(
            _scaled((318, 200, 374, 256), u),
            angle - 45,
            angle + 40,
            fill=(34, 33, 38),
            width=max(1, round(6 * u)),
        )
    pen.text((334 * u, 215 * u), "21", font=_font(22 * u), fill=(34, 33, 38))
    pen.text((327 * u, 264 * u), "PAP", font=_font(15 * u), fill=(34, 33, 38))


def _box(
    pen: ImageDraw.ImageDraw, x: float, y: float, half_width: float, half_height: float, u: float
) -> None:
    box = _scaled((x - half_width, y - half_height, x + half_width, y + half_height), u)
    pen.rounded_rectangle(box, radius=1.5 * u, fill=255)


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, u: float) -> None:
    pen.ellipse(_scaled((x - radius, y - radius, x + radius, y + radius), u), fill=255)


def _scaled(box: tuple[float, float, float, float], u: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * u, top * u, right * u, bottom * u


def _rounded(rows: int, columns: int, radius: int) -> FloatArray:
    """Coverage of a rectangle with rounded corners, with a soft edge inside the canvas."""
    sheet = Image.new("L", (columns, rows), 0)
    ImageDraw.Draw(sheet).rounded_rectangle((1, 1, columns - 2, rows - 2), radius=radius, fill=255)
    return np.asarray(
        cv2.GaussianBlur(np.asarray(sheet, dtype=np.float32) / 255, (0, 0), 0.6), dtype=np.float32
    )


@lru_cache(maxsize=32)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
