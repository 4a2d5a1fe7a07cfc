"""Masks written as run lengths: how many pixels in turn are not marked and are, in a rectangle of the photograph.

Four programs write four codings of the same thing; all become `Runs` here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.core.images import DEFAULT_LIMITS
from blemish.core.types import BoolArray


@dataclass(frozen=True)
class Runs:
    """Marked pixels of a rectangle.

    Attributes:
        left, top, width, height: the rectangle, in pixels of the photograph.
        counts: pixels not marked, marked, not marked, ...; those after the last count are not marked.
        by_column: whether the pixels go down the columns, as in COCO, or along the rows.
    """

    left: int
    top: int
    width: int
    height: int
    counts: tuple[int, ...]
    by_column: bool = False

    def __post_init__(self) -> None:
        if min(self.left, self.top) < 0 or min(self.width, self.height) < 1:
            raise ValueError("the rectangle of the run lengths has no pixel in the photograph")
        if self.width * self.height > DEFAULT_LIMITS.max_pixels:
            raise ValueError(
                f"the run lengths are of {self.width} x {self.height} pixels, which no photograph has"
            )
        if any(count < 0 for count in self.counts):
            raise ValueError("a run length is below zero")
        if sum(self.counts) > self.width * self.height:
            raise ValueError(
                f"the run lengths go over {sum(self.counts)} pixels, "
                f"but there are {self.width} x {self.height}"
            )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The rectangle that holds the marked pixels: x, y, width and height; of no size where none is marked."""
        ends = np.cumsum(np.asarray(self.counts, np.int64))
        first, end = ends[:-1:2], ends[1::2]
        first, last = first[: len(end)][end > first[: len(end)]], end[end > first[: len(end)]] - 1
        if not len(first):
            return (self.left, self.top, 0, 0)
        side = self.height if self.by_column else self.width
        line, last_line = int((first // side).min()), int((last // side).max())
        turns = bool(
            (first // side != last // side).any()
        )  # a run that goes on in the next line fills the side
        place = 0 if turns else int((first % side).min())
        last_place = side - 1 if turns else int((last % side).max())
        left, top, right, bottom = (
            (line, place, last_line, last_place) if self.by_column else (place, line, last_place, last_line)
        )
        return (self.left + left, self.top + top, right - left + 1, bottom - top + 1)

    def pixels(self) -> BoolArray:
        """The rectangle's pixels, bool H x W."""
        values = np.zeros(self.width * self.height, np.bool_)
        marked = np.arange(len(self.counts)) % 2 == 1
        values[: sum(self.counts)] = np.repeat(marked, np.asarray(self.counts, np.int64))
        shape = (self.width, self.height) if self.by_column else (self.height, self.width)
        return values.reshape(shape).T if self.by_column else values.reshape(shape)


def runs_of(mask: BoolArray, left: int = 0, top: int = 0) -> Runs:
    """The run lengths, along the rows, of a mask bool H x W whose first pixel lies at `left`, `top`.

    Raises:
        ValueError: it has no pixels, or lies outside of every photograph.
    """
    values = np.concatenate([[False], np.asarray(mask, np.bool_).ravel(), [False]])
    edges = np.flatnonzero(values[1:] != values[:-1])
    counts = np.diff(edges, prepend=0)
    return Runs(left, top, mask.shape[1], mask.shape[0], tuple(counts.tolist()))


def runs_of_pairs(numbers: Sequence[int], width: int, height: int) -> Runs:
    """Run lengths as Kaggle's competitions write them: start and length in turn, from 1, down the columns.

    Raises:
        ValueError: they are not pairs, not in order, or go over the photograph's edge.
    """
    if len(numbers) % 2:
        raise ValueError("a start has no length")
    counts, end = [], 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        if start <= end or length < 1:
            raise ValueError(f"the run {start} {length} lies before the end of the last one, or is empty")
        counts += [start - 1 - end, length]
        end = start - 1 + length
    return Runs(0, 0, width, height, tuple(counts), by_column=True)


def runs_of_text(text: str, width: int, height: int) -> Runs:
    """Run lengths in COCO's compressed coding: six bits a character, later counts as differences to the last but one.

    Raises:
        ValueError: it is not in this coding, or goes over the photograph's edge.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 55:
            raise ValueError(f"{character!r} cannot stand there in compressed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("the compressed run lengths end within a number")
    return Runs(0, 0, width, height, tuple(counts), by_column=True)
