"""A verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import ImageError
from blemish.core.progress import track
from blemish.workflows.fields import InspectorFile
from blemish.workflows.request import Argument, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.photographs import Photograph
    from blemish.line.results import Result
    from blemish.line.runtime import Inspector

_QUALITY = 90
"""Of the overlays' JPEG files."""


class Save(StrEnum):
    """Of which photographs an overlay is written."""

    ALL = "all"
    REJECTS = "rejects"
    NONE = "none"


class InspectRequest(Request):
    """Judge photographs."""

    inspector: InspectorFile
    paths: Annotated[tuple[Path, ...], Argument("PATH...")] = Field(
        description="Photographs, and folders of them."
    )
    out: Path | None = Field(
        None, description="Folder for overlays, results.json and results.csv; none if absent."
    )
    save: Save = Field(Save.ALL, description="Of which photographs to write overlays.")


@dataclass(frozen=True)
class InspectResult(Outcome):
    """What came of each photograph, in the order of the paths; without their maps."""

    results: tuple[Result, ...]

    @property
    def complete(self) -> bool:
        """Whether every photograph was judged and passed."""
        return all(result.verdict == "pass" for result in self.results)

    def to_json(self) -> list[dict[str, Any]]:
        """A document for each photograph."""
        return [result.to_json() for result in self.results]


def inspect(request: InspectRequest, tell: Callable[[Result], None] = lambda result: None) -> InspectResult:
    """Judge photographs; one that cannot be inspected becomes a result too, and the others go on.

    Args:
        request: what to judge with what.
        tell: called with each result as soon as it is there.

    Raises:
        UsageError: `out` is one of the folders to inspect.
        ArtifactError: the inspector cannot be used.
        BlemishError: a file cannot be written.
    """
    from blemish.line.photographs import find_photographs
    from blemish.line.results import write_results
    from blemish.line.runtime import Inspector

    photographs = find_photographs(request.paths, request.out)
    inspector = Inspector.load(request.inspector)
    results = []
    for photograph in track(photographs, f"Inspecting with {inspector.name}"):
        results.append(_inspect_one(inspector, photograph, request))
        tell(results[-1])
    if request.out is not None:
        write_results(request.out, results)
    return InspectResult(tuple(results))


def _inspect_one(inspector: Inspector, photograph: Photograph, request: InspectRequest) -> Result:
    """Judge one photograph and write its overlay; an error becomes a result too."""
    from blemish.core.pictures import encoded
    from blemish.core.storage import write_bytes
    from blemish.core.types import Verdict
    from blemish.line.results import Result

    path, out = photograph.path, request.out
    try:
        if photograph.error:
            raise photograph.error
        inspection = inspector.inspect(path)
    except ImageError as error:
        return Result(path, error=str(error), kind=error.kind)
    left_out = request.save == Save.REJECTS and inspection.verdict == Verdict.PASS
    if out is None or request.save == Save.NONE or left_out:
        return Result.of(path, inspection)
    write_bytes(out / photograph.place, encoded(inspection.overlay_pixels(), ".jpg", _QUALITY))
    return Result.of(path, inspection, out / photograph.place)
