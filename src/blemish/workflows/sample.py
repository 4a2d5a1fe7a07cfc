"""The generated sample line: parts to try everything on, without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blemish.workflows.request import Argument, Option, Outcome, Request


class SampleRequest(Request):
    """Generate the sample line, in the MVTec AD layout."""

    out: Annotated[Path, Argument("OUT")] = Field(
        description="Folder for the categories; each becomes a folder in it."
    )
    categories: Annotated[tuple[str, ...], Option("--category", repeated=True)] = Field(
        (),
        description="Only this category (repeat for more): brick, grass, gravel, washer, label, board.",
    )
    train: int = Field(40, description="Good images to learn from, per category.")
    good: int = Field(16, description="Good images to test with, per category.")
    per_defect_type: int = Field(4, description="Test images of each of the six types of defect.")
    size: int = Field(256, description="Side of the images in pixels.")
    seed: int = Field(0, description="The same seed gives the same images.")


@dataclass(frozen=True)
class SampleResult(Outcome):
    """What was asked for, the folders written, and the types of defect in them."""

    request: SampleRequest
    folders: list[Path]
    defect_types: list[str]

    @property
    def n_defective(self) -> int:
        """Defective test images of a category."""
        return self.request.per_defect_type * len(self.defect_types)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "folders": [str(folder) for folder in self.folders],
            "train": self.request.train,
            "test_good": self.request.good,
            "test_defective": self.n_defective,
            "defect_types": self.defect_types,
            "size": self.request.size,
            "seed": self.request.seed,
        }


def sample(request: SampleRequest) -> SampleResult:
    """Write the categories asked for; errors as of `blemish.data.sample_line.write_sample_line`."""
    from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
    from blemish.data.synthetic import DEFECT_PAINTERS

    folders = write_sample_line(
        request.out,
        request.categories or SAMPLE_CATEGORIES,
        request.train,
        request.good,
        request.per_defect_type,
        request.size,
        request.seed,
    )
    return SampleResult(request, folders, list(DEFECT_PAINTERS))
