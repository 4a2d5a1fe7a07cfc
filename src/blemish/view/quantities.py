"""Lengths, scales and times as people write them: "12px", "0.4mm", "0.05mm/px", "60ms"."""

from __future__ import annotations

import math
import re

from blemish.core.errors import UsageError

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-zµμ/]+)\s*", re.IGNORECASE)
_MILLIMETRES = {"mm": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3}
_SECONDS = {"ms": 1e-3, "s": 1.0}


def defect_pixels(smallest_defect: str, scale: str) -> float | None:
    """Side of the smallest defect in pixels of the photograph; None where none is named.

    Args:
        smallest_defect: as "12px", "0.4mm" or "400um"; "" for none.
        scale: of the photographs, as "0.05mm/px", "50um/px" or "20px/mm"; "" where only pixels are named.

    Raises:
        UsageError: it is none of these, millimetres are named without a scale, or it is under a pixel.
    """
    millimetres = millimetres_per_pixel(scale)
    if not smallest_defect.strip():
        return None
    pixels = length_pixels("smallest_defect", smallest_defect, millimetres)
    if pixels < 1:
        raise UsageError(
            f"smallest_defect={smallest_defect} is {pixels:.2g} pixels of the photograph, and under one nothing is "
            "seen: give a larger one, or photographs of a higher resolution."
        )
    return pixels


def length_pixels(name: str, length: str, millimetres: float | None) -> float:
    """A length in pixels of the photograph, 0 or more.

    Args:
        name: what the length is of, for messages.
        length: as "12px", "0.4mm" or "400um".
        millimetres: for each pixel of the photographs; None where nobody said.

    Raises:
        UsageError: it is no length, or millimetres are named and nobody said how many a pixel has.
    """
    value, unit = _parsed(length)
    if unit == "px":
        return value
    if unit not in _MILLIMETRES:
        raise UsageError(f"{name}={length} is no length: write it as 12px, 0.4mm or 400um.")
    if millimetres is None:
        raise UsageError(
            f"{name}={length} needs the scale of the photographs: give it as scale=0.05mm/px, or "
            "name the length in pixels, as 12px."
        )
    return value * _MILLIMETRES[unit] / millimetres


def millimetres_per_pixel(scale: str) -> float | None:
    """A scale in millimetres for each pixel; None where none is named.

    Raises:
        UsageError: it is no scale.
    """
    if not scale.strip():
        return None
    value, unit = _parsed(scale)
    over, _, under = unit.partition("/")
    if value > 0 and under == "px" and over in _MILLIMETRES:
        return value * _MILLIMETRES[over]
    if value > 0 and over == "px" and under in _MILLIMETRES:
        return _MILLIMETRES[under] / value
    raise UsageError(f"scale={scale} is no scale: write it as 0.05mm/px, 50um/px or 20px/mm.")


def budget_seconds(budget: str) -> float | None:
    """A time in seconds; None where none is named.

    Raises:
        UsageError: it is no time above zero.
    """
    if not budget.strip():
        return None
    value, unit = _parsed(budget)
    if unit not in _SECONDS or value <= 0:
        raise UsageError(f"budget={budget} is no time: write it as 60ms or 0.5s.")
    return value * _SECONDS[unit]


def in_pixels(pixels: float) -> str:
    """A number of pixels as a person writes it: tenths under ten, and rounded up, as it is a bound."""
    steps = 10 if pixels < 10 else 1
    return f"{math.ceil(pixels * steps - 1e-6) / steps:g}"


def in_milliseconds(seconds: float) -> str:
    """A time as a person writes it."""
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


def _parsed(text: str) -> tuple[float, str]:
    """The number and the unit, in lower case; no unit where it cannot be told."""
    found = _QUANTITY.fullmatch(text)
    return (float(found[1]), found[2].lower()) if found else (0.0, "")
