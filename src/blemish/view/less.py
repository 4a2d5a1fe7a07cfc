"""Letting less of photographs count than was learnt: a view whose ignored area has grown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from blemish.core.errors import UsageError
from blemish.view.asked_regions import asked_regions, regions_in_words, require_something
from blemish.view.counting import seen_pixels
from blemish.view.regions import IgnoredLater, MaskBits, Regions
from blemish.view.view import View

_SINCE = "Since the fit "


def with_less(
    view: View,
    ignore: tuple[str, ...],
    include: tuple[str, ...],
    mask: Path | None,
    margin: int,
    height: int,
    width: int,
) -> View:
    """The view when these shapes count no longer, and of what counts now only what `include` and `mask` name.

    Args:
        view: what counts now.
        ignore, include: shapes in the coordinates of its photograph.
        mask: file of an image whose white counts; None for none.
        margin: see `IgnoredLater`.
        height, width: of the network's input.

    Raises:
        UsageError: a shape or the mask is not possible, more would count than now, nothing would change, or too little
            would be left.
    """
    if not (ignore or include or mask):
        raise UsageError("Nothing is named to be ignored: name it as box:X,Y,WIDTH,HEIGHT.")
    asked = asked_regions(include, ignore, mask, view.photograph)
    now = seen_pixels(view, (view.photograph[1], view.photograph[0]))
    white = Regions(mask=asked.mask).counted(view.photograph, view.photograph)
    if mask and (more := int(np.count_nonzero(white & ~now))):
        raise UsageError(
            f"The mask {mask} is white on {more:,} pixels of photographs that are ignored now, of which nothing has "
            "been learnt: fit anew with this mask, or paint them black."
        )
    wanted = white & Regions(include=asked.include).counted(view.photograph, view.photograph)
    before = Regions() if view.ignored_later is None else view.ignored_later.regions
    bits = before.mask
    try:
        if include or mask:
            bits = MaskBits.of(wanted & before.counted(view.photograph, view.photograph))
        later = Regions(ignore=(*before.ignore, *asked.ignore), mask=bits)
    except ValidationError as error:
        raise UsageError(
            "These regions are too many, or in too many pieces, to be kept: paint whole areas, or fit anew."
        ) from error
    changed = view.model_copy(update={"ignored_later": IgnoredLater(regions=later, margin=margin)})
    left = seen_pixels(changed, now.shape)
    if np.array_equal(left, now):
        raise UsageError("Nothing would change: all of this is ignored already.")
    require_something(changed, height, width)
    reasons = [reason for reason in view.reasons if not reason.startswith(_SINCE)]
    told = f"{_SINCE}it looks at {regions_in_words(changed)}; {margin} pixels of the input around what was taken away "
    return changed.model_copy(update={"reasons": (*reasons, f"{told}are not judged.")})
