"""What a job may be asked for, checked field by field, and the workflows that do it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from blemish.core.errors import UsageError
from blemish.detectors.registry import DEFAULT_DETECTOR, names_class
from blemish.station.shelf import InspectorVersion
from blemish.workflows.request import Request

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""Of an inspector or a category: a plain file name."""

DETECTOR_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*(:[a-z0-9-]{1,40})?$"

DetectorName = Annotated[str, Field(pattern=DETECTOR_PATTERN, max_length=80)]
"""A detector, or DETECTOR:PRESET."""

Folder = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
"""A folder of photographs on the server's own disk."""

REPORT = "report.html"
"""Of a job, in its folder; `blemish evaluate`, `explore` and `benchmark` call theirs so."""

RegionShapes = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[a-z]+:[0-9,]+$")], ...],
    Field(max_length=100),
]
"""Boxes and polygons in pixels of photographs."""

Size = Annotated[int, Field(ge=32, le=2048)]

Augment = Annotated[str, Field(pattern=r"^[a-z]+(,[a-z]+)*$", max_length=80)]
"""The parameter `augment` of a detector."""

Copies = Annotated[str, Field(pattern=r"^[a-z]+[0-9]*(,[a-z]+[0-9]*)*$", max_length=80)]
"""The parameter `copies` of a detector."""
DisturbanceName = Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")]
"""One of `blemish.evaluation.disturbances.DISTURBANCES`."""

Network = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""A pretrained network."""

ParameterName = Annotated[str, Field(pattern=r"^([a-z0-9:-]{1,80}\.)?[a-z_][a-z0-9_]{0,79}$")]
"""A parameter, or DETECTOR.PARAMETER of one of several."""

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)] | None
"""Of an inspector; None for the one that is active."""

_Plain = bool | int | float | Annotated[str, Field(max_length=4096)]


def _no_class(value: Any) -> Any:
    """Naming a class would run its module: a client may not."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and names_class(one):
            raise ValueError(f"{one} names a class, which the service does not run")
    return value


ParameterValue = Annotated[
    _Plain | Annotated[list[_Plain], Field(max_length=100)] | None, AfterValidator(_no_class)
]


class FolderOptions(Request):
    """What a folder is to be taken for, where its names alone do not tell."""

    layout: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    good: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()
    defective: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()
    ignore: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()

    def folder_options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        return self.model_dump(include=set(FolderOptions.model_fields))


class GroupOptions(FolderOptions):
    """And what photographs of one part have in common; see `blemish fit --group-by`."""

    group_by: Annotated[str, Field(max_length=500)] | None = None

    def folder_options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        return self.model_dump(include=set(GroupOptions.model_fields))


class BackboneOptions(Request):
    """A pretrained network, and files on the server with weights by network."""

    backbone: Network | None = None
    weights: Annotated[dict[Network, Folder], Field(max_length=20)] = Field({})

    def backbone_options(self) -> dict[str, Any]:
        """These options, those that are given, as a workflow takes them."""
        return self.model_dump(include={"backbone", "weights"}, exclude_defaults=True)


class DetectorOptions(BackboneOptions):
    """What `blemish fit` and `blemish benchmark` take of detectors; parameters by name."""

    parameters: Annotated[dict[ParameterName, ParameterValue], Field(max_length=100)] = Field({})
    size: Size | None = None

    def options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        return {"parameters": self.parameters, "size": self.size, **self.backbone_options()}


class ViewOptions(Request):
    """How photographs are looked at: as the options of `blemish fit`; a mask is a file on the server."""

    smallest_defect: Annotated[str, Field(max_length=40)] | None = None
    scale: Annotated[str, Field(max_length=40)] | None = None
    budget: Annotated[str, Field(max_length=40)] | None = None
    include: RegionShapes = ()
    mask: Folder | None = None
    foreground: bool = False
    align: Annotated[str, Field(max_length=40)] | None = None
    parts: Annotated[str, Field(max_length=40)] | None = None

    def view_options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        return self.model_dump(include=set(ViewOptions.model_fields))


class TrainRequest(ViewOptions, DetectorOptions, GroupOptions):
    """Learn an inspector called `name` from photographs of good parts, of the `category` in the folder."""

    kind: Literal["train"] = "train"
    name: Name
    folder: Folder
    category: Name | None = None
    detector: DetectorName = DEFAULT_DETECTOR
    augment: Augment | None = None
    copies: Copies | None = None
    quick: bool = False
    false_reject_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    review_rate: Annotated[float, Field(ge=0, lt=1)] | None = None


