"""Shapes as they are typed, in whole pixels of a photograph: `box:X,Y,WIDTH,HEIGHT` and `polygon:X,Y,X,Y,X,Y`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from blemish.core.errors import UsageError

MOST_SHAPES = 100
"""Of one kind, included or ignored, in one view."""

_WORDS = ("box:", "polygon:")
_SHAPE = re.compile(r"(box|polygon):(\d{1,6}(?:,\d{1,6})*)", re.ASCII)
_LONGEST = 20_000


def is_shape(text: str) -> bool:
    """Whether a text is meant as a shape, right or wrong."""
    return text.startswith(_WORDS)


def is_box(shape: str) -> bool:
    """Whether a shape is a box."""
    return shape.startswith("box:")


def numbers_of(shape: str) -> tuple[int, ...]:
    """The numbers of a shape: X, Y, width and height of a box, or X and Y of each corner of a polygon.

    Raises:
        ValueError: it is no shape, or one without an area; the message says what is wrong with it.
    """
    found = _SHAPE.fullmatch(shape)
    if found is None:
        raise ValueError(
            "write box:X,Y,WIDTH,HEIGHT or polygon:X,Y,X,Y,X,Y in whole pixels, from 0 to 999999"
        )
    numbers = tuple(map(int, found[2].split(",")))
    if found[1] == "box":
        if len(numbers) != 4:
            raise ValueError(f"a box has four numbers, X,Y,WIDTH,HEIGHT, and this has {len(numbers)}")
        if not (numbers[2] and numbers[3]):
            raise ValueError("a box is at least 1 pixel wide and high")
        return numbers
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(
            f"a polygon has X and Y of three corners or more, and this has {len(numbers)} numbers"
        )
    if not _has_area(list(zip(numbers[::2], numbers[1::2], strict=True))):
        raise ValueError("the corners of this polygon lie on one line, so it has no area")
    return numbers


def outermost(shape: str) -> tuple[int, int]:
    """The first column and row, from 0, that lie behind a shape."""
    numbers = numbers_of(shape)
    if is_box(shape):
        return numbers[0] + numbers[2], numbers[1] + numbers[3]
    return max(numbers[::2]) + 1, max(numbers[1::2]) + 1


def require_no_shape(patterns: Iterable[str]) -> None:
    """Refuse a region of photographs among patterns of files that are left out.

    Raises:
        UsageError: there is one.
    """
    for one in patterns:
        if is_shape(one):
            raise UsageError(
                f"--ignore {shortened(one)} is a region of photographs, which is ignored from the fit on: name it to "
                "blemish fit, or to blemish view for an inspector that is there already."
            )


def shortened(shape: str) -> str:
    """A shape as it is typed, without the middle of a long one."""
    return shape if len(shape) <= 60 else f"{shape[:40]}...{shape[-12:]}"


def _has_area(corners: list[tuple[int, int]]) -> bool:
    """Whether not all corners lie on one line."""
    x, y = corners[0]
    away = next(((right - x, down - y) for right, down in corners if (right, down) != (x, y)), None)
    return away is not None and any(away[0] * (down - y) != away[1] * (right - x) for right, down in corners)


def _possible(shape: str) -> str:
    numbers_of(shape)
    return shape


Shape = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_possible)]
Shapes = Annotated[tuple[Shape, ...], Field(max_length=MOST_SHAPES)]
