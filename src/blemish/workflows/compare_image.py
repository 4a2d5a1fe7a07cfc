"""One photograph through several inspectors. Imports only what runs on the line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.core.storage import write_json
from blemish.workflows.request import Outcome, Request

if TYPE_CHECKING:
    from blemish.line.comparison import ImageComparison


class CompareImageRequest(Request):
    """Compare inspectors on one photograph.

    Attributes:
        image: the photograph.
        inspectors: two or more files, NAME.blemish.
        out: folder for `compare.html`, `compare.json` and PNG files.
    """

    image: Path
    inspectors: tuple[Path, ...]
    out: Path


@dataclass(frozen=True)
class CompareImageResult(Outcome):
    """The comparison, and the files that show it."""

    comparison: ImageComparison
    pictures: tuple[Path, ...]
    page: Path

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        pictures = [str(path) for path in self.pictures]
        return {**self.comparison.to_json(), "pictures": pictures, "page": str(self.page)}


def compare_image(request: CompareImageRequest) -> CompareImageResult:
    """Inspect one photograph with several inspectors, and write page, pictures and figures.

    Raises:
        UsageError: there are fewer than two inspectors.
        ArtifactError: one cannot be used.
        ImageError: the photograph cannot be read.
    """
    from blemish.line import comparison

    out = request.out
    compared = comparison.compare_image(request.image, request.inspectors)
    result = CompareImageResult(
        compared, tuple(comparison.write_pictures(compared, out)), out / "compare.html"
    )
    comparison.write_page(compared, result.page)
    write_json(out / "compare.json", result.to_json())
    return result
