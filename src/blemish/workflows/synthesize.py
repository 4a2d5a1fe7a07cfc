"""A data set with painted defects, from photographs of good parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.workflows.request import Request

if TYPE_CHECKING:
    from blemish.data.synthesis import SyntheticSet


class SynthesizeRequest(Request):
    """Paint defects into good photographs.

    Attributes:
        data: photographs of good parts: a folder in any layout, or a manifest.
        out: folder for the data set, in the MVTec AD layout.
        defects: types to paint; all where none is named.
        share: of the test images that get a defect.
        seed: of everything.
        foreground: paint only on the part, where it lies on an even ground.
        category: of several categories, this one; of one, its name.
        bit_depth: bits that 16-bit photographs really use.
    """

    data: Path
    out: Path
    defects: tuple[str, ...] = ()
    share: float = 0.75
    seed: int = Field(default=0, ge=0)
    foreground: bool = False
    category: str | None = None
    bit_depth: int = Field(default=16, ge=8, le=16)


@dataclass(frozen=True)
class SynthesizeResult:
    """What was asked for, and what was written."""

    request: SynthesizeRequest
    made: SyntheticSet

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "folder": str(self.made.folder),
            "contact_sheet": str(self.made.sheet),
            "train": self.made.n_train,
            "test": self.made.test,
            "share": self.request.share,
            "seed": self.request.seed,
            "foreground": self.request.foreground,
            "skipped": list(self.made.skipped),
        }


def synthesize(request: SynthesizeRequest) -> SynthesizeResult:
    """Write the data set and its contact sheet; errors as of `blemish.data.synthesis.write_synthetic_set`."""
    from blemish.data.categories import open_category
    from blemish.data.painted_images import Painting
    from blemish.data.synthesis import write_synthetic_set

    painting = Painting(request.defects, request.foreground, request.bit_depth)
    catalog = open_category(request.data, request.category)
    made = write_synthetic_set(catalog, request.out, request.share, request.seed, painting)
    return SynthesizeResult(request, made)
