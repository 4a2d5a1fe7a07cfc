"""From shapes as typed, and a mask's file, to the regions of a view."""

from __future__ import annotations

from pathlib import Path

from blemish.view.asked_regions import asked_regions
from blemish.view.regions import Regions


def plan_regions(
    include: tuple[str, ...] | str,
    ignore: tuple[str, ...] | str,
    mask: str,
    photograph: tuple[int, int],
) -> Regions | None:
    """The regions that are asked for; None where nothing is.

    Args:
        include, ignore: shapes as `blemish.view.regions.Regions` takes them, or one.
        mask: file of an image whose white counts; "" for none.
        photograph: width and height of the usual photograph.

    Raises:
        UsageError: a shape is none, has no area, or reaches out of the photograph; the mask cannot be read, has
            another aspect, or is black.
    """
    if not (include or ignore or mask):
        return None
    included, ignored = ((one,) if isinstance(one, str) else tuple(one) for one in (include, ignore))
    return asked_regions(included, ignored, Path(mask) if mask else None, photograph)
