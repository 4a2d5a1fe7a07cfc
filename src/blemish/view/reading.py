"""From a photograph's file to pixels for a contract: decoded at reduced scale where the view says so.

The laboratory and the line both open files here, so that both see the same pixels.
"""

from __future__ import annotations

import math

from blemish.core.images import DEFAULT_LIMITS, DecodedPhotograph, DecodeLimits, decode_photograph
from blemish.view.preprocessing import Preprocessing

ENOUGH = 2.0
"""Times as many pixels on a side as the network's input has, at least, are decoded of a photograph."""


def open_photograph(
    content: bytes, name: str, contract: Preprocessing, limits: DecodeLimits = DEFAULT_LIMITS
) -> DecodedPhotograph:
    """A photograph decoded for a contract.

    Args:
        content: the whole file.
        name: what to call it in errors.
        contract: of the preprocessing that follows.
        limits: bytes, pixels and sides allowed, of the photograph itself.

    Raises:
        ImageError: as `blemish.core.images.decode_image`.
    """
    return decode_photograph(content, name, limits, contract.bit_depth, enough_for(contract))


def enough_for(contract: Preprocessing) -> tuple[int, int] | None:
    """Width and height in pixels of a photograph that are enough for a contract; None where all are wanted."""
    if contract.view is None or not contract.view.reduced:
        return None
    return math.ceil(ENOUGH * contract.width), math.ceil(ENOUGH * contract.height)


def is_much_larger(photograph: tuple[int, int], sides: tuple[int, int]) -> bool:
    """Whether a photograph (width, height) can be decoded at half its scale, and has enough left for such an input."""
    return all(whole >= 2 * ENOUGH * side for whole, side in zip(photograph, sides, strict=True))
