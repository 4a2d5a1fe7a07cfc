"""Pictures of anomaly maps over photographs: heatmap, contours, segmentation, caption."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.core.errors import UsageError
from blemish.core.types import BoolArray, ByteArray, FloatArray

Colour = tuple[int, int, int]

# Turbo keeps the visual order that jet breaks, and its warm half begins where the scale's middle is.
# Mikhailov, "Turbo, an improved rainbow colormap for visualization", Google AI blog, 2019.
_TURBO = (
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
    .reshape(256, 3)[:, ::-1]
    .astype(np.float32)
)


def segmentation(anomaly_map: FloatArray, threshold: float) -> BoolArray:
    """Anomalous pixels: bool H x W, True where the map is strictly above `threshold`."""
    return np.asarray(anomaly_map > threshold, dtype=np.bool_)


def heatmap_overlay(
    image: ByteArray, anomaly_map: FloatArray, low: float, high: float, opacity: float = 0.6
) -> ByteArray:
    """Lay an anomaly map over a photograph, on a colour scale that is the same for every part.

    The more anomalous a pixel, the warmer and the more opaque its colour, so a good part looks like its
    photograph.

    Args:
        image: the photograph, uint8 RGB H x W x 3; not changed.
        anomaly_map: float array of any size, scaled to the photograph bilinearly.
        low: map value that is left uncoloured, usual for a good part; all below it too.
        high: map value that gets the warmest colour at full opacity; all above it too.
        opacity: how far `high` hides the photograph, 0 to 1.

    Returns:
        uint8 RGB H x W x 3.

    Raises:
        UsageError: the arrays have other shapes or types, or the scale is empty.
    """
    _check_image(image)
    if anomaly_map.ndim != 2 or not np.isfinite([low, high]).all() or not low < high or not 0 <= opacity <= 1:
        raise UsageError(
            f"A heatmap of shape {anomaly_map.shape} from {low} to {high} at opacity {opacity} "
            "cannot be drawn: give an H x W map, low below high, and an opacity from 0 to 1."
        )
    height, width = image.shape[:2]
    level = (np.asarray(anomaly_map, np.float32) - np.float32(low)) / np.float32(high - low)
    level = np.nan_to_num(np.clip(level, 0, 1), nan=1.0)
    level = cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR)
    colour = _TURBO[np.rint(level * 255).astype(np.uint8)]
    blended = image.astype(np.float32)
    blended += (colour - blended) * (opacity * level)[..., None]
    return np.asarray(np.rint(blended), dtype=np.uint8)


def heatmap_layer(width: int, height: int, anomaly_map: FloatArray, low: float, high: float) -> bytes:
    """A heatmap alone, to be laid over a photograph by whoever shows it: PNG with alpha, `width` x `height`.

    Shown at opacity o over the photograph it looks as `heatmap_overlay` with that opacity; `low` and `high` as there.
    """
    level = (np.asarray(anomaly_map, np.float32) - np.float32(low)) / np.float32(high - low)
    level = np.nan_to_num(np.clip(level, 0, 1), nan=1.0)
    index = np.rint(cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR) * 255).astype(np.uint8)
    layer = np.dstack([_TURBO[index].astype(np.uint8)[..., ::-1], index])
    _, content = cv2.imencode(".png", layer)
    return bytes(content)


def contour_overlay(image: ByteArray, mask: BoolArray, colour: Colour) -> ByteArray:
    """Outline the regions of a mask on a photograph.

    Args:
        image: the photograph, uint8 RGB H x W x 3; not changed.
        mask: bool array of any size, scaled to the photograph by nearest pixels; holes are outlined too.
        colour: RGB, each 0 to 255.

    Returns:
        uint8 RGB H x W x 3; lines are about 1/250 of the longer side wide, on a dark edge that shows on any
        ground.

    Raises:
        UsageError: the arrays have other shapes or types.
    """
    _check_image(image)
    if mask.ndim != 2:
        raise UsageError(f"A mask of shape {mask.shape} has no outline: give an H x W mask.")
    height, width = image.shape[:2]
    scaled = cv2.resize(
        np.ascontiguousarray(mask, np.bool_).view(np.uint8),
        (width, height),
        interpolation=cv2.INTER_NEAREST_EXACT,
    )
    contours, _ = cv2.findContours(scaled, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(2, round(max(height, width) / 250))
    outlined = image.copy()
    cv2.drawContours(outlined, contours, -1, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.drawContours(outlined, contours, -1, colour, thickness, cv2.LINE_AA)
    return outlined


def hatched(image: ByteArray, mask: BoolArray) -> ByteArray:
    """Dim what nobody looks at, under thin slanted lines.

    Args:
        image: the photograph, uint8 RGB H x W x 3; not changed.
        mask: bool array of any size, scaled to the photograph by nearest pixels.

    Returns:
        uint8 RGB H x W x 3; lines are about 1/60 of the longer side apart.

    Raises:
        UsageError: the arrays have other shapes or types.
    """
    _check_image(image)
    if mask.ndim != 2:
        raise UsageError(f"A mask of shape {mask.shape} cannot be hatched: give an H x W mask.")
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
    inside = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    apart = max(8, round(max(height, width) / 60))
    slanted = (np.arange(height)[:, None] + np.arange(width)) % apart < max(1, apart // 8)
    weight = np.where(slanted, np.float32(0.45), np.float32(0.3))[..., None]
    towards = np.where(slanted, np.float32(255), np.float32(128))[..., None]
    dimmed = np.rint(image + (towards - image) * weight).astype(np.uint8)
    return np.where(inside[..., None], dimmed, image)


def captioned(image: ByteArray, text: str, colour: Colour) -> ByteArray:
    """A picture with a line of white text on a bar of a colour above it.

    Args:
        image: uint8 RGB H x W x 3; not changed.
        text: one line; letters that do not fit on the picture's width are left out at the end.
        colour: RGB of the bar, each 0 to 255.

    Returns:
        uint8 RGB (H + bar) x W x 3.

    Raises:
        UsageError: the array has another shape or type.
    """
    _check_image(image)
    width = image.shape[1]
    size = min(max(13, width // 40), 28)
    font = ImageFont.load_default(size)
    bar = Image.new("RGB", (width, round(1.6 * size)), colour)
    room = width - size
    while text and font.getlength(text) > room:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    ImageDraw.Draw(bar).text((size // 2, bar.height // 2), text, (255, 255, 255), font, anchor="lm")
    return np.concatenate([np.asarray(bar, dtype=np.uint8), image])


def _check_image(image: ByteArray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(
            f"A {image.dtype} image of shape {image.shape} cannot be drawn on: give uint8 RGB H x W x 3."
        )
