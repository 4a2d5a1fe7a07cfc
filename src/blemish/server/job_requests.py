"""What a job may be asked for, checked field by field, and the workflows that do it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from blemish.core.errors import UsageError
from blemish.detectors.registry import DEFAULT_DETECTOR, detector_info, names_class, split_label
from blemish.server.errors import FieldError
from blemish.server.learning_request import CorrectionsRequest, StationPlace, learning
from blemish.server.uploaded_set import ID_PATTERN
from blemish.station.shelf import InspectorVersion
from blemish.view.quantities import budget_seconds, defect_pixels, millimetres_per_pixel
from blemish.workflows.request import Request

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""Of an inspector or a category: a plain file name."""

DETECTOR_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*(:[a-z0-9-]{1,40})?$"

DetectorName = Annotated[str, Field(pattern=DETECTOR_PATTERN, max_length=80)]
"""A detector, or DETECTOR:PRESET."""

Folder = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
"""A folder of photographs on the server's own disk."""

FolderOrNone = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f]*$")]

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


class PhotographsRequest(Request):
    """Photographs in a folder on the server, or uploaded before: one of the two."""

    upload: Annotated[str, Field(pattern=ID_PATTERN)] | None = None
    folder: FolderOrNone = Field("", validate_default=True)

    @field_validator("folder")
    @classmethod
    def _one_of_both(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) == bool(info.data.get("upload", True)):
            raise ValueError("name a folder on the server, or an upload")
        return value


class FolderOptions(PhotographsRequest):
    """What a folder is to be taken for, where its names alone do not tell."""

    layout: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    good: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()
    defective: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()
    ignore: Annotated[tuple[Folder, ...], Field(max_length=100)] = ()

    def folder_options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        names = set(FolderOptions.model_fields) - set(PhotographsRequest.model_fields)
        return self.model_dump(include=names)


class GroupOptions(FolderOptions):
    """And what photographs of one part have in common; see `blemish fit --group-by`."""

    group_by: Annotated[str, Field(max_length=500)] | None = None

    def folder_options(self) -> dict[str, Any]:
        """These options as a workflow takes them."""
        return {**super().folder_options(), "group_by": self.group_by}


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
    category: Name | None = None


class EvaluateRequest(FolderOptions):
    """Measure a version of an inspector on good and defective photographs, the active one where none is named."""

    kind: Literal["evaluate"] = "evaluate"
    inspector: Name
    version: VersionNumber = None


class StressRequest(FolderOptions):
    """Measure a version of an inspector on disturbed photographs, the active one where none is named."""

    kind: Literal["stress"] = "stress"
    inspector: Name
    version: VersionNumber = None
    of: Annotated[tuple[DisturbanceName, ...], Field(min_length=1, max_length=20)] | None = None
    steps: Annotated[int, Field(ge=1, le=20)] = 4
    limit: Annotated[int, Field(ge=1, le=100_000)] = 100


class DefectsRequest(FolderOptions):
    """Score known defects with a version of an inspector, the active one where none is named, for a decision."""

    kind: Literal["decide"] = "decide"
    inspector: Name
    version: VersionNumber = None
    category: Name | None = None


class BenchmarkRequest(DetectorOptions, GroupOptions):
    """Compare detectors on the same photographs."""

    kind: Literal["benchmark"] = "benchmark"
    detectors: Annotated[tuple[DetectorName, ...], Field(min_length=1, max_length=20)]
    quick: bool = True
    minutes: Annotated[float, Field(gt=0, le=10_000)] | None = None


OfPhotographs = (
    TrainRequest | ExploreRequest | EvaluateRequest | StressRequest | BenchmarkRequest | DefectsRequest
)
"""What works on photographs in a folder, or uploaded before."""

JobRequest = Annotated[
    OfPhotographs | CorrectionsRequest,
    Field(discriminator="kind"),
]


def trained_inspector(folder: Path, name: str) -> Path:
    """The inspector that a training leaves in its job's folder."""
    return folder / f"{name}.blemish"


def workflow(
    request: JobRequest,
    folder: Path,
    inspector: InspectorVersion | None = None,
    place: StationPlace | None = None,
    by: str = "local",
) -> tuple[str, Request]:
    """The name of the workflow that does what is asked for, and what it is asked; its files go into `folder`.

    Args:
        request: what is asked for.
        folder: the job's own.
        inspector: what an evaluation, or a stress, measures.
        place: where corrections are that are to be learnt from.
        by: who asks.

    Raises:
        UsageError: the folder of photographs does not exist, or the inspector is not given.
    """
    if isinstance(request, CorrectionsRequest):
        if place is None:
            raise UsageError("Corrections are learnt from at a station: name its home.")
        return learning(request, place, by)
    data = Path(request.folder)
    if not data.is_absolute() or not _exists(data):
        raise FieldError(
            "folder", f"{data} is not a folder on the server: give its full path, as /data/part."
        )
    if isinstance(request, TrainRequest):
        return "train", _training(request, data, folder)
    if isinstance(request, ExploreRequest | BenchmarkRequest):
        return request.kind, _report(request, data, folder)
    if inspector is None:
        raise UsageError("An evaluation needs an inspector: name one.")
    return request.kind, _measuring(request, data, folder, inspector)


