"""`/v1/jobs`: trainings from a folder or a zip, explore, evaluate, benchmark; their progress and reports."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from blemish.server.authentication import Admin, Viewer
from blemish.server.documents import VersionDocument
from blemish.server.job import Job
from blemish.server.job_requests import DETECTOR_PATTERN, JobRequest, TrainRequest
from blemish.server.multipart import FormLimits, form, read_form
from blemish.server.problems import ProblemError, meant
from blemish.server.routes.running import Running
from blemish.station.records import NAME_PATTERN

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$", description="The job.")]

# A report runs its own charts, saves them as files, and can reach nothing, not even this server.
_REPORT_HEADERS = {
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
    )
}

_FIGURES = ("image_auroc", "pixel_auroc", "f1", "precision", "recall")
_JSON = ("weights", "parameters", "good", "defective", "ignore", "include")
_VIEW = ("smallest_defect", "scale", "budget", "mask", "foreground", "align", "parts")
_TEXTS = ("name", "detector", "size", "quick", "backbone", "layout", "group_by", *_VIEW, *_JSON)
_FORM = form(
    ["name", "photographs"],
    name={"type": "string", "pattern": NAME_PATTERN, "description": "Name of the inspector to make."},
    detector={"type": "string", "pattern": DETECTOR_PATTERN, "description": "patchcore if absent."},
    size={"type": "integer", "minimum": 32, "maximum": 2048, "description": "Side in pixels."},
    quick={"type": "string", "enum": ["true", "false"], "description": "A small first run."},
    backbone={"type": "string", "description": "Pretrained network."},
    weights={"type": "string", "description": "Files of weights on the server by network, as a JSON object."},
    parameters={"type": "string", "description": "Parameters of the detector by name, as a JSON object."},
    layout={"type": "string", "description": "Layout of the folders in the zip; recognised if absent."},
    good={"type": "string", "description": "Folders of good parts in the zip, as a JSON array."},
    defective={"type": "string", "description": "Folders of defective parts, as a JSON array."},
    ignore={
        "type": "string",
        "description": "Boxes and polygons of photographs that do not count, and patterns of files that are left out, "
        "as a JSON array.",
    },
    include={"type": "string", "description": "Boxes and polygons that alone count, as a JSON array."},
    mask={"type": "string", "description": "Black-and-white image on the server whose white counts."},
    smallest_defect={
        "type": "string",
        "description": "Side of the smallest defect to see, as 12px or 0.4mm.",
    },
    scale={"type": "string", "description": "Scale of the photographs, as 0.05mm/px."},
    budget={"type": "string", "description": "Most time that a photograph may take here, as 60ms."},
    foreground={"type": "string", "enum": ["true", "false"], "description": "Only the part counts."},
    align={"type": "string", "description": "none, shift, turn or auto."},
    parts={"type": "string", "description": "Like parts in a photograph: one, auto, or as grid:2x3."},
    group_by={
        "type": "string",
        "description": "What photographs of one part have in common, as folder or 5s.",
    },
    photographs={
        "type": "string",
        "format": "binary",
        "description": "A zip of photographs of good parts.",
    },
)


class CellDocument(BaseModel):
    """What one detector reached on one category with one seed; figures that are not known are null."""

    category: str
    detector: str
    seed: int
    error: str = Field(description="Why it failed, in one sentence; empty if it did not.")
    image_auroc: float | None = Field(description="Area under the ROC curve of the photographs.")
    pixel_auroc: float | None = None
    f1: float | None = Field(None, description="F1 of the photographs at the inspector's threshold.")
    precision: float | None = Field(None, description="Share of what it rejects that is defective.")
    recall: float | None = Field(None, description="Share of defective parts that it rejects.")
    fit_seconds: float | None = Field(None, description="How long it learnt.")
    milliseconds: float | None = Field(None, description="For a photograph; measured when all have learnt.")

    @classmethod
    def of(cls, cell: dict[str, Any]) -> CellDocument:
        """The document of a cell as it is kept."""
        metrics, timings = cell.get("metrics") or {}, cell.get("timings") or {}
        found = {name: metrics.get(name) for name in _FIGURES}
        return cls(
            category=cell["category"],
            detector=cell["detector"],
            seed=cell["seed"],
            error=cell.get("error") or "",
            fit_seconds=timings.get("fit_seconds"),
            milliseconds=timings.get("ms"),
            **found,
        )


@router.get("/v1/jobs")
def jobs(service: Running, caller: Viewer) -> list[Job]:
    """All jobs, newest first."""
    return [one.shown for one in service.jobs.all()]


@router.post("/v1/jobs", status_code=202)
def start(service: Running, wanted: Annotated[JobRequest, Body()], caller: Admin) -> Job:
    """Start a job on a folder of the server; one runs at a time, the others wait."""
    return service.start_job(wanted, caller.name).shown


@router.post("/v1/jobs/train", status_code=202, openapi_extra=_FORM)
async def train(request: Request, service: Running, caller: Admin) -> Job:
    """Learn an inspector from an uploaded zip of photographs; with test photographs in it, it is measured too."""
    with tempfile.NamedTemporaryFile(dir=service.home.jobs, prefix=".upload-", suffix=".zip") as file:
        limits = FormLimits(1, service.settings.max_upload_bytes)
        received = await read_form(request, limits, "photographs", "zips", _TEXTS, sink=file.file)
        if not received.files:
            raise ProblemError(422, "The form has no photographs: add a zip as the field photographs.")
        file.flush()
        wanted = _training(received.fields)
        job = await run_in_threadpool(service.start_training, wanted, FilePath(file.name), caller.name)
        return job.shown


@router.get("/v1/jobs/{job}")
def one(service: Running, job: JobId, caller: Viewer) -> Job:
    """A job as it stands."""
    return service.jobs.get(job).shown


@router.get(
    "/v1/jobs/{job}/log", response_class=PlainTextResponse, responses={200: {"content": {"text/plain": {}}}}
)
def log(service: Running, job: JobId, caller: Viewer) -> PlainTextResponse:
    """What a job has said so far; the last part if it is long."""
    return PlainTextResponse(service.jobs.log(job))


@router.get("/v1/jobs/{job}/cells")
def cells(service: Running, job: JobId, caller: Viewer) -> list[CellDocument]:
    """What a comparison has measured so far, while it runs and afterwards."""
    return [CellDocument.of(cell) for cell in service.jobs.cells(job)]


@router.post("/v1/jobs/{job}/stop")
def stop(service: Running, job: JobId, caller: Admin) -> Job:
    """Stop a job that is on its way; one that has ended stays as it is."""
    return service.jobs.stop(job).shown


@router.delete("/v1/jobs/{job}")
def end(service: Running, job: JobId, caller: Admin) -> Job:
    """Stop a job that is on its way; forget one that has ended, with its files."""
    kept = service.jobs
    found = kept.get(job)
    if not found.state.ended:
        return kept.stop(job).shown
    kept.remove(job)
    return found.shown


@router.post("/v1/jobs/{job}/activate")
def activate(service: Running, job: JobId, caller: Admin) -> VersionDocument:
    """Put the inspector of a training on the shelf, and let it judge from now on."""
    return VersionDocument.of(service.activate_trained(job, caller.name))


@router.post("/v1/jobs/{job}/keep")
def keep(service: Running, job: JobId, caller: Admin) -> VersionDocument:
    """Put the inspector of a training on the shelf; it judges only once it is activated."""
    return VersionDocument.of(service.keep_trained(job, caller.name))


@router.get(
    "/v1/jobs/{job}/report", response_class=FileResponse, responses={200: {"content": {"text/html": {}}}}
)
def report(service: Running, job: JobId, caller: Viewer) -> FileResponse:
    """The report of a job: one HTML page that holds everything."""
    path = service.jobs.report(job)
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=_REPORT_HEADERS)


def _training(fields: dict[str, str]) -> TrainRequest:
    """What a form asks for.

    Raises:
        ProblemError: 422, a field is missing, unknown or out of range.
    """
    given: dict[str, Any] = {name: value for name, value in fields.items() if value}
    try:
        if unknown := set(given) - set(_TEXTS):
            said = meant(min(unknown), _TEXTS)
            raise ProblemError(
                422, f"The form has a field that means nothing here: {min(unknown)[:40]!a}{said}."
            )
        given |= {name: _parsed(name, given[name]) for name in _JSON if name in given}
        return TrainRequest.model_validate({"folder": "uploaded", **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise ProblemError(422, f"{first['loc'][0]} cannot be used: {first['msg']}.") from error


def _parsed(name: str, text: str) -> Any:
    """The JSON that a field of a form holds.

    Raises:
        ProblemError: 422, it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(422, f"{name} cannot be used: it is no JSON.") from error
