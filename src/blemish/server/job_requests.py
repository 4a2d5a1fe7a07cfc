"""What a job may be asked for, checked field by field, and the command lines that do it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from blemish.core.errors import UsageError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""Of an inspector or a category: a plain file name."""

DETECTOR_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*(:[a-z0-9-]{1,40})?$"

DetectorName = Annotated[str, Field(pattern=DETECTOR_PATTERN, max_length=80)]
"""A detector, or DETECTOR:PRESET."""

Folder = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
"""A folder of photographs on the server's own disk."""

REPORT = "report.html"
"""Of a job, in its folder; `blemish evaluate`, `explore` and `benchmark` call theirs so."""

Size = Annotated[int, Field(ge=32, le=2048)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainRequest(_Request):
    """Learn an inspector called `name` from photographs of good parts."""

    kind: Literal["train"] = "train"
    name: Name
    folder: Folder
    detector: DetectorName = "patchcore"
    size: Size | None = None
    quick: bool = False


class ExploreRequest(_Request):
    """Know the photographs of a folder before trusting a model."""

    kind: Literal["explore"] = "explore"
    folder: Folder
    category: Name | None = None


class EvaluateRequest(_Request):
    """Measure the active version of an inspector on good and defective photographs."""

    kind: Literal["evaluate"] = "evaluate"
    folder: Folder
    inspector: Name


class BenchmarkRequest(_Request):
    """Compare detectors on the same photographs."""

    kind: Literal["benchmark"] = "benchmark"
    folder: Folder
    detectors: Annotated[tuple[DetectorName, ...], Field(min_length=1, max_length=20)]
    size: Size | None = None
    quick: bool = True


JobRequest = Annotated[
    TrainRequest | ExploreRequest | EvaluateRequest | BenchmarkRequest, Field(discriminator="kind")
]


def trained_inspector(folder: Path, name: str) -> Path:
    """The inspector that a training leaves in its job's folder."""
    return folder / f"{name}.blemish"


def command(request: JobRequest, folder: Path, inspector: Path | None = None) -> list[str]:
    """Arguments of `blemish` that do what is asked for and leave their files in `folder`.

    Args:
        request: what is asked for.
        folder: the job's own.
        inspector: the inspector's file, for an evaluation.

    Raises:
        UsageError: the folder of photographs does not exist, or the inspector is not given.
    """
    data = Path(request.folder)
    if not data.is_absolute() or not _exists(data):
        raise UsageError(f"{data} is not a folder on the server: give its full path, as /data/part.")
    photographs = str(data)
    if isinstance(request, TrainRequest):
        detector, _, preset = request.detector.partition(":")
        out = str(trained_inspector(folder, request.name))
        arguments = ["fit", photographs, "--out", out, "--detector", detector]
        arguments += ["--report", str(folder / REPORT)]
        arguments += ["--preset", preset] if preset else []
    elif isinstance(request, ExploreRequest):
        arguments = ["explore", photographs, "--out", str(folder)]
        arguments += ["--category", request.category] if request.category else []
    elif isinstance(request, BenchmarkRequest):
        labels = ",".join(request.detectors)
        arguments = ["benchmark", photographs, "--detectors", labels, "--out", str(folder)]
    elif inspector is None:
        raise UsageError("An evaluation needs an inspector: name one.")
    else:
        return evaluation(inspector, data, folder)
    if isinstance(request, TrainRequest | BenchmarkRequest):
        arguments += ["--size", str(request.size)] if request.size else []
        arguments += ["--quick"] if request.quick else []
    return [*arguments, "--json"]


def evaluation(inspector: Path, data: Path, folder: Path) -> list[str]:
    """Arguments that measure an inspector on the photographs of a folder."""
    return ["evaluate", str(inspector), str(data), "--out", str(folder), "--json"]


def _exists(data: Path) -> bool:
    """As `Path.exists`; what cannot be asked (a name too long, no permission) does not."""
    try:
        return data.exists()
    except OSError:
        return False


def title(request: JobRequest) -> str:
    """The job in a few words."""
    where = Path(request.folder).name
    if isinstance(request, TrainRequest):
        return f"Train {request.name} with {request.detector}"
    if isinstance(request, EvaluateRequest):
        return f"Evaluate {request.inspector} on {where}"
    if isinstance(request, BenchmarkRequest):
        return f"Benchmark {', '.join(request.detectors)} on {where}"
    return f"Explore {where}"
