"""A verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish import __version__
from blemish.core.errors import BlemishError, ImageError, UsageError
from blemish.core.execution import AUTO
from blemish.core.explanation import STOPPED, explained
from blemish.core.progress import say, track
from blemish.view.shapes import require_no_shape
from blemish.workflows.fields import (
    ClusterAddress,
    ClusterWorkers,
    DeviceName,
    Executor,
    ExecutorName,
    InspectorFile,
    PrecisionName,
)
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.inspection import Inspection
    from blemish.line.journal import Journal, State
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
        description="Photographs, and folders of them; with --executor ray also s3://BUCKET/PREFIX."
    )
    out: Path | None = Field(
        None, description="Folder for overlays, results.json and results.csv; none if absent."
    )
    save: Save = Field(Save.ALL, description="Of which photographs to write overlays.")
    ignore: Annotated[tuple[str, ...], Option(metavar="GLOB", repeated=True)] = Field(
        (),
        description="Leave out what has such a name or lies in such a folder, as '*.txt'; repeat for more.",
    )
    file_name: Annotated[str | None, Option(metavar="TEMPLATE")] = Field(
        None,
        description="Read serial number, batch, shift and camera out of each name, as '{batch}_{serial}_{camera}.png', "
        "with folders above it as '{batch}/{serial}'.",
    )
    explain: bool = Field(
        False,
        description="Say why each part that does not pass is called so, and draw it as NAME_why.png in --out.",
    )
    device: DeviceName = "cpu"
    precision: PrecisionName = None
    resume: bool = Field(
        False, description="Go on with the results in --out: judge only what is new, changed or failed."
    )
    executor: ExecutorName = Executor.LOCAL
    address: ClusterAddress = None
    workers: ClusterWorkers = None


@dataclass(frozen=True)
class InspectResult(Outcome):
    """What came of each photograph, in the order of the paths; without their maps.

    Attributes:
        results: one for each photograph, and for each file or folder that is none.
        count: photographs and others that there were.
        trouble: why results could not be written; empty if they were, or were not to be.
        stopped: whether Ctrl-C ended the work before all were judged.
    """

    results: tuple[Result, ...]
    count: int
    trouble: str = ""
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether every photograph was judged and passed, nothing was left out, and what was to be written is."""
        passed = all(result.verdict == "pass" and not result.error for result in self.results)
        return passed and not (self.trouble or self.stopped)

    @property
    def exit_status(self) -> int:
        """As of every workflow; 130 where Ctrl-C ended it."""
        return STOPPED if self.stopped else super().exit_status

    def to_json(self) -> list[dict[str, Any]]:
        """A document for each photograph."""
        return [result.to_json() for result in self.results]


def inspect(request: InspectRequest, tell: Callable[[Result], None] = lambda result: None) -> InspectResult:
    """Judge photographs; one that cannot be inspected becomes a result too, and the others go on.

    As many are judged at the same time as there are cores, each on one; results come in order, and memory is bounded.
    Ctrl-C ends the work; what was judged is written and returned. What kills it leaves the results so far in
    `.results.jsonl`, from which `resume` goes on.

    Args:
        request: what to judge with what.
        tell: called with each result as soon as it is there.

    Raises:
        UsageError: `out` is one of the folders to inspect, or there is none to go on with; `file_name` is no template.
        ArtifactError: the inspector cannot be used.
        BlemishError: nothing can be written into `out`.
    """
    from blemish.core.ahead import look_ahead
    from blemish.core.cores import available_cores
    from blemish.line.photographs import find_photographs
    from blemish.line.precision_choice import choice_in_words
    from blemish.line.runtime import Inspector

    require_local(request)
    if request.resume and request.out is None:
        raise UsageError("--resume goes on with the results of an earlier run: name their folder with --out.")
    require_no_shape(request.ignore)
    named = reading_names(request.file_name)
    photographs = find_photographs(request.paths, request.out, request.ignore)
    at_once = max(1, min(available_cores(), len(photographs)))
    inspector = Inspector.load(
        request.inspector, device=request.device, precision=request.precision, streams=at_once
    )
    if request.precision == AUTO:
        say(choice_in_words(inspector.name, inspector.manifest.precisions, request.device))
    journal = _journal(inspector, request)
    results: list[Result] = []
    stopped = False
    come = look_ahead(
        lambda photograph: _result(inspector, photograph, request, journal), photographs, at_once, 2 * at_once
    )
    try:
        for photograph, (result, state) in zip(
            track(photographs, f"Inspecting with {inspector.name}"), come, strict=True
        ):
            if journal is not None and result.earlier is None:
                journal.add(photograph.path, state, result.to_json())
            results.append(result.of_part(named(photograph.path)))
            tell(results[-1])
    except KeyboardInterrupt:
        stopped = True
    finally:
        come.close()
    trouble = _written(request.out, results, journal)
    return InspectResult(tuple(results), len(photographs), trouble, stopped)


