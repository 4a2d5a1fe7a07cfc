"""What is asked of regions, checked against the photographs that they are of; refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.types import BoolArray
from blemish.view.counting import counting, seen_pixels
from blemish.view.regions import MOST_MASK_PIXELS, MaskBits, Regions
from blemish.view.shapes import numbers_of, outermost, shortened
from blemish.view.view import View

PATCH = 8
"""Side in pixels of a patch of the finest feature map that is usually read: less than one cannot be judged."""

_SAME_SHAPE = 0.01
"""How far a mask's aspect may be from the photographs': a pixel more or less comes from rounding."""

_WHITE = 128


def asked_regions(
    include: tuple[str, ...], ignore: tuple[str, ...], mask: Path | None, photograph: tuple[int, int]
) -> Regions:
    """The regions that are asked for; see `blemish.view_planning.regions.plan_regions`.

    Raises:
        UsageError: as there.
    """
    for name, shapes in (("include", include), ("ignore", ignore)):
        for shape in shapes:
            check_shape(name, shape, photograph)
    bits = None if mask is None else mask_bits(mask, photograph)
    try:
        return Regions(include=include, ignore=ignore, mask=bits)
    except ValidationError as error:
        raise UsageError(
            f"These regions are not possible ({_said(error)}): name fewer, or paint one mask."
        ) from error


def require_something(view: View, height: int, width: int) -> None:
    """Refuse a view of which too little counts.

    Args:
        view: with regions.
        height, width: of the network's input.

    Raises:
        UsageError: nothing counts, less than a patch, or nothing of a shape that is included.
    """
    across, down = view.photograph
    seen = counting(view, view.photograph, height, width)
    for regions in view.all_regions:
        for shape in regions.include:
            if not (
                Regions(include=(shape,)).counted(view.photograph, view.photograph) & seen.photograph
            ).any():
                raise UsageError(
                    f"Of {shortened(shape)}, which is to be looked at, what is ignored leaves nothing: change one of "
                    "them."
                )
    left = int(seen.picture.sum())
    if left < PATCH * PATCH:
        if view.ignored_later is not None:
            raise UsageError(
                f"Nothing is left to judge: {view.ignored_later.margin} pixels of the network's input of {width} x "
                f"{height} around what is taken away after the fit are not judged either; fit anew with these regions."
            )
        raise UsageError(
            f"Of photographs of {across} x {down} pixels {int(seen.photograph.sum())} pixels are left to look at, "
            f"which are {left} of the network's input of {width} x {height}, and at least {PATCH * PATCH} are needed: "
            "include more, ignore less, or choose a larger size."
        )


def regions_in_words(view: View) -> str:
    """What is looked at and how much of the photograph it is, in a sentence."""
    share = seen_pixels(view, (view.photograph[1], view.photograph[0])).mean()
    words = [regions.in_words() for regions in view.all_regions]
    return f"{share:.1%} of the photograph, {', and '.join(words)}"


def check_shape(name: str, shape: str, photograph: tuple[int, int]) -> None:
    """Refuse a shape that is none or reaches out of the photograph.

    Args:
        name: of the parameter that it stands in.
        shape: as typed.
        photograph: width and height of the usual photograph.

    Raises:
        UsageError: it is not possible.
    """
    try:
        numbers_of(shape)
    except ValueError as error:
        raise UsageError(f"{name} {shortened(shape)} is not possible: {error}.") from error
    right, bottom = outermost(shape)
    if right > photograph[0] or bottom > photograph[1]:
        raise UsageError(
            f"{name} {shortened(shape)} reaches to {right}, {bottom}, out of the photographs of usually "
            f"{photograph[0]} x {photograph[1]} pixels: its coordinates are theirs, from 0,0 at the top left."
        )


def mask_bits(path: Path, photograph: tuple[int, int]) -> MaskBits:
    """A mask from a file, no larger than the photograph.

    Args:
        path: an image; white counts, black does not.
        photograph: width and height of the usual photograph.

    Raises:
        UsageError: it cannot be read, has another aspect, is black, or has too many pieces.
    """
    try:
        image = read_image(path)
    except ImageError as error:
        raise UsageError(f"The mask {path} cannot be read: {error.detail}") from error
    white = np.asarray(image.max(axis=2) >= _WHITE)
    height, width = white.shape
    expected = height * photograph[0] / photograph[1]
    if abs(width - expected) > max(1.0, _SAME_SHAPE * width):
        raise UsageError(
            f"The mask {path} has {width} x {height} pixels and photographs usually {photograph[0]} x {photograph[1]}, "
            "which is another shape: paint it over one of them."
        )
    if not white.any():
        raise UsageError(f"The mask {path} is black everywhere: what counts is white.")
    try:
        return MaskBits.of(_no_larger(white, photograph))
    except ValidationError as error:
        raise UsageError(
            f"The mask {path} has too many pieces ({_said(error)}): paint whole areas."
        ) from error


def _no_larger(white: BoolArray, photograph: tuple[int, int]) -> BoolArray:
    """The mask at most as large as the photograph, and as any mask may be."""
    height, width = white.shape
    scale = min(1.0, photograph[0] / width, (MOST_MASK_PIXELS / (height * width)) ** 0.5)
    if scale == 1.0:
        return white
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return cv2.resize(white.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).view(np.bool_)


def _said(error: ValidationError) -> str:
    return error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ").lower()