def _training(request: TrainRequest, data: Path, folder: Path) -> Request:
    from blemish.workflows.train import TrainRequest as Train

    return Train(
        data=data,
        out=trained_inspector(folder, request.name),
        detector=request.detector,
        augment=request.augment,
        copies=request.copies,
        category=request.category,
        name=request.name,
        quick=request.quick,
        false_reject_rate=request.false_reject_rate,
        review_rate=request.review_rate,
        report=folder / REPORT,
        evaluation=folder,
        **request.options(),
        **request.view_options(),
        **request.folder_options(),
    )


def _report(request: ExploreRequest | BenchmarkRequest, data: Path, folder: Path) -> Request:
    """On photographs, whoever judges them."""
    from blemish.workflows.benchmark import BenchmarkRequest as Benchmark
    from blemish.workflows.explore import ExploreRequest as Explore

    if isinstance(request, ExploreRequest):
        return Explore(
            data=data,
            out=folder,
            category=request.category,
            **request.backbone_options(),
            **request.folder_options(),
        )
    return Benchmark(
        data=(data,),
        detectors=request.detectors,
        out=folder,
        quick=request.quick,
        minutes=request.minutes,
        **request.options(),
        **request.folder_options(),
    )


def _measuring(
    request: EvaluateRequest | StressRequest | DefectsRequest,
    data: Path,
    folder: Path,
    inspector: InspectorVersion,
) -> Request:
    """Of one version of an inspector, known by its digest."""
    from blemish.workflows.decide import DecideRequest as Decide
    from blemish.workflows.evaluate import EvaluateRequest as Evaluate
    from blemish.workflows.stress import StressRequest as Stress

    measured = {"inspector": inspector.path, "digest": inspector.digest, **request.folder_options()}
    if isinstance(request, DefectsRequest):
        return Decide(from_defects=data, category=request.category, report=folder / REPORT, **measured)
    measured |= {"title": inspector.title, "data": data, "out": folder}
    if isinstance(request, StressRequest):
        return Stress(of=request.of, steps=request.steps, limit=request.limit, **measured)
    return Evaluate(**measured)


def check_values(request: JobRequest) -> None:
    """Refuse at once what the workflow would refuse only once it runs, as far as that can be told without torch.

    Raises:
        FieldError: there is no such detector or preset, or a quantity cannot be read.
    """
    if isinstance(request, TrainRequest | BenchmarkRequest):
        labels = (request.detector,) if isinstance(request, TrainRequest) else request.detectors
        field = "detector" if isinstance(request, TrainRequest) else "detectors"
        for label in labels:
            name, preset = split_label(label)
            with _of_field(field):
                presets = detector_info(name).presets
            if preset is not None and preset not in presets:
                known = ", ".join(presets) or "none"
                raise FieldError(field, f"{name} has no preset {preset}: it has {known}.")
    if isinstance(request, TrainRequest):
        with _of_field("scale"):
            millimetres_per_pixel(request.scale or "")
        with _of_field("smallest_defect"):
            defect_pixels(request.smallest_defect or "", request.scale or "")
        with _of_field("budget"):
            budget_seconds(request.budget or "")


def check_places(request: JobRequest, allowed: Sequence[Path]) -> None:
    """Refuse files and folders on the server that lie in none of the folders `allowed`; without any, all may be named.

    Raises:
        FieldError: one does.
    """
    if not allowed or isinstance(request, CorrectionsRequest):
        return
    named = {"folder": [request.folder] if request.folder else []}
    if isinstance(request, TrainRequest) and request.mask:
        named["mask"] = [request.mask]
    if isinstance(request, BackboneOptions):
        named["weights"] = list(request.weights.values())
    for field, paths in named.items():
        for path in paths:
            real = os.path.realpath(path)
            if not any(Path(real).is_relative_to(os.path.realpath(one)) for one in allowed):
                below = ", ".join(str(one) for one in allowed)
                raise FieldError(field, f"{path[:200]} may not be read: name what lies below {below}.")


@contextmanager
def _of_field(field: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise FieldError(field, str(error).removeprefix(f"{field}=")) from error


def _exists(data: Path) -> bool:
    """As `Path.exists`; what cannot be asked (a name too long, no permission) does not."""
    try:
        return data.exists()
    except OSError:
        return False
