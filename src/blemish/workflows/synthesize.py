"""A data set with painted defects, from photographs of good parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.progress import say
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import BitDepth, CategoryName, GoodParts
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    from blemish.data.synthesis import SyntheticSet


class SynthesizeRequest(DataRequest):
    """Paint defects into good photographs."""

    data: GoodParts
    out: Path = Field(description="Folder for the data set, in the MVTec AD layout.")
    defects: tuple[str, ...] = Field(
        (), description="Types with commas between, as scratch,perlin; all if absent."
    )
    share: float = Field(0.75, description="Share of the test images that get a defect.")
    seed: int = Field(0, ge=0, description="The same seed paints the same.")
    foreground: bool = Field(False, description="Paint only on the part, where it lies on an even ground.")
    category: CategoryName = None
    bit_depth: BitDepth = 16


@dataclass(frozen=True)
class SynthesizeResult(Outcome):
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
    catalog = open_category(request.data, request.category, told=request.told)
    made = write_synthetic_set(catalog, request.out, request.share, request.seed, painting)
    for one in made.skipped:
        say(f"Skipped {one['path']}: {one['detail']}")
    return SynthesizeResult(request, made)