class ExploreRequest(BackboneOptions, FolderOptions):
    """Know the photographs of a folder before trusting a model."""

    kind: Literal["explore"] = "explore"
    folder: Folder
    category: Name | None = None


class EvaluateRequest(FolderOptions):
    """Measure a version of an inspector on good and defective photographs, the active one where none is named."""

    kind: Literal["evaluate"] = "evaluate"
    folder: Folder
    inspector: Name
    version: VersionNumber = None


class StressRequest(FolderOptions):
    """Measure a version of an inspector on disturbed photographs, the active one where none is named."""

    kind: Literal["stress"] = "stress"
    folder: Folder
    inspector: Name
    version: VersionNumber = None
    of: Annotated[tuple[DisturbanceName, ...], Field(min_length=1, max_length=20)] | None = None
    steps: Annotated[int, Field(ge=1, le=20)] = 4
    limit: Annotated[int, Field(ge=1, le=100_000)] = 100


class BenchmarkRequest(DetectorOptions, GroupOptions):
    """Compare detectors on the same photographs."""

    kind: Literal["benchmark"] = "benchmark"
    folder: Folder
    detectors: Annotated[tuple[DetectorName, ...], Field(min_length=1, max_length=20)]
    quick: bool = True


JobRequest = Annotated[
    TrainRequest | ExploreRequest | EvaluateRequest | StressRequest | BenchmarkRequest,
    Field(discriminator="kind"),
]


def trained_inspector(folder: Path, name: str) -> Path:
    """The inspector that a training leaves in its job's folder."""
    return folder / f"{name}.blemish"


def workflow(
    request: JobRequest, folder: Path, inspector: InspectorVersion | None = None
) -> tuple[str, Request]:
    """The name of the workflow that does what is asked for, and what it is asked; its files go into `folder`.

    Args:
        request: what is asked for.
        folder: the job's own.
        inspector: what an evaluation, or a stress, measures.

    Raises:
        UsageError: the folder of photographs does not exist, or the inspector is not given.
    """
    from blemish.workflows.benchmark import BenchmarkRequest as Benchmark
    from blemish.workflows.evaluate import EvaluateRequest as Evaluate
    from blemish.workflows.explore import ExploreRequest as Explore
    from blemish.workflows.stress import StressRequest as Stress
    from blemish.workflows.train import TrainRequest as Train

    data = Path(request.folder)
    if not data.is_absolute() or not _exists(data):
        raise UsageError(f"{data} is not a folder on the server: give its full path, as /data/part.")
    if isinstance(request, ExploreRequest):
        return "explore", Explore(
            data=data,
            out=folder,
            category=request.category,
            **request.backbone_options(),
            **request.folder_options(),
        )
    if isinstance(request, BenchmarkRequest):
        return "benchmark", Benchmark(
            data=(data,),
            detectors=request.detectors,
            out=folder,
            quick=request.quick,
            **request.options(),
            **request.folder_options(),
        )
    if isinstance(request, TrainRequest):
        return "train", Train(
            data=data,
            out=trained_inspector(folder, request.name),
            detector=request.detector,
            augment=request.augment,
            copies=request.copies,
            category=request.category,
            quick=request.quick,
            false_reject_rate=request.false_reject_rate,
            review_rate=request.review_rate,
            report=folder / REPORT,
            evaluation=folder,
            **request.options(),
            **request.view_options(),
            **request.folder_options(),
        )
    if inspector is None:
        raise UsageError("An evaluation needs an inspector: name one.")
    measured = {
        "inspector": inspector.path,
        "digest": inspector.digest,
        "title": inspector.title,
        "data": data,
        "out": folder,
        **request.folder_options(),
    }
    if isinstance(request, StressRequest):
        return "stress", Stress(of=request.of, steps=request.steps, limit=request.limit, **measured)
    return "evaluate", Evaluate(**measured)


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
        return f"Evaluate {_measured(request)} on {where}"
    if isinstance(request, StressRequest):
        return f"Stress {_measured(request)} on {where}"
    if isinstance(request, BenchmarkRequest):
        return f"Benchmark {', '.join(request.detectors)} on {where}"
    return f"Explore {where}"


def _measured(request: EvaluateRequest | StressRequest) -> str:
    return (
        request.inspector if request.version is None else f"{request.inspector}, version {request.version},"
    )
