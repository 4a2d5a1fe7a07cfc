"""From what is asked of a view, and the photographs, to the view and the size of the network's input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import upright_size
from blemish.view.view import View
from blemish.view_planning.grounds import MARGIN, learn_foreground
from blemish.view_planning.parts import ONE, grid_of, learn_parts
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

    @property
    def of_part(self) -> PlannedView:
        """The plan for parts that are cut out of their photographs first; the same one where nothing is cut."""
        return replace(self, view=self.view and self.view.of_part)


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
        UsageError: what is asked cannot be meant, or not of these photographs.
    """
    grid_of(options.parts)
    if not any_shape and options.nothing:
        return PlannedView(size, size)
    photograph = usual_size(paths)
    if photograph is None:
        return PlannedView(size, size)
    regions = plan_regions(options.include, options.ignore, options.mask, photograph)
    _refuse_together(options)
    parts, reasons = None, []
    if options.parts != ONE:
        found = learn_parts(paths, options.parts, photograph, bit_depth, square=not any_shape)
        parts = found.parts
        reasons.append(found.reason)
    foreground = None
    if options.foreground:
        foreground = learn_foreground(paths, bit_depth, photograph, parts)
        reasons.append(
            f"Only the part counts, and {MARGIN:.0%} of the longer side around it, before a plain ground."
        )
    shown = parts.cut if parts else photograph
    height, width = input_shape(shown, size) if any_shape else (size, size)
    view = View(photograph=photograph, regions=regions, foreground=foreground, parts=parts)
    if regions is not None:
        require_something(view, height, width)
        reasons.append(f"Looks at {regions_in_words(view)}.")
    view = view.model_copy(update={"reasons": tuple(reasons)})
    return PlannedView(height, width, view)


def _refuse_together(options: ViewOptions) -> None:
    """Refuse what cannot be asked together.

    Raises:
        UsageError: shapes, or a place, in photographs that are cut into parts.
    """
    if options.parts != ONE and options.align != "none":
        raise UsageError(
            f"parts={options.parts} and align={options.align} are not possible together, as each part is cut out where "
            "it lies: leave one of both."
        )
    if options.parts != ONE and (options.include or options.ignore or options.mask):
        raise UsageError(
            f"parts={options.parts} and include, ignore or mask are not possible together, as parts do not lie where "
            "shapes are named: leave one of both."
        )


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
