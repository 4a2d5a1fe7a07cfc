"""Rigid motions between a photograph and the frame of a reference, and pictures moved by them.

A matrix leads between places: pixels of `blemish.view.view.View.photograph` that begin at 0 and end at its width or
height, whatever the size of the picture at hand.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, FloatArray

Matrix = npt.NDArray[np.float64]

_GRAIN = 8
"""Pixels that are averaged where a photograph's border goes on; docs/decisions/0041 has the figures."""
_SHIFT = 4
"""Bits behind the point of corners' places."""


def moved(
    image: ByteArray, matrix: Matrix, photograph: tuple[int, int], wanted: tuple[int, int]
) -> ByteArray:
    """A photograph in the reference frame, uint8 RGB; where it ends, its border goes on, but without its grain.

    Args:
        image: uint8 RGB, H x W x 3, of any size.
        matrix: of `Registration`; the identity gives the image itself.
        photograph: width and height of `View.photograph`.
        wanted: width and height that it is resized to in the end: the frame is of the size `photograph`, or where that
            is much larger, of twice this size, which costs a tenth.
    """
    if np.array_equal(matrix, np.eye(3)[:2]):
        return image
    much_larger = all(side > 2 * small for side, small in zip(photograph, wanted, strict=True))
    frame = (2 * wanted[0], 2 * wanted[1]) if much_larger else photograph
    if image.shape[1::-1] != frame:
        shrinks = image.shape[0] * image.shape[1] > frame[0] * frame[1]
        resized = cv2.resize(image, frame, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        image = np.asarray(resized, np.uint8)
    pixels = in_pixels(np.vstack([matrix, [0, 0, 1]]), frame, photograph)[:2]
    copy = cv2.warpAffine(image, pixels, frame, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    outside = ~_inside(pixels, frame)
    copy[outside] = _without_grain(image, matrix, photograph)[outside]
    return np.asarray(copy, np.uint8)


def _inside(pixels: Matrix, frame: tuple[int, int]) -> BoolArray:
    """Which pixels of a frame show a photograph of its size that was moved within it, bool H x W."""
    width, height = frame
    corners = np.array([[1, 1], [width - 2, 1], [width - 2, height - 2], [1, height - 2.0]])
    there = np.round((corners @ pixels[:, :2].T + pixels[:, 2]) * 2**_SHIFT).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), there, 1, shift=_SHIFT)
    return np.asarray(inside, np.uint8).view(np.bool_)


def _without_grain(image: ByteArray, matrix: Matrix, photograph: tuple[int, int]) -> ByteArray:
    """A photograph in a frame of its own size, coarse: grain that is drawn out to stripes looks like no ground."""
    height, width = image.shape[:2]
    size = max(2, width // _GRAIN), max(2, height // _GRAIN)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    pixels = in_pixels(np.vstack([matrix, [0, 0, 1]]), size, photograph)[:2]
    moved_small = cv2.warpAffine(small, pixels, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(moved_small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def moved_mask(mask: BoolArray, matrix: Matrix, photograph: tuple[int, int]) -> BoolArray:
    """A mask over a photograph, bool H x W, in the reference frame at its own size: nothing is marked from outside."""
    size = mask.shape[1], mask.shape[0]
    pixels = in_pixels(np.vstack([matrix, [0, 0, 1]]), size, photograph)[:2]
    return np.asarray(cv2.warpAffine(mask.view(np.uint8), pixels, size, flags=cv2.INTER_NEAREST), np.bool_)


def to_photograph(matrix: Matrix, photograph: tuple[int, int]) -> Matrix | None:
    """The way back, from places in the reference frame to places in the photograph, sides 0 to 1: float64 2 x 3.

    None for the identity.
    """
    if np.array_equal(matrix, np.eye(3)[:2]):
        return None
    sides = np.diag([*photograph, 1.0])
    back = np.linalg.inv(sides) @ np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ sides
    return np.asarray(back[:2], np.float64)


def in_frame(grey: ByteArray, found: Matrix, photograph: tuple[int, int]) -> FloatArray:
    """A small grey copy as it looks in the reference frame, float32; `found` is of `registered`."""
    return warped(grey.astype(np.float32), found, photograph)


def warped(
    picture: FloatArray, found: Matrix, photograph: tuple[int, int], border: int = cv2.BORDER_REPLICATE
) -> FloatArray:
    """A picture of any size in the reference frame, at that size."""
    size = picture.shape[1::-1]
    pixels = in_pixels(found, size, photograph)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, pixels, size, flags=flags, borderMode=border), np.float32)


def _pixels_of(size: tuple[int, ...], photograph: tuple[int, int]) -> Matrix:
    """From places to pixels of a picture of a width and height, whose centres are whole numbers."""
    across, down = size[0] / photograph[0], size[1] / photograph[1]
    return np.array([[across, 0, -0.5], [0, down, -0.5], [0, 0, 1.0]])


def in_pixels(found: Matrix, size: tuple[int, ...], photograph: tuple[int, int]) -> Matrix:
    """A motion, 3 x 3, between pixels of a picture of a width and height, whose centres are whole numbers."""
    pixels = _pixels_of(size, photograph)
    return np.asarray(pixels @ found @ np.linalg.inv(pixels), np.float64)


def in_places(found: Matrix, size: tuple[int, ...], photograph: tuple[int, int]) -> Matrix:
    """What `in_pixels` makes, back."""
    pixels = _pixels_of(size, photograph)
    return np.asarray(np.linalg.inv(pixels) @ found @ pixels, np.float64)


def rigid(found: Matrix, photograph: tuple[int, int], turns: bool) -> Matrix:
    """The nearest motion without stretch, that leads the middle of the frame to the same place."""
    angle = math.atan2(found[1, 0] - found[0, 1], found[0, 0] + found[1, 1]) if turns else 0.0
    cosine, sine = math.cos(angle), math.sin(angle)
    middle = np.array([photograph[0] / 2, photograph[1] / 2])
    rigid = np.eye(3)
    rigid[:2, :2] = [[cosine, -sine], [sine, cosine]]
    rigid[:2, 2] = found[:2, :2] @ middle + found[:2, 2] - rigid[:2, :2] @ middle
    return rigid


def moves(found: Matrix, photograph: tuple[int, int]) -> float:
    """Pixels by which a corner of the photograph moves at most."""
    width, height = photograph
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]]).T
    return float(np.linalg.norm((found @ corners - corners)[:2], axis=0).max())
