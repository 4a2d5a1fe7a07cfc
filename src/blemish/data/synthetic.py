"""Synthetic defects: pure functions that damage a photograph and say exactly which pixels they changed.

Every painter of `DEFECT_PAINTERS` takes (image, foreground, rng) and optional ranges of size and strength:

- image: uint8 H x W x 3 RGB, a photograph of a good part;
- foreground: bool H x W, True on the part, or None where the part fills the image;
- size: range of the defect's extent (length of a scratch, diameter of a stain) as a share of the shorter
  image side;
- strength: range in (0, 1] of how strongly it differs; 1 is as strong as such a defect gets.

It returns a new image and the mask, bool H x W: outside the mask not one pixel differs from `image`, inside
nearly all do, by at least `NOTABLE` grey levels. Colours follow the photograph around the place: its
brightness, contrast and grain. The idea of learning from painted defects is that of DRAEM (Zavrtanik et al.,
ICCV 2021) and of CutPaste (Li et al., CVPR 2021); the shapes here follow real damage instead of noise or
pasted boxes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from blemish.core.types import BoolArray, FloatArray
from blemish.data.blobs import blob_distance, coverage, curved_path, polygon_distance, random_place, stroke
from blemish.data.lighting import Light, blend, drop_shadow, random_light, smooth_noise
from blemish.data.painting import Brush, DefectPainter, Painted, Range

DEFECT_PAINTERS: dict[str, DefectPainter] = {}


def defect_painter(name: str, size: Range, strength: Range) -> Callable[[Brush], DefectPainter]:
    """Register a brush as the painter `name`, with its usual ranges of size and strength."""

    def register(brush: Brush) -> DefectPainter:
        DEFECT_PAINTERS[name] = DefectPainter(name, size, strength, brush)
        return DEFECT_PAINTERS[name]

    return register


def _around(picture: FloatArray, place: tuple[float, float], extent: float) -> tuple[FloatArray, float]:
    """Mean colour (3) around a place, and the contrast (deviation of grey levels) there."""
    reach, x, y = max(4, round(extent)), round(place[0]), round(place[1])
    window = picture[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return window.mean(axis=(0, 1)), float(window.mean(axis=2).std())


def _on_part(share: FloatArray, foreground: BoolArray | None) -> FloatArray:
    """Limit a coverage to the part."""
    if foreground is None:
        return share
    return np.asarray(share * cv2.GaussianBlur(foreground.astype(np.float32), (0, 0), 0.6), dtype=np.float32)


@defect_painter("scratch", size=(0.12, 0.30), strength=(0.40, 0.85))
def paint_scratch(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A thin groove that fades at its ends, with a bright lip on one side."""
    shape = picture.shape[:2]
    place = random_place(shape, foreground, 0.25 * extent, rng)
    _, contrast = _around(picture, place, 0.5 * extent)
    path = curved_path(place, extent, rng.uniform(0.1, 0.9), rng)
    press = np.sin(np.linspace(0.12, np.pi - 0.12, len(path))) ** 0.5 * rng.uniform(0.75, 1, len(path))
    width = float(np.clip(extent * rng.uniform(0.018, 0.034), 0.8, 8))
    groove = _on_part(stroke(shape, path, width, press.astype(np.float32)), foreground)
    light = random_light(rng).direction
    lip = _on_part(
        stroke(shape, path - width * np.array(light, np.float32), width, press.astype(np.float32)), foreground
    )
    depth = (38 + 1.3 * contrast) * (0.4 + strength)
    sign = 1.0 if rng.random() < 0.5 else -1.0  # bare metal shines, a groove in paint is dark
    return picture + (sign * depth * (groove - 0.45 * np.clip(lip - groove, 0, 1)))[..., None], groove


