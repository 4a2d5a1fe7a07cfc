"""What a view looks at, drawn over a photograph."""

from __future__ import annotations

import numpy as np

from blemish.core.overlay import contour_overlay, hatched
from blemish.core.pictures import encoded, fitted
from blemish.core.types import ByteArray, Prediction
from blemish.view.preprocessing import Preprocessing, look

LONGEST_SIDE = 1600

_SEEN, _EDGE = (64, 220, 255), (255, 190, 0)


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
