"""Rows of features of photographs that are too long to be held all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from blemish.core.types import FloatArray

BLOCK = 64
"""Fewest rows read at once, where there are as many; fewer than twice as many are read."""


class Vectors(Protocol):
    """What turns files into rows of features.

    Attributes:
        names: of the columns.
    """

    names: tuple[str, ...]

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order."""


class JoinedVectors:
    """Rows of several kinds of features, one behind the other.

    Attributes:
        names: of all columns.
    """

    def __init__(self, parts: Sequence[Vectors]) -> None:
        self.names = tuple(name for part in parts for name in part.names)
        self._parts = tuple(parts)

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order."""
        for rows in zip(*(part.stream(paths) for part in self._parts), strict=True):
            yield np.concatenate(rows)


class StreamedRows:
    """Rows (N x D, float32) that are read anew whenever they are gone through; never more than a block at once.

    Attributes:
        paths: the photographs, N.
    """

    def __init__(self, vectors: Vectors, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self.paths)

    def blocks(self) -> Iterator[FloatArray]:
        """The rows in order, in blocks of 64 to 127; all in one where there are fewer than 128.

        Raises:
            ImageError: a file cannot be read.
        """
        for part in np.array_split(np.arange(len(self)), max(1, len(self) // BLOCK)):
            if len(part):
                rows = np.empty((len(part), len(self._vectors.names)), np.float32)
                for row, vector in zip(
                    rows, self._vectors.stream([self.paths[n] for n in part]), strict=True
                ):
                    row[:] = vector
                yield rows

    def take(self, positions: Sequence[int]) -> StreamedRows:
        """Some of the rows."""
        return StreamedRows(self._vectors, [self.paths[position] for position in positions])
