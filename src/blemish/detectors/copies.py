"""Which copies of good photographs a memory bank is filled from besides the photographs, as a user writes them."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Container, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from blemish.core.types import ByteArray
from blemish.detectors.turned_copies import shifted, turned

NONE, AUTO = "none", "auto"
"""Values of `copies` that name no kind: none are made, or `fit` chooses."""

TURN, MIRROR, SHIFT, RELIT = "turn", "mirror", "shift", "relit"

MOST_TURNS = 360

_GAINS = (0.85, 1.15)
_SHIFTS = (
    (0.5, 0.0),
    (0.0, 0.5),
    (0.5, 0.5),
)  # in strides of the finest patches: the farthest from all of them
_MIRRORED = (("left to right", -1.0, 1.0), ("top to bottom", 1.0, -1.0), ("both ways", -1.0, -1.0))
_TURN = re.compile(r"turn([1-9]\d{0,2})")


@dataclasses.dataclass(frozen=True)
class Copies:
    """Kinds of copies; the copies of several kinds stand side by side, none is of two.

    Attributes:
        turns: equal angles at which a photograph is shown, its own among them; 1 for that alone.
        mirror: left to right, top to bottom, and both.
        shift: by half a patch to the right, down, and both.
        relit: darker and brighter by 15 %.
    """

    turns: int = 1
    mirror: bool = False
    shift: bool = False
    relit: bool = False

    @classmethod
    def written(cls, text: str) -> Self:
        """What a value of `copies` such as "turn8,shift" names; "none" names nothing.

        Raises:
            ValueError: it names something else, or one kind twice.
        """
        if text == NONE:
            return cls()
        named = [name.strip() for name in text.split(",")]
        kinds = {"turns" if _TURN.fullmatch(name) else name for name in named}
        turns = [int(found[1]) for name in named if (found := _TURN.fullmatch(name))]
        if len(kinds) < len(named) or not kinds <= {"turns", MIRROR, SHIFT, RELIT}:
            raise ValueError(text)
        if turns and not 2 <= turns[0] <= MOST_TURNS:
            raise ValueError(text)
        return cls(turns[0] if turns else 1, MIRROR in kinds, SHIFT in kinds, RELIT in kinds)

    def __str__(self) -> str:
        """As it is written: "turn8,shift"."""
        turned = [f"turn{self.turns}"] if self.turns > 1 else []
        others = [name for name in (MIRROR, SHIFT, RELIT) if getattr(self, name)]
        return ",".join(turned + others) or NONE

    def kinds(self) -> list[Copies]:
        """Each kind alone."""
        every = (
            Copies(self.turns),
            Copies(mirror=self.mirror),
            Copies(shift=self.shift),
            Copies(relit=self.relit),
        )
        return [kind for kind in every if len(kind)]

    def __or__(self, other: Copies) -> Copies:
        """The copies of either; the more turns."""
        return Copies(
            max(self.turns, other.turns),
            self.mirror or other.mirror,
            self.shift or other.shift,
            self.relit or other.relit,
        )

    def __len__(self) -> int:
        """How many copies there are of a photograph, besides itself."""
        return self.turns - 1 + 3 * self.mirror + len(_SHIFTS) * self.shift + len(_GAINS) * self.relit

    def of(
        self, picture: ByteArray, stride: float, wanted: Container[int]
    ) -> Iterator[tuple[ByteArray, float]]:
        """Copies of a picture, uint8 RGB H x W x 3, each with the angle in degrees by which it is turned.

        Args:
            picture: of the network's input size.
            stride: pixels from one patch to the next.
            wanted: which of them, by number from 0.
        """
        for number, (make, angle) in enumerate(self._makers(stride)):
            if number in wanted:
                yield np.ascontiguousarray(make(picture)), angle

    def in_words(self, number: int) -> str:
        """How copy `number` is made, as "turned by 45 degrees"."""
        return self._made(number, 1.0)[0]

    def way_back(self, number: int, width: int, height: int, stride: float) -> npt.NDArray[np.float64]:
        """From places on copy `number` to those on a photograph of `width` x `height` pixels, both in pixels: 2 x 3."""
        motion, middle = self._made(number, stride)[1], np.array([width / 2, height / 2])
        shift = middle - motion[:, :2] @ middle + motion[:, 2]
        return np.column_stack([motion[:, :2], shift])

    def _made(self, number: int, stride: float) -> tuple[str, npt.NDArray[np.float64]]:
        """How a copy is made, in words, and the motion about its middle that leads back from it, 2 x 3."""
        still = np.eye(3)[:2]
        made: list[tuple[str, npt.NDArray[np.float64]]] = []
        for turn in range(1, self.turns):
            angle = 360 * turn / self.turns
            cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
            back = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
            made.append((f"turned by {angle:.4g} degrees", back))
        if self.mirror:
            for words, across, down in _MIRRORED:
                made.append((f"mirrored {words}", np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])))
        if self.shift:
            for right, down in _SHIFTS:
                pixels = [[-round(right * stride)], [-round(down * stride)]]
                made.append(("moved by half a patch", np.hstack([np.eye(2), pixels])))
        if self.relit:
            made += [
                (f"{abs(gain - 1):.0%} {'brighter' if gain > 1 else 'darker'}", still) for gain in _GAINS
            ]
        return made[number]

    def _makers(self, stride: float) -> Iterator[tuple[Callable[[ByteArray], ByteArray], float]]:
        """What makes each copy, and by which angle it turns."""
        for number in range(1, self.turns):
            angle = 360 * number / self.turns
            yield functools.partial(turned, angle=angle), angle
        if self.mirror:
            yield from ((functools.partial(np.flip, axis=axes), 0.0) for axes in (1, 0, (0, 1)))
        if self.shift:
            for right, down in _SHIFTS:
                yield functools.partial(shifted, right=round(right * stride), down=round(down * stride)), 0.0
        if self.relit:
            yield from ((functools.partial(relit, gain=gain), 0.0) for gain in _GAINS)


def can_be_meant(copies: object) -> bool:
    """Whether a value of `copies` is auto, none, or names kinds, each once."""
    try:
        return isinstance(copies, str) and (copies == AUTO or Copies.written(copies) is not None)
    except ValueError:
        return False


def relit(picture: ByteArray, gain: float) -> ByteArray:
    """The picture, uint8 H x W x 3, in another light: grey levels times `gain`, cut at 255."""
    levels: ByteArray = np.clip(gain * np.arange(256), 0, 255).round().astype(np.uint8)
    return levels[picture]