def require_local(request: InspectRequest) -> None:
    """Refuse what only a cluster can do.

    Raises:
        UsageError: it is asked for.
    """
    if request.executor != Executor.LOCAL or request.address is not None or request.workers is not None:
        raise UsageError("--address and --workers belong to --executor ray, which `blemish inspect` runs.")
    if any(str(path).startswith("s3:/") for path in request.paths):
        raise UsageError("s3://BUCKET/PREFIX is read by the workers of --executor ray: add that.")


def judge_of(inspector: Inspector) -> dict[str, str]:
    """What has judged: only results of the very same are gone on with."""
    digest = hashlib.sha256(inspector.manifest.model_dump_json().encode()).hexdigest()
    judge = {"blemish": __version__, "inspector": digest}
    precision = inspector.execution.precision
    return judge if precision == "f32" else judge | {"precision": precision}


def _journal(inspector: Inspector, request: InspectRequest) -> Journal | None:
    """Where results lie as soon as they are there; says what becomes of those that lay there."""
    from blemish.line.journal import Journal

    if request.out is None:
        return None
    journal = Journal(request.out, judge_of(inspector), request.resume)
    if request.resume and journal.earlier is None:
        say(f"The results in {request.out} are of another inspector or another Blemish: judging all anew.")
    elif request.resume and not journal.earlier:
        say(f"There are no results in {request.out} to go on with: judging all.")
    return journal


def _result(
    inspector: Inspector, photograph: Photograph, request: InspectRequest, journal: Journal | None
) -> tuple[Result, State | None]:
    """The result of one photograph, of an earlier run if it is unchanged, else judged now; and the file's state."""
    from blemish.line.journal import state_of
    from blemish.line.results import METADATA, Result

    if journal is None:
        return judged(inspector, photograph, request), None
    state = state_of(photograph.path)
    earlier = journal.result_of(photograph.path, state)
    has = has_overlay, has_explanation
    if earlier and not photograph.error and all(one(earlier, photograph, request) for one in has):
        overlay = request.out / photograph.place if request.out and "overlay" in earlier else None
        kept = {
            key: value for key, value in earlier.items() if key not in ("path", "overlay", "why", *METADATA)
        }
        why = _earlier_why(earlier, photograph, request)
        return Result(photograph.path, overlay=overlay, earlier=kept, why=why), state
    return judged(inspector, photograph, request), state


def reading_names(template: str | None) -> Callable[[Path], dict[str, str]]:
    """What a photograph's name says of its part, by field; nothing where it does not fit, or no template is given."""
    if template is None:
        return lambda path: {}
    from blemish.station.metadata.text_pattern import TextPattern

    pattern = TextPattern(template)

    def read(path: Path) -> dict[str, str]:
        found = pattern.read_file_name(str(path))
        return (
            {} if found is None else {name: value for name, value in vars(found).items() if value is not None}
        )

    return read


def _written(out: Path | None, results: Sequence[Result], journal: Journal | None) -> str:
    """Write results.json and results.csv; why they, or the journal, could not be."""
    from blemish.line.results import write_results

    if out is None or journal is None:
        return ""
    journal.close()
    try:
        write_results(out, results)
    except BlemishError as error:
        return str(error)
    return journal.trouble


