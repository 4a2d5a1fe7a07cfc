"""What a view looks at, drawn over a photograph."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.overlay import Colour, contour_overlay, hatched
from blemish.core.pictures import encoded, fitted
from blemish.core.types import ByteArray, Prediction
from blemish.view.counting import counting, seen_pixels
from blemish.view.motion import moved
from blemish.view.preprocessing import Preprocessing, look
from blemish.view.registration import register
from blemish.view.view import View

LONGEST_SIDE = 1600

_SEEN, _EDGE = (64, 220, 255), (255, 190, 0)
_EDGE_ALPHA, _UNSEEN_ALPHA = 110, 170


def drawn_view(photograph: ByteArray, contract: Preprocessing) -> ByteArray:
    """The photograph, uint8 RGB H x W x 3, hatched where it is not judged, and what is judged outlined.

    Photographs are scaled down to 1600 pixels. What is seen, but not judged, as the edge of something ignored after the
    fit shows there, has an outline of its own.
    """
    looked = look(photograph, contract)
    shown = looked.placed(Prediction(0.0, np.zeros(looked.picture.shape[:2], np.float32))).counted
    small = fitted(photograph, LONGEST_SIDE)
    view = contract.view
    if shown is None or view is None:
        return small
    drawn = hatched(small, ~shown)
    if looked.to_photograph is None and view.ignored_later is not None:
        size = (photograph.shape[1], photograph.shape[0])
        seen = np.logical_and.reduce([one.counted(view.photograph, size) for one in view.all_regions])
        drawn = contour_overlay(drawn, seen, _EDGE)
    return contour_overlay(drawn, shown, _SEEN)


def view_picture(photograph: ByteArray, contract: Preprocessing, extension: str) -> bytes:
    """`drawn_view` as the bytes of a `.jpg` or `.png` file."""
    return encoded(drawn_view(photograph, contract), ".png" if extension == ".png" else ".jpg", quality=92)


def shown_size(view: View, side: int = LONGEST_SIDE) -> tuple[int, int]:
    """Width and height of pictures on which the shapes of a view are shown, their longer side `side` at most."""
    width, height = view.photograph
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def at_its_place(photograph: ByteArray, view: View, side: int = LONGEST_SIDE) -> ByteArray:
    """The photograph, uint8 RGB, as it lies where the shapes of a view are named, of `shown_size`."""
    if view.alignment is not None:
        found = register(photograph, view.alignment, view.photograph)
        photograph = moved(photograph, found.matrix, view.photograph, view.photograph)
    size = shown_size(view, side)
    if photograph.shape[1::-1] == size:
        return photograph
    shrinks = photograph.shape[0] * photograph.shape[1] > size[0] * size[1]
    resized = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def unseen_layer(contract: Preprocessing, side: int = LONGEST_SIDE) -> bytes:
    """What a view ignores, hatched, and what it sees but does not judge, amber: a PNG with alpha of `shown_size`.

    Raises:
        ValueError: the contract has no view.
    """
    view = contract.view
    if view is None:
        raise ValueError("a contract without a view ignores nothing")
    width, height = shown_size(view, side)
    seen, judged = np.ones((height, width), np.bool_), np.ones((height, width), np.bool_)
    if view.all_regions:
        seen = seen_pixels(view, (height, width))
        judged = counting(view, (width, height), contract.height, contract.width).photograph
    layer = np.zeros((height, width, 4), np.uint8)
    layer[seen & ~judged] = _blue_green_red(_EDGE, _EDGE_ALPHA)
    apart = max(8, round(max(height, width) / 60))
    slanted = (np.arange(height)[:, None] + np.arange(width)) % apart < max(2, apart // 4)
    layer[~seen] = (40, 40, 40, _UNSEEN_ALPHA)
    layer[~seen & slanted] = (255, 255, 255, _UNSEEN_ALPHA)
    _, content = cv2.imencode(".png", layer)
    return bytes(content)


def _blue_green_red(colour: Colour, alpha: int) -> tuple[int, int, int, int]:
    """A colour as OpenCV writes it."""
    return colour[2], colour[1], colour[0], alpha
