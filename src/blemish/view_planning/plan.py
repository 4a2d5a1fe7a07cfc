"""From what is asked of a view, and the photographs, to the view and the size of the network's input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import upright_size
from blemish.view.view import View
from blemish.view_planning.alignment import require_alignment, with_alignment
from blemish.view_planning.regions import plan_regions, regions_in_words, require_something

_HEADERS = 200
_UNIT = 32
"""Pixels of which the input's sides are multiples: networks halve them five times."""


@dataclass(frozen=True)
class ViewOptions:
    """What is asked of a view; see `blemish.detectors.view_parameters.ViewParameters` for the meaning of each."""

    smallest_defect: str = ""
    scale: str = ""
    budget: str = ""
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    mask: str = ""
    foreground: bool = False
    align: str = "none"
    parts: str = "one"

    @property
    def nothing(self) -> bool:
        """Whether nothing is asked."""
        return self == ViewOptions()


@dataclass(frozen=True)
class PlannedView:
    """A view and the size of the picture that it gives.

    Attributes:
        height, width: of the network's input, in pixels.
        view: None where the photograph is stretched whole.
    """

    height: int
    width: int
    view: View | None = None


def plan_view(
    paths: Sequence[Path], size: int, options: ViewOptions, any_shape: bool = True, bit_depth: int = 16
) -> PlannedView:
    """Plan how photographs like these are looked at.

    Args:
        paths: photographs of good parts.
        size: side in pixels of the square that has the area of the network's input.
        options: what is asked.
        any_shape: whether the network reads pictures of any shape; squares alone otherwise.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        UsageError: an option cannot be meant, is not possible, or would not help here.
    """
    require_alignment(options.align)
    if not any_shape and options.nothing:
        return PlannedView(size, size)
    photograph = usual_size(paths)
    if photograph is None:
        return PlannedView(size, size)
    height, width = input_shape(photograph, size) if any_shape else (size, size)
    regions = plan_regions(options.include, options.ignore, options.mask, photograph)
    view = View(photograph=photograph, regions=regions)
    if regions is not None:
        require_something(view, height, width)
        view = view.model_copy(update={"reasons": (*view.reasons, f"Looks at {regions_in_words(view)}.")})
    view = with_alignment(view, (height, width), paths, options.align, bit_depth)
    return PlannedView(height, width, view)


def usual_size(paths: Sequence[Path]) -> tuple[int, int] | None:
    """Median width and height in pixels of photographs, by the headers of some of them; None where none can be read."""
    sizes = []
    for place in np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _HEADERS)).astype(int)):
        try:
            sizes.append(upright_size(paths[place]))
        except ImageError:
            continue
    if not sizes:
        return None
    width, height = np.median(np.array(sizes), axis=0)
    return int(width), int(height)


def input_shape(photograph: tuple[int, int], size: int) -> tuple[int, int]:
    """Height and width of an input of about `size` x `size` pixels in the shape of the photograph (width, height)."""
    aspect = math.sqrt(photograph[0] / photograph[1])
    width, height = (max(2, round(side / _UNIT)) * _UNIT for side in (size * aspect, size / aspect))
    return height, width
