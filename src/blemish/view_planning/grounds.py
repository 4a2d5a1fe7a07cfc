"""Learning from good photographs how parts are told from a plain ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.ahead import look_ahead
from blemish.core.errors import ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.progress import track
from blemish.core.types import ByteArray
from blemish.view.foreground import (
    FEWEST,
    MOST,
    MOST_OF_BORDER,
    SIDE,
    Foreground,
    Ground,
    ground_of,
    ground_threshold,
    part_mask,
)
from blemish.view.parts import Parts, cut_out, split

MOST_LOOKED_AT = 100
"""Good photographs that are looked at, evenly spread over all."""

MARGIN = 0.03
"""How far around a part its ground counts, as a share of the longer side: a burr and a chipped edge still show."""

_FEWEST_PLAIN = 0.9
_LOW = 0.6
"""Where between ground and Otsu's threshold a part begins: its shaded sides are above, the ground's grain is below."""


@dataclass(frozen=True)
class Grounds:
    """Good photographs, made small, on their plain ground.

    Attributes:
        grounds: of each photograph that shows one.
        threshold: difference from the ground above which a pixel is a part's.
    """

    grounds: tuple[Ground, ...]
    threshold: float


def learn_grounds(
    paths: Sequence[Path],
    bit_depth: int,
    *,
    side: int,
    most_of_border: float,
    seen: Callable[[ByteArray], Sequence[ByteArray]] = lambda image: [image],
) -> Grounds | None:
    """The plain ground of good photographs; None where under nine in ten show one.

    Args:
        paths: photographs of good parts; those that cannot be read are passed over.
        bit_depth: bits that 16-bit photographs really use.
        side: longest side in pixels at which they are looked at.
        most_of_border: largest share of a photograph's border that parts may cover.
        seen: what is looked at of a photograph, uint8 RGB: all of it, or what is cut out.
    """
    places = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), MOST_LOOKED_AT)).astype(int)).tolist()
    read = look_ahead(lambda place: _grounds(paths[place], bit_depth, side, seen), places)
    kept: list[tuple[Ground, float]] = []
    count = 0
    for grounds in track(read, "Looking for a plain ground", len(places)):
        count += len(grounds)
        thresholds = [ground_threshold(ground, most_of_border) for ground in grounds]
        kept += [(one, value) for one, value in zip(grounds, thresholds, strict=True) if value is not None]
    if not kept or len(kept) < _FEWEST_PLAIN * count:
        return None
    return Grounds(tuple(ground for ground, _ in kept), _LOW * float(np.median([value for _, value in kept])))


def learn_foreground(
    paths: Sequence[Path], bit_depth: int, usual: tuple[int, int], parts: Parts | None
) -> Foreground:
    """How the part alone is told from a plain ground, in photographs like these good ones or what is cut out of them.

    Raises:
        UsageError: they show no plain ground, or the part fills them.
    """
    if parts is not None and parts.components is not None:
        return Foreground(threshold=parts.components.threshold, margin=MARGIN)

    def seen(image: ByteArray) -> list[ByteArray]:
        return [image] if parts is None else cut_out(image, split(image, parts, usual))

    grounds = learn_grounds(paths, bit_depth, side=SIDE, most_of_border=MOST_OF_BORDER, seen=seen)
    if grounds is not None:
        shares = [part_mask(one.difference, grounds.threshold).mean() for one in grounds.grounds]
        if FEWEST < float(np.median(shares)) < MOST:
            return Foreground(threshold=grounds.threshold, margin=MARGIN)
    raise UsageError(
        "foreground=True is not possible here, as the good photographs show no part before a plain ground that is seen "
        "along their border: leave it off, or name what counts with include or mask."
    )


def _grounds(
    path: Path, bit_depth: int, side: int, seen: Callable[[ByteArray], Sequence[ByteArray]]
) -> list[Ground]:
    """None for a photograph that cannot be read, which `fit` will tell."""
    try:
        return [ground_of(image, side) for image in seen(read_image(path, bit_depth=bit_depth))]
    except ImageError:
        return []
