"""Turned, mirrored and shifted copies of a photograph, and which of its places show the photograph itself."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import ByteArray


def turned(image: ByteArray, angle: float) -> ByteArray:
    """The image turned about its centre, mirrored where it does not reach; quarter turns are exact.

    Args:
        image: uint8 RGB, H x W x 3; the copy has its shape.
        angle: in degrees, against the clock.
    """
    quarters, rest = divmod(angle, 90)
    height, width = image.shape[:2]
    if rest == 0 and (height == width or quarters % 2 == 0):
        return np.ascontiguousarray(np.rot90(image, int(quarters)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    copy = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(copy, np.uint8)


def shifted(image: ByteArray, right: int, down: int) -> ByteArray:
    """The image moved by some pixels, 0 or more each, mirrored where it does not reach; uint8 H x W x 3 as it is."""
    wider = cv2.copyMakeBorder(image, down, 0, right, 0, cv2.BORDER_REFLECT_101)
    return np.ascontiguousarray(wider[: image.shape[0], : image.shape[1]])


def places_inside(grid: tuple[int, int], angle: float) -> npt.NDArray[np.bool_]:
    """Which cells of a grid over the turned copy have their centre on the photograph itself: bool, rows x columns."""
    rows, columns = (np.arange(count) + 0.5 - count / 2 for count in grid)
    down, right = np.meshgrid(rows, columns, indexing="ij")
    radians = np.deg2rad(angle)
    source_right = right * np.cos(radians) - down * np.sin(radians)
    source_down = right * np.sin(radians) + down * np.cos(radians)
    inside: npt.NDArray[np.bool_] = (abs(source_right) < grid[1] / 2) & (abs(source_down) < grid[0] / 2)
    return inside


def exact_copies(image: ByteArray) -> Iterator[tuple[int, bool, ByteArray]]:
    """The eight copies that need no interpolation: quarter turns, whether mirrored, and the copy."""
    for mirrored in (False, True):
        for quarters in range(4):
            copy = np.rot90(image[:, ::-1] if mirrored else image, quarters)
            yield quarters, mirrored, np.ascontiguousarray(copy)


def mirrored_copies(image: ByteArray) -> list[ByteArray]:
    """The image mirrored left to right, top to bottom, and both; it need not be square."""
    return [np.ascontiguousarray(copy) for copy in (image[:, ::-1], image[::-1], image[::-1, ::-1])]
