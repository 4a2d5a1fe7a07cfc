"""The generated sample line: parts to try everything on, without a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.workflows.request import Request


class SampleRequest(Request):
    """Generate the sample line, in the MVTec AD layout.

    Attributes:
        out: folder for the categories; each becomes a folder in it.
        categories: of the six, some; all where none is named.
        train, good: good images to learn from and to test with, per category.
        per_defect_type: test images of each type of defect.
        size: side of the images in pixels.
        seed: the same seed gives the same images.
    """

    out: Path
    categories: tuple[str, ...] = ()
    train: int = 40
    good: int = 16
    per_defect_type: int = 4
    size: int = 256
    seed: int = 0


@dataclass(frozen=True)
class SampleResult:
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
