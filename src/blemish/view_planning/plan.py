"""From what is asked of a view, and the photographs, to the view and the size of the network's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import upright_size
from blemish.view.asked_regions import regions_in_words, require_something
from blemish.view.reading import is_much_larger
from blemish.view.view import View
from blemish.view_planning.alignment import require_alignment, with_alignment
from blemish.view_planning.quantities import budget_seconds, defect_pixels
from blemish.view_planning.regions import plan_regions
from blemish.view_planning.scale import PlannedScale, Reading, plan_scale, scale_of
from blemish.view_planning.sides import Sides

_HEADERS = 200


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
    def tiled(self) -> bool:
        """Whether the input is read in tiles, see `blemish.view.tiles`."""
        return self.view is not None and 0 < self.view.tile < max(self.height, self.width)


def plan_view(
    paths: Sequence[Path],
    reading: Reading,
    options: ViewOptions,
    seconds: Callable[[PlannedView], float] | None = None,
) -> PlannedView:
    """Plan how photographs like these are looked at.

    Args:
        paths: photographs of good parts.
        reading: how the detector reads its input.
        options: what is asked.
        seconds: measures how long a photograph takes on this machine, from its file to its score; asked only where
            there is a budget.

    Raises:
        UsageError: an option cannot be meant, not be kept, or would not help here.
    """
    require_alignment(options.align)
    smallest = defect_pixels(options.smallest_defect, options.scale)
    budget = budget_seconds(options.budget)
    photograph = usual_size(paths)
    if photograph is None:
        return PlannedView(reading.size, reading.size)
    regions = plan_regions(options.include, options.ignore, options.mask, photograph)

    def planned(scale: PlannedScale) -> PlannedView:
        sides = scale.sides
        view = View(
            photograph=photograph,
            reasons=scale.reasons,
            scale=round(scale.pixels, 6),
            stride=reading.stride,
            smallest_defect=round(scale.smallest_defect, 6),
            tile=sides.tile,
            reduced=is_much_larger(photograph, (sides.width, sides.height)),
            regions=regions,
        )
        if regions is not None:
            require_something(view, sides.height, sides.width)
            view = view.model_copy(update={"reasons": (*view.reasons, f"Looks at {regions_in_words(view)}.")})
        if options.nothing and not reading.any_shape and not view.key:
            return PlannedView(sides.height, sides.width)
        return PlannedView(sides.height, sides.width, view)

    def taken(sides: Sides) -> float:
        assert seconds is not None
        return seconds(planned(scale_of(photograph, sides, reading)))

    measured = None if seconds is None else taken
    found = planned(plan_scale(photograph, reading, smallest, budget, measured))
    if found.view is None:
        return found
    shape = found.height, found.width
    return replace(found, view=with_alignment(found.view, shape, paths, options.align, reading.bit_depth))


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
