"""Corrections as they are learnt from: a photograph, and what a person found the part on it to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import FailFast, Field

from blemish.core.records import Record, Sha256

MOST_REMEMBERED = 4000
"""Photographs of each kind, so that a manifest stays small."""

_Digests = Annotated[tuple[Sha256, ...], FailFast(), Field(max_length=MOST_REMEMBERED)]


@dataclass(frozen=True)
class LinePhotograph:
    """A photograph of the line.

    Attributes:
        name: what a person calls it.
        digest: SHA-256 of its file.
        read: gives the bytes of the file; raises an `ImageError` or `NotFoundError` where it is gone.
        id: number of its inspection; None of a file in a folder.
    """

    name: str
    digest: str
    read: Callable[[], bytes]
    id: int | None = None


@dataclass(frozen=True)
class Correction:
    """What people said of a photograph.

    Attributes:
        photograph: which.
        good: whether the part on it is good.
        by: who said so last.
        confirmed: whether a second person has said the same, or somebody has confirmed it.
    """

    photograph: LinePhotograph
    good: bool
    by: str = "local"
    confirmed: bool = False


class HeadRecord(Record):
    """A head of known defects in the network.

    Attributes:
        n_defects: known defects that it was learnt from.
        found: share of them whose score it raises, each as if unseen.
    """

    n_defects: int = Field(ge=1)
    found: float = Field(ge=0, le=1)


class CorrectionsRecord(Record):
    """What an inspector has learnt from corrections, since it was fitted.

    Attributes:
        parent: SHA-256 of the file that it was made of.
        good: SHA-256 of photographs whose patches are in the memory bank because people found them good.
        calibrated: SHA-256 of photographs of the line that the calibration rests on besides.
        defects: SHA-256 of known defects, in the order of `known_defects.npy`.
        n_patches: vectors at the end of the bank that are of corrected photographs.
        head: of known defects; None where there are too few, or it would tell too few of them.
    """

    parent: Sha256
    good: _Digests = ()
    calibrated: _Digests = ()
    defects: _Digests = ()
    n_patches: int = Field(0, ge=0, le=1_000_000)
    head: HeadRecord | None = None

    @property
    def digests(self) -> frozenset[str]:
        """All photographs that say nothing of how well the inspector does on others."""
        return frozenset({*self.good, *self.calibrated, *self.defects})

    def contradicts(self, correction: Correction) -> bool:
        """Whether it was learnt as the opposite of what a person says now."""
        learnt_as_good = {*self.good, *self.calibrated}
        return correction.photograph.digest in (self.defects if correction.good else learnt_as_good)
