"""From what is asked of a view, and the photographs, to the view and the size of the network's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import upright_size
from blemish.view.asked_regions import regions_in_words, require_something
from blemish.view.quantities import budget_seconds, defect_pixels
from blemish.view.reading import is_much_larger
from blemish.view.view import View
from blemish.view_planning.alignment import require_alignment, with_alignment
from blemish.view_planning.grounds import MARGIN, learn_foreground
from blemish.view_planning.parts import ONE, grid_of, learn_parts
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

    @property
    def of_part(self) -> PlannedView:
        """The plan for parts that are cut out of their photographs first; the same one where nothing is cut."""
        return replace(self, view=self.view and self.view.of_part)


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
        UsageError: an option cannot be meant, not be kept, not of these photographs, or would not help here.
    """
    require_alignment(options.align)
    grid_of(options.parts)
    smallest = defect_pixels(options.smallest_defect, options.scale)
    budget = budget_seconds(options.budget)
    photograph = usual_size(paths)
    if photograph is None:
        return PlannedView(reading.size, reading.size)
    _refuse_together(options)
    base = _what_is_looked_at(paths, photograph, options, reading)
    shown = base.parts.cut if base.parts else photograph

    def planned(scale: PlannedScale) -> PlannedView:
        sides = scale.sides
        view = base.model_copy(
            update={
                "reasons": (*scale.reasons, *base.reasons),
                "scale": round(scale.pixels, 6),
                "stride": reading.stride,
                "smallest_defect": round(scale.smallest_defect, 6),
                "tile": sides.tile,
                "reduced": base.parts is None and is_much_larger(photograph, (sides.width, sides.height)),
            }
        )
        if view.regions is not None:
            require_something(view, sides.height, sides.width)
        if options.nothing and not reading.any_shape and not view.key:
            return PlannedView(sides.height, sides.width)
        return PlannedView(sides.height, sides.width, view)

    def taken(sides: Sides) -> float:
        assert seconds is not None
        return seconds(planned(scale_of(shown, sides, reading)))

    measured = None if seconds is None else taken
    found = planned(plan_scale(shown, reading, smallest, budget, measured))
    if found.view is None:
        return found
    shape = found.height, found.width
    return replace(found, view=with_alignment(found.view, shape, paths, options.align, reading.bit_depth))


def _what_is_looked_at(
    paths: Sequence[Path], photograph: tuple[int, int], options: ViewOptions, reading: Reading
) -> View:
    """The view with its regions, its parts and its foreground, before anything is planned of its size.

    Raises:
        UsageError: one of them is not possible of these photographs.
    """
    regions = plan_regions(options.include, options.ignore, options.mask, photograph)
    view = View(photograph=photograph, regions=regions)
    reasons = []
    if options.parts != ONE:
        found = learn_parts(paths, options.parts, photograph, reading.bit_depth, square=not reading.any_shape)
        view = view.model_copy(update={"parts": found.parts})
        reasons.append(found.reason)
    if options.foreground:
        foreground = learn_foreground(paths, reading.bit_depth, view)
        view = view.model_copy(update={"foreground": foreground})
        reasons.append(
            f"Only the part counts, and {MARGIN:.0%} of the longer side around it, before a plain ground."
        )
    if regions is not None:
        reasons.append(f"Looks at {regions_in_words(view)}.")
    return view.model_copy(update={"reasons": tuple(reasons)})


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
