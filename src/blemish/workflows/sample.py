"""The generated sample line: parts to try everything on, without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
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
    large: bool = Field(
        False, description="One category of 4000 x 3000 pixels with defects of 14 to 30 instead: plate."
    )
    train: int | None = Field(
        None, description="Good images to learn from, per category; 40, or 16 large ones."
    )
    good: int | None = Field(None, description="Good images to test with, per category; 16, or 8 large ones.")
    per_defect_type: int = Field(4, description="Test images of each of the types of defect.")
    size: int | None = Field(None, description="Side of the images in pixels; 256.")
    seed: int = Field(0, description="The same seed gives the same images.")


@dataclass(frozen=True)
class SampleResult(Outcome):
    """What was asked for, the folders written, and the types of defect in them."""

    request: SampleRequest
    folders: list[Path]
    defect_types: list[str]
    train: int
    good: int
    size: tuple[int, int]

    @property
    def n_defective(self) -> int:
        """Defective test images of a category."""
        return self.request.per_defect_type * len(self.defect_types)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "folders": [str(folder) for folder in self.folders],
            "train": self.train,
            "test_good": self.good,
            "test_defective": self.n_defective,
            "defect_types": self.defect_types,
            "size": self.size[0],
            "width": self.size[0],
            "height": self.size[1],
            "seed": self.request.seed,
        }


def sample(request: SampleRequest) -> SampleResult:
    """Write the categories asked for.

    Raises:
        UsageError: what a large category has not is asked of it; or as of `blemish.data.sample_line.write_sample_line`.
    """
    return _large(request) if request.large else _small(request)


def _small(request: SampleRequest) -> SampleResult:
    from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
    from blemish.data.synthetic import DEFECT_PAINTERS

    train, good, size = (
        usual if given is None else given
        for given, usual in ((request.train, 40), (request.good, 16), (request.size, 256))
    )
    categories = request.categories or SAMPLE_CATEGORIES
    folders = write_sample_line(
        request.out, categories, train, good, request.per_defect_type, size, request.seed
    )
    return SampleResult(request, folders, list(DEFECT_PAINTERS), train, good, (size, size))


def _large(request: SampleRequest) -> SampleResult:
    from blemish.data.large_part import HEIGHT, WIDTH
    from blemish.data.large_sample import LARGE_CATEGORY, LARGE_DEFECTS, write_large_sample

    if request.size is not None:
        raise UsageError(
            f"--size {request.size} is not possible with --large: it has {WIDTH} x {HEIGHT} pixels."
        )
    if others := [name for name in request.categories if name != LARGE_CATEGORY]:
        raise UsageError(f"--category {others[0]} is not large: leave it out, or leave out --large.")
    train = 16 if request.train is None else request.train
    good = 8 if request.good is None else request.good
    folder = write_large_sample(request.out, train, good, request.per_defect_type, request.seed)
    return SampleResult(request, [folder], list(LARGE_DEFECTS), train, good, (WIDTH, HEIGHT))