@defect_painter("stain", size=(0.08, 0.17), strength=(0.35, 0.75))
def paint_stain(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A dried spot of oil, rust or lime: the surface shows through, the rim is denser."""
    shape = picture.shape[:2]
    place = random_place(shape, foreground, 0.3 * extent, rng)
    distance = blob_distance(shape, place, extent / 2, rng, roughness=0.18, elongation=1.8)
    mottle = 1 + 0.22 * smooth_noise(shape, max(4, round(3 * min(shape) / extent)), rng)
    rim = np.exp(-((distance / (0.11 * extent) - 0.6) ** 2))
    dose = _on_part(coverage(distance, 0.16 * extent) * np.clip(mottle + 0.45 * rim, 0, 1.6), foreground)
    colours = ((70, 52, 30), (120, 66, 34), (214, 212, 204))  # oil, rust, lime
    colour, _ = _around(picture, place, extent)
    choice = int(rng.integers(2)) if colour.mean() > 90 else int(rng.integers(3))
    covered = np.broadcast_to(np.array(colours[choice], np.float32), picture.shape)
    # Lime covers; a liquid darkens what it wets.
    stained = covered if choice == 2 else picture * (0.225 + 0.675 * covered / 255)
    return blend(picture, stained.astype(np.float32), np.clip(dose * strength, 0, 0.95)), 0.3 * dose


@defect_painter("hole", size=(0.028, 0.06), strength=(0.55, 1.0))
def paint_hole(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A small pit: dark within, darkest under the edge that the lamp stands at, a lit rim opposite."""
    shape = picture.shape[:2]
    place = random_place(shape, foreground, 0.8 * extent, rng)
    colour, _ = _around(picture, place, extent)
    distance = blob_distance(shape, place, extent / 2, rng, roughness=0.12, elongation=1.5)
    x, y = random_light(rng).direction
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    towards_lamp = ((columns - place[0]) * x + (rows - place[1]) * y) / extent
    inside = _on_part(coverage(distance, 1.4), foreground)
    floor = colour * np.clip(0.30 - 0.30 * towards_lamp, 0.06, 0.6)[..., None]
    rim = np.exp(-(((distance + 1.2) / 1.3) ** 2)) * np.clip(-2 * towards_lamp, 0, 1)
    lit = picture + (45 * strength * _on_part(rim.astype(np.float32), foreground))[..., None]
    return blend(lit, floor.astype(np.float32), inside * strength), inside


@defect_painter("missing_piece", size=(0.08, 0.16), strength=(0.55, 1.0))
def paint_missing_piece(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A piece broken off the part's edge, the ground seen behind; without foreground, a flake spalled off."""
    if foreground is None or foreground.all() or not foreground.any():
        return _spall(picture, rng, extent, strength)
    return _chip_off(picture, foreground, rng, extent)


def _spall(picture: FloatArray, rng: np.random.Generator, extent: float, strength: float) -> Painted:
    """A flake off the surface: a shallow, rough, duller floor with a shadowed and a lit edge."""
    shape = picture.shape[:2]
    place = random_place(shape, None, 0.6 * extent, rng)
    colour, contrast = _around(picture, place, extent)
    distance = polygon_distance(shape, place, extent / 2, int(rng.integers(6, 10)), rng)
    distance += 0.05 * extent * smooth_noise(shape, round(8 * min(shape) / extent), rng)
    rough = smooth_noise(shape, round(min(shape) / 2.5), rng) + smooth_noise(
        shape, round(20 * min(shape) / extent / 3), rng
    )
    remains = cv2.GaussianBlur(picture, (0, 0), max(0.06 * extent, 0.8))
    dull = 0.5 * remains + 0.25 * colour + 0.25 * colour.mean()
    floor = (1.0 - 0.45 * strength) * dull + (3 + 0.16 * contrast) * rough[..., None]
    x, y = random_light(rng).direction
    depth = cv2.GaussianBlur(coverage(distance, 2.0), (0, 0), 1.2)
    slope = cv2.Sobel(depth, cv2.CV_32F, 1, 0) * x + cv2.Sobel(depth, cv2.CV_32F, 0, 1) * y
    inside = coverage(distance, 1.3)
    return blend(picture, floor.astype(np.float32), inside) + (26 * strength * slope)[..., None].astype(
        np.float32
    ), inside


def _chip_off(picture: FloatArray, foreground: BoolArray, rng: np.random.Generator, extent: float) -> Painted:
    """Replace a bite at the part's edge by ground taken from just outside it."""
    shape = foreground.shape
    edge = cv2.morphologyEx(foreground.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    border = max(3, round(0.02 * min(shape)))
    edge[:border], edge[-border:], edge[:, :border], edge[:, -border:] = 0, 0, 0, 0
    rows, columns = np.nonzero(edge)
    if rows.size == 0:
        return _spall(picture, rng, extent, 0.8)
    pick = int(rng.integers(rows.size))
    distance = polygon_distance(
        shape, (float(columns[pick]), float(rows[pick])), extent / 2, int(rng.integers(5, 9)), rng
    )
    bite = coverage(distance, 1.2)
    ground = _ground_behind(picture, foreground, distance)
    light = random_light(rng)
    rest = cv2.GaussianBlur(foreground.astype(np.float32), (0, 0), 0.7) * (1 - bite)
    ground = ground * drop_shadow(rest, light, 0.012 * min(shape))[..., None]
    lost = _on_part(bite, np.asarray(cv2.dilate(foreground.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0))
    return blend(picture, ground.astype(np.float32), lost), 0.4 * lost


def _ground_behind(picture: FloatArray, foreground: BoolArray, distance: FloatArray) -> FloatArray:
    """What would be seen were the part gone where `distance` is positive: the ground as it is nearby."""
    clear = cv2.erode((~foreground).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(np.float32)
    if not clear.any():
        clear = (~foreground).astype(np.float32)
    reach = float(max(4.0, distance.max()))
    # Averages over near ground, or where there is none over ever farther ground: coarse, for they are smooth.
    small = tuple(max(8, side // 4) for side in clear.shape[::-1])
    sums = cv2.resize(np.dstack([picture * clear[..., None], clear]), small, interpolation=cv2.INTER_AREA)
    total = np.full(sums.shape, 1e-9, np.float32) * sums.mean(axis=(0, 1))
    for scale, trust in ((reach, 1.0), (4 * reach, 1e-3), (8 * reach, 1e-6)):
        total += trust * cv2.GaussianBlur(sums, (0, 0), scale / 4)
    total = cv2.resize(total, clear.shape[::-1], interpolation=cv2.INTER_LINEAR)
    smooth = total[..., :3] / total[..., 3:]
    detail = (picture - cv2.GaussianBlur(picture, (0, 0), 4)) * clear[..., None]
    return np.asarray(smooth + _shifted_detail(detail, clear, distance), dtype=np.float32)


def _shifted_detail(detail: FloatArray, clear: FloatArray, distance: FloatArray) -> FloatArray:
    """Texture for the place where `distance` is positive, moved there from where the ground lies clear."""
    rows, columns = np.nonzero(distance > 0)
    if rows.size == 0:
        return np.zeros_like(detail)
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    free = cv2.boxFilter(clear, -1, (width, height), normalize=True, borderType=cv2.BORDER_CONSTANT)
    there_y, there_x = np.unravel_index(int(np.argmax(free)), free.shape)
    move_y, move_x = there_y - (rows.min() + height // 2), there_x - (columns.min() + width // 2)
    return np.roll(detail, (-int(move_y), -int(move_x)), axis=(0, 1))


@defect_painter("foreign_body", size=(0.07, 0.18), strength=(0.55, 1.0))
def paint_foreign_body(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A fibre, or a grain of swarf or plastic, lying on the part with its shadow."""
    shape, light = picture.shape[:2], random_light(rng)
    place = random_place(shape, foreground, 0.2 * extent, rng)
    around, contrast = _around(picture, place, extent)
    colours = ((38, 33, 30), (232, 230, 224), (52, 86, 156), (176, 108, 62), (150, 36, 34))
    distinct = [c for c in colours if abs(float(np.mean(c)) - float(around.mean())) > 40 + 0.5 * contrast]
    colour = np.array(distinct[int(rng.integers(len(distinct)))] if distinct else colours[0], np.float32)
    if rng.random() < 0.5:
        path = curved_path(place, 1.5 * extent, rng.uniform(1.5, 4.5), rng, points=60)
        width = float(np.clip(extent * rng.uniform(0.04, 0.07), 1.0, 9))
        body = stroke(shape, path, width, np.ones(len(path), np.float32))
        shading = 1 + 0.25 * (body - cv2.GaussianBlur(body, (0, 0), width)) * light.slant
    else:
        distance = polygon_distance(shape, place, 0.21 * extent, int(rng.integers(4, 8)), rng)
        body, shading = coverage(distance, 1.0), _facets(shape, place, extent, light, rng)
    shadow = drop_shadow(body, light, max(1.0, 0.010 * min(shape)))
    ground = picture * shadow[..., None]
    return blend(ground, colour * shading[..., None], body * (0.5 + 0.5 * strength)), 0.7 * body


def _facets(
    shape: tuple[int, int], place: tuple[float, float], extent: float, light: Light, rng: np.random.Generator
) -> FloatArray:
    """Brightness of a splinter with two faces."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x, y = light.direction
    along = ((columns - place[0]) * x + (rows - place[1]) * y) / extent
    ridge = (columns - place[0]) * np.cos(a := rng.uniform(0, np.pi)) + (rows - place[1]) * np.sin(a)
    return np.asarray(np.clip(1 + 1.2 * along + 0.16 * np.sign(ridge), 0.5, 1.7), dtype=np.float32)


@defect_painter("twist", size=(0.13, 0.24), strength=(0.45, 1.0))
def paint_twist(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A small part of the surface swirled, as by a press that slipped (swirl under a smooth mask)."""
    from skimage.transform import swirl

    shape, radius = picture.shape[:2], extent / 2
    place = random_place(shape, foreground, 0.3 * extent, rng)
    x0, y0 = (max(0, int(v - radius) - 2) for v in place)
    x1, y1 = int(place[0] + radius) + 3, int(place[1] + radius) + 3
    window = picture[y0:y1, x0:x1]
    centre = (place[0] - x0, place[1] - y0)
    sense = 1 if rng.random() < 0.5 else -1
    turned = swirl(  # type: ignore[no-untyped-call]
        window,
        center=centre,
        strength=sense * (1.6 + 2.8 * strength),
        radius=1.6 * radius,
        order=1,
        mode="reflect",
        preserve_range=True,
    )
    rows, columns = np.mgrid[0 : window.shape[0], 0 : window.shape[1]].astype(np.float32)
    inside = coverage(radius - np.hypot(columns - centre[0], rows - centre[1]), 0.25 * radius)
    result = picture.copy()
    result[y0:y1, x0:x1] = blend(window, turned.astype(np.float32), inside)
    return result, np.zeros(shape, np.float32)
