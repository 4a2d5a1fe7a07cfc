"""Collect photographs to learn from, out of any source, each of them once."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from blemish.core.errors import ImageError, UsageError
from blemish.core.progress import say, task
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.station.sources.arrival import Arrival, Source
    from blemish.station.sources.settings import SourceSettings
    from blemish.workflows.kept_photographs import KeptPhotographs

_LOOK_EVERY = 0.2  # seconds
_MOST_LEFT_OUT = 1000
Ended = Literal["count", "time", "source", "interrupted"]


class CaptureRequest(Request):
    """Collect photographs."""

    source: Annotated[str, Argument("SOURCE")] = Field(
        description="A folder, a video file, camera:0, rtsp://..., http://... (MJPEG), genicam:SERIAL, or - for "
        "standard input."
    )
    out: Annotated[Path, Option(metavar="FOLDER")] = Field(
        description="Folder for the photographs; what lies there counts, so that the same command goes on."
    )
    count: int | None = Field(None, ge=1, description="End when so many lie in the folder.")
    seconds: float | None = Field(None, gt=0, description="End after so many seconds.")
    every: int = Field(1, ge=1, description="Of frames, look at every n-th only.")
    interval: float | None = Field(
        None, gt=0, description="Of frames, look at one at most every so many seconds."
    )
    stillness: bool = Field(False, description="Of frames, look at one whenever what moved has come to rest.")
    novelty: float = Field(
        2.5,
        ge=0,
        le=255,
        description="Grey levels by which a photograph must differ from each that is kept; 0 keeps all but copies.",
    )
    encoding: Literal["png", "jpeg"] = Field(
        "png", description="How frames are kept; photographs stay as they are."
    )
    subfolders: bool = Field(False, description="Of a folder, look into the folders in it, too.")
    password_env: str | None = Field(
        None, description="Environment variable with the password of the camera's user."
    )


@dataclass(frozen=True)
class CaptureResult(Outcome):
    """What was collected.

    Attributes:
        out: the folder.
        kept, total: photographs kept now, and all that lie in the folder.
        alike: photographs left out since one that is kept shows the same.
        dropped: frames that nobody looked at, for newer ones had come.
        left_out: what could not be read, by name, and why; a thousand at most.
        ended: what has ended it.
        trouble: what was wrong with the source at the end.
    """

    out: Path
    kept: int
    total: int
    alike: int
    dropped: int
    left_out: tuple[tuple[str, str], ...]
    ended: Ended
    trouble: str | None

    @property
    def complete(self) -> bool:
        """Whether there are photographs, and nothing was wrong."""
        return self.total > 0 and self.trouble is None and not self.left_out

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        left_out = [{"name": name, "detail": detail} for name, detail in self.left_out]
        return vars(self) | {"out": str(self.out), "left_out": left_out}


@dataclass
class _Counts:
    kept: int = 0
    alike: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


def capture(request: CaptureRequest) -> CaptureResult:
    """Take photographs from a source and keep those that show something new.

    Ends at the count, after the time, with the source, or by Ctrl-C; what is kept by then is whole.

    Raises:
        UsageError: the source is none, or what is asked for does not go together.
        MissingExtraError: the source needs what is not installed.
        BlemishError: the folder cannot be written.
    """
    from blemish.station.sources.opening import open_source
    from blemish.workflows.kept_photographs import KeptPhotographs

    settings = _settings(request)
    source = open_source(settings)
    kept = KeptPhotographs(request.out, request.novelty)
    counts = _Counts()
    ended: Ended = "count"
    if request.count is None or len(kept) < request.count:
        ended = _collected(request, source, kept, counts)
    state = source.state()
    if state.refused and state.trouble:
        counts.left_out.append((source.name, state.trouble))
    trouble = None if state.refused or ended == "count" else state.trouble
    left_out = tuple(counts.left_out)
    return CaptureResult(
        request.out, counts.kept, len(kept), counts.alike, state.dropped, left_out, ended, trouble
    )


def _collected(request: CaptureRequest, source: Source, kept: KeptPhotographs, counts: _Counts) -> Ended:
    """Take what comes until there is enough; returns what has ended it."""
    stop, before = threading.Event(), len(kept)
    # On a thread of its own, so that Ctrl-C never comes in the middle of a photograph.
    with ThreadPoolExecutor(1, "capture") as threads:
        taking = threads.submit(_take, request, source, kept, counts, stop)
        try:
            wanted = None if request.count is None else request.count - before
            return _watched(request, source, counts, taking, wanted)
        except KeyboardInterrupt:
            return "interrupted"
        finally:
            stop.set()
            if (error := taking.exception()) is not None:
                raise error


def _watched(
    request: CaptureRequest, source: Source, counts: _Counts, taking: Future[Ended], wanted: int | None
) -> Ended:
    """Show how it goes until it has ended, or the time is over."""
    end = math.inf if request.seconds is None else time.monotonic() + request.seconds
    said: str | None = None
    shown = 0
    with task("Collecting", wanted) as advance:
        while time.monotonic() < end:
            said = _tell(source.state().trouble, said)
            ended, _ = wait([taking], timeout=min(_LOOK_EVERY, max(0.0, end - time.monotonic())))
            advance(counts.kept - shown, f"{counts.alike:,} alike")
            shown = counts.kept
            if ended:
                return taking.result()
    return "time"


def _take(
    request: CaptureRequest,
    source: Source,
    kept: KeptPhotographs,
    counts: _Counts,
    stop: threading.Event,
) -> Ended:
    for arrival in source.arrivals(stop, lambda key: False):
        _keep(arrival, kept, counts)
        if request.count is not None and len(kept) >= request.count:
            return "count"
    return "source"


def _tell(trouble: str | None, said: str | None) -> str | None:
    if trouble is not None and trouble != said:
        say(trouble)
    return trouble


def _keep(arrival: Arrival, kept: KeptPhotographs, counts: _Counts) -> None:
    """Keep a photograph if it is new."""
    try:
        new = kept.add(arrival.photograph)
    except ImageError as error:
        if len(counts.left_out) < _MOST_LEFT_OUT:
            counts.left_out.append((arrival.photograph.file_name, error.detail))
        return
    counts.kept += new
    counts.alike += not new


def _settings(request: CaptureRequest) -> SourceSettings:
    """The settings of the source, with what the request says of frames.

    Raises:
        UsageError: something of it means nothing for this source.
    """
    from pydantic import ValidationError

    from blemish.station.sources.opening import source_named
    from blemish.station.sources.settings import FolderSource, HttpSource, StandardInputSource, StreamSource

    settings = source_named(request.source)
    changes: dict[str, Any] = {}
    if isinstance(settings, FolderSource | StandardInputSource | HttpSource):
        if said := [name for name, _ in _triggers(request)]:
            raise UsageError(
                f"--{said[0]} is for frames of cameras and videos: leave it out for {request.source}."
            )
        if isinstance(settings, FolderSource):
            changes["subfolders"] = request.subfolders
            if request.out.absolute() == settings.path.absolute():
                raise UsageError(f"{request.out} is the source itself: name another folder with --out.")
            changes["ignore"] = _inside(request.out, settings.path)
    else:
        triggers = _triggers(request)
        if len(triggers) > 1:
            names = " and ".join(f"--{name}" for name, _ in triggers)
            raise UsageError(f"{names} do not go together: choose one.")
        changes["encoding"] = request.encoding
        if triggers:
            changes["trigger"] = triggers[0][1]
        if request.subfolders:
            raise UsageError("--subfolders is for folders, and the source is none: leave it out.")
    if isinstance(settings, StreamSource):
        changes["password_env"] = request.password_env
    elif request.password_env is not None:
        raise UsageError("--password-env is for network cameras: leave it out.")
    try:
        return type(settings).model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"The source is not possible as it stands there: {reason}.") from error


def _triggers(request: CaptureRequest) -> list[tuple[str, dict[str, Any]]]:
    """What the request says of when to take a frame, by the option's name."""
    said: list[tuple[str, dict[str, Any]]] = []
    if request.every > 1:
        said.append(("every", {"kind": "every", "nth": request.every}))
    if request.interval is not None:
        said.append(("interval", {"kind": "interval", "seconds": request.interval}))
    if request.stillness:
        said.append(("stillness", {"kind": "stillness"}))
    return said


def _inside(out: Path, folder: Path) -> tuple[str, ...]:
    """A pattern that leaves `out` out, if it lies in the folder."""
    if not out.absolute().is_relative_to(folder.absolute()):
        return ()
    return (out.absolute().relative_to(folder.absolute()).as_posix(),)
