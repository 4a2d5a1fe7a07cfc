"""Where the vectors of a memory bank come from: the photograph, the copy of it, and the place on that."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.types import ByteArray
from blemish.detectors.augmentation import Augmentation
from blemish.detectors.copies import Copies

Places = npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True)
class Copy:
    """One of the copies of a photograph that a bank is filled from; the photograph itself where nothing makes it.

    Attributes:
        made_by: the kind, or what changes photographs at random.
        number: of the copy among those of its kind.
    """

    made_by: Copies | Augmentation | None = None
    number: int = 0

    def of(self, picture: ByteArray, stride: float) -> ByteArray:
        """The copy of a picture, uint8 RGB H x W x 3 of the network's input, patches of which are `stride` apart."""
        if self.made_by is None:
            return picture
        if isinstance(self.made_by, Augmentation):
            return self.made_by.copies(picture)[self.number]
        ((copy, _),) = self.made_by.of(picture, stride, (self.number,))
        return copy

    def way_back(self, width: int, height: int, stride: float) -> npt.NDArray[np.float64]:
        """From places on the copy to those on the photograph it is of, both in pixels: 2 x 3.

        A photograph that was changed at random is taken to lie as it did.
        """
        if isinstance(self.made_by, Copies):
            return self.made_by.way_back(self.number, width, height, stride)
        return np.eye(3)[:2]

    def __str__(self) -> str:
        """How the copy was made, as "turned by 45 degrees"; empty for the photograph itself."""
        if self.made_by is None:
            return ""
        if isinstance(self.made_by, Augmentation):
            return "changed at random"
        return self.made_by.in_words(self.number)


ITSELF = Copy()


@dataclasses.dataclass(frozen=True)
class BankSources:
    """Of each vector of a memory bank, N, what it was read from.

    Attributes:
        paths: files learnt from.
        owners: of each vector the position of its file, int N.
        places: of each vector the position of its copy in `copies`, and its row and column on that, int32 N x 3.
        copies: all that occur.
        grid: rows and columns of the patches of a photograph.
        margin: pixels of the network's input around what the patches cover.
    """

    paths: Sequence[Path]
    owners: npt.NDArray[np.int64]
    places: Places
    copies: tuple[Copy, ...]
    grid: tuple[int, int]
    margin: int = 0


def grid_places(rows: int, columns: int, copy: int = 0) -> Places:
    """Places of all patches of a grid on one copy, in reading order: int32 rows * columns x 3."""
    down, right = np.mgrid[:rows, :columns]
    return np.stack([np.full(rows * columns, copy), down.ravel(), right.ravel()], axis=1).astype(np.int32)
