"""Whether a photograph is like those that an inspector has learnt from, before anything is said of the part on it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import FailFast, Field, model_validator

from blemish.core.records import Finite, Record
from blemish.core.types import FloatArray
from blemish.line.photograph_measures import COLUMNS, DESCRIPTIONS, FIGURES, LAYOUT, TEXTURE, VERSION

MOST_KNOWN = 1000
"""Photographs whose descriptions an artifact carries."""

CHECKS = (*FIGURES, LAYOUT, TEXTURE)
"""In the order in which a photograph is told to be outside: causes before what follows from them."""

OF_THE_FILE = ("shape", "detail")
"""Checks that need no pixel."""

OF_THE_PART = ("part", "left", "top")

Check = Literal[
    "shape", "detail", "brightness", "contrast", "focus", "colour", "part", "left", "top", "layout", "texture"
]


class Limit(Record):
    """Within what a measure of a photograph must lie.

    Attributes:
        check: which measure, see `blemish.line.photograph_measures`; of "layout" and "texture" the distance to the most
            similar photograph known.
        low, high: the limits; None where that side is not looked at.
        least, most: what was learnt, the least and the greatest value.
    """

    check: Check
    low: Finite | None = None
    high: Finite | None = None
    least: Finite
    most: Finite

    @model_validator(mode="after")
    def _check_order(self) -> Limit:
        low = self.least if self.low is None else self.low
        high = self.most if self.high is None else self.high
        if not low <= self.least <= self.most <= high:
            raise ValueError("the limits must enclose what was learnt")
        return self

    def holds(self, value: float) -> bool:
        """Whether a value is within; what cannot be told is."""
        return not (
            (self.low is not None and value < self.low) or (self.high is not None and value > self.high)
        )

    def told(self, value: float) -> str:
        """What is wrong with a value that is outside, with figures."""
        few, many, figure, shown = _WORDS[self.check]
        low = self.low is not None and value < self.low
        if self.check in DESCRIPTIONS:
            return f"{many}: {figure} {shown(value)}, learnt up to {shown(self.most)}"
        learnt, most = shown(self.least), shown(self.most)
        between = learnt if learnt == most else f"{learnt} to {most}"
        return f"{few if low else many}: {figure} {shown(value)}, learnt {between}"


@dataclass(frozen=True, eq=False)
class KnownPhotographs:
    """Photographs learnt from, whose descriptions others are compared with.

    Attributes:
        measures: float32 N x `COLUMNS`.
    """

    measures: FloatArray

    def distance(self, description: str, measures: FloatArray) -> float:
        """Distance of a photograph's description, one of `DESCRIPTIONS`, from the nearest of these."""
        known, squares = self._described[description]
        one = measures[DESCRIPTIONS[description]]
        nearest = known[np.argmin(squares - 2 * (known @ one))]
        return float(
            np.linalg.norm(nearest - one)
        )  # the squares alone are off by roundings where lengths are large

    @functools.cached_property
    def _described(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Each description of all, N x D in one piece, and their squared lengths, N."""
        pieces = {name: np.ascontiguousarray(self.measures[:, where]) for name, where in DESCRIPTIONS.items()}
        return {name: (piece, (piece**2).sum(axis=1)) for name, piece in pieces.items()}


class Suitability(Record):
    """What photographs must be like to be judged; the descriptions of those known are `known_photographs.npy`.

    Attributes:
        version: of the measures.
        rate: share of good photographs, taken as those learnt from were, that is expected outside at most.
        n_photographs: how many the limits rest on.
        limits: one for each check that is made.
    """

    version: int = Field(default=VERSION, ge=1, le=VERSION)
    rate: float = Field(gt=0, lt=1)
    n_photographs: int = Field(ge=1)
    limits: Annotated[tuple[Limit, ...], FailFast(), Field(max_length=len(CHECKS))]

    @model_validator(mode="after")
    def _check_once(self) -> Suitability:
        if len({limit.check for limit in self.limits}) < len(self.limits):
            raise ValueError("a check has two limits")
        return self

    @property
    def places_part(self) -> bool:
        """Whether size and place of the part are checked."""
        return any(limit.check in OF_THE_PART for limit in self.limits)

    def reason(
        self, measures: FloatArray, known: KnownPhotographs, checks: tuple[str, ...] = CHECKS
    ) -> str | None:
        """Why a photograph is unlike those learnt from, in one sentence with figures; None where it is like them.

        Args:
            measures: float32 `COLUMNS`, of the photograph.
            known: those learnt from.
            checks: those to make.
        """
        by_check = {limit.check: limit for limit in self.limits}
        for check in CHECKS:
            if check not in checks or check not in by_check:
                continue
            described = check in DESCRIPTIONS
            value = known.distance(check, measures) if described else measures[FIGURES.index(check)]
            if not by_check[check].holds(float(value)):
                return by_check[check].told(float(value))
        return None


def are_known_photographs(known: npt.NDArray[Any]) -> bool:
    """Whether an array from a file is such: float32 N x `COLUMNS` of at most `MOST_KNOWN`, its descriptions finite."""
    shaped = known.dtype == np.dtype("<f4") and known.ndim == 2 and known.shape[1] == COLUMNS
    return shaped and 1 <= len(known) <= MOST_KNOWN and bool(np.isfinite(known[:, len(FIGURES) :]).all())


def _plain(value: float) -> str:
    return f"{value:.3g}"


def _power(value: float) -> str:
    return f"{math.exp(min(value, 50.0)):.3g}"


def _spread(value: float) -> str:
    return f"{math.expm1(min(value, 50.0)):.3g}"


def _level(value: float) -> str:
    return f"{math.expm1(min(value, 50.0)):.0f}"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _share_of_log(value: float) -> str:
    return f"{math.exp(min(value, 0.0)):.1%}"


_NEAREST = "distance to the most similar"
_THOSE = "than the photographs learnt from"
_WORDS: dict[str, tuple[str, str, str, Callable[[float], str]]] = {
    "shape": (f"much narrower {_THOSE}", f"much wider {_THOSE}", "width by height", _power),
    "detail": (f"much smaller {_THOSE}", f"much larger {_THOSE}", "pixels on the shorter side", _power),
    "brightness": (f"much darker {_THOSE}", f"much brighter {_THOSE}", "mean brightness", _level),
    "contrast": (
        f"much flatter {_THOSE}",
        f"of much more contrast {_THOSE}",
        "spread of grey levels",
        _spread,
    ),
    "focus": (f"much more blurred {_THOSE}", f"much grainier {_THOSE}", "sharpness", _power),
    "colour": (f"much paler {_THOSE}", f"much more colourful {_THOSE}", "mean chroma", _plain),
    "part": (
        "a much smaller part than in the photographs learnt from",
        "a much larger part than in the photographs learnt from",
        "share of the photograph",
        _share_of_log,
    ),
    "left": (
        "the part lies farther left than in the photographs learnt from",
        "the part lies farther right than in the photographs learnt from",
        "its middle across",
        _share,
    ),
    "top": (
        "the part lies higher than in the photographs learnt from",
        "the part lies lower than in the photographs learnt from",
        "its middle down",
        _share,
    ),
    LAYOUT: ("", "laid out like none of the photographs learnt from", _NEAREST, _plain),
    TEXTURE: ("", "of other texture or colours than the photographs learnt from", _NEAREST, _plain),
}
"""What is said of a value under and over its limits, of what the figure is, and how it is written."""