def judged(
    inspector: Inspector,
    photograph: Photograph,
    request: InspectRequest,
    look: Callable[[Path], Inspection] | None = None,
) -> Result:
    """Judge one photograph, write its overlay, and explain it; an error becomes a result too.

    Args:
        inspector: what judges.
        photograph: what is judged, and where its overlay goes.
        request: what is written of it.
        look: inspects what lies at a path; the inspector itself, of files, when None.
    """
    from blemish.core.image_files import OVERLAY_MARK
    from blemish.core.pictures import encoded, with_comment
    from blemish.core.storage import write_bytes
    from blemish.line.results import FAILED, Result

    path = photograph.path
    try:
        if photograph.error:
            raise photograph.error
        inspection = (look or inspector.inspect)(path)
        if request.out is None or not _is_saved(inspection.verdict, request):
            return _explained(Result.of(path, inspection), inspector, inspection, photograph, request)
        overlay = with_comment(encoded(inspection.overlay_pixels(), ".jpg", _QUALITY), OVERLAY_MARK)
    except ImageError as error:
        return Result(path, error=str(error), kind=error.kind)
    except Exception as error:  # whatever one photograph brings about, the others go on
        return Result(path, error=f"{path}: {explained(error, 'blemish inspect')[1]}", kind=FAILED)
    try:
        write_bytes(request.out / photograph.place, overlay)
        result = Result.of(path, inspection, request.out / photograph.place)
    except BlemishError as error:
        result = Result.of(path, inspection, error=str(error))
    return _explained(result, inspector, inspection, photograph, request)


def _explained(
    result: Result,
    inspector: Inspector,
    inspection: Inspection,
    photograph: Photograph,
    request: InspectRequest,
) -> Result:
    """The result with its explanation, where one is to be; what goes wrong with that takes no verdict away."""
    from blemish.core.image_files import OVERLAY_MARK
    from blemish.core.pictures import encoded, png_with_comment
    from blemish.core.storage import write_bytes
    from blemish.line.photographs import why_place

    if not _is_explained(inspection.verdict, request):
        return result
    try:
        explanation = inspector.explain(inspection)
        why = explanation.to_json()
        if request.out is not None:
            place = request.out / why_place(photograph.place)
            picture = encoded(explanation.picture_pixels(), ".png")
            write_bytes(place, png_with_comment(picture, OVERLAY_MARK))
            why["picture"] = str(place)
    except Exception as error:  # the part is judged, and the others go on
        return result.unexplained(f"{photograph.path}: {explained(error, 'blemish inspect')[1]}")
    return result.explained(why)


def _is_explained(verdict: str, request: InspectRequest) -> bool:
    """Whether a photograph with this verdict gets an explanation."""
    return request.explain and verdict in ("review", "reject")


def has_explanation(earlier: dict[str, Any], photograph: Photograph, request: InspectRequest) -> bool:
    """Whether an earlier result has its explanation with its picture where it is to be, or none where none is to be."""
    from blemish.line.photographs import why_place

    if not _is_explained(earlier["verdict"], request):
        return "why" not in earlier
    return "why" in earlier and (request.out is None or (request.out / why_place(photograph.place)).is_file())


def _earlier_why(
    earlier: dict[str, Any], photograph: Photograph, request: InspectRequest
) -> dict[str, Any] | None:
    """The explanation of an earlier result, with its picture where that lies now."""
    from blemish.line.photographs import why_place

    why: dict[str, Any] | None = earlier.get("why")
    if why is None or request.out is None:
        return why
    return why | {"picture": str(request.out / why_place(photograph.place))}


def _is_saved(verdict: str, request: InspectRequest) -> bool:
    """Whether a photograph with this verdict gets an overlay."""
    return request.save == Save.ALL or (request.save == Save.REJECTS and verdict != "pass")


def has_overlay(earlier: dict[str, Any], photograph: Photograph, request: InspectRequest) -> bool:
    """Whether an earlier result has its overlay where it is to be, or none where none is to be."""
    if request.out is None or not _is_saved(earlier["verdict"], request):
        return "overlay" not in earlier
    place = photograph.place
    return Path(earlier.get("overlay", "")).name == place.name and (request.out / place).is_file()
