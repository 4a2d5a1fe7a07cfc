"""`/v1/inspectors`: the shelf of inspectors, their versions, and which one judges."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from blemish.core.errors import ArtifactError
from blemish.server.authentication import Admin, Viewer
from blemish.server.documents import ActivateRequest, InspectorDocument, RegionsRequest, VersionDocument
from blemish.server.multipart import FormLimits, form, read_form
from blemish.server.problems import ProblemError
from blemish.server.routes.running import Running
from blemish.station.records import NAME_PATTERN

router = APIRouter(tags=["inspectors"])

PathName = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of the inspector.")]

_FORM = form(
    ["artifact"],
    artifact={"type": "string", "format": "binary", "description": "A .blemish file."},
    name={
        "type": "string",
        "pattern": NAME_PATTERN,
        "description": "Name on the shelf; the artifact's own if absent.",
    },
)


@router.get("/v1/inspectors")
def inspectors(service: Running, caller: Viewer) -> list[InspectorDocument]:
    """All inspectors with their versions."""
    shelf = service.shelf
    return [InspectorDocument.of(name, shelf.versions(name)) for name in shelf.names()]


@router.post("/v1/inspectors", status_code=201, openapi_extra=_FORM)
async def add(request: Request, service: Running, caller: Admin) -> VersionDocument:
    """Put an artifact on the shelf; it judges only once it is activated. The same file again is the same version."""
    # In the home: nothing that a stranger sends is ever written elsewhere.
    with tempfile.NamedTemporaryFile(
        dir=service.home.inspectors, prefix=".upload-", suffix=".blemish"
    ) as file:
        limits = FormLimits(1, service.settings.max_upload_bytes)
        received = await read_form(request, limits, "artifact", "inspectors", ("name",), sink=file.file)
        if not received.files:
            raise ProblemError(422, "The form has no inspector: add the file as the field artifact.")
        name = received.fields.get("name") or None
        file.flush()
        try:
            version = await run_in_threadpool(service.inspectors.add, FilePath(file.name), name, caller.name)
        except ArtifactError as error:
            # The temporary name says nothing to the sender.
            said = str(error).replace(file.name, received.files[0].file_name)
            raise ArtifactError(said) from error
    return VersionDocument.of(version)


@router.post("/v1/inspectors/{name}/activate")
def activate(service: Running, name: PathName, wanted: ActivateRequest, caller: Admin) -> VersionDocument:
    """Let a version judge from now on."""
    return VersionDocument.of(service.inspectors.activate(name, wanted.version, caller.name))


@router.post("/v1/inspectors/{name}/regions", status_code=201)
def narrow(service: Running, name: PathName, wanted: RegionsRequest, caller: Admin) -> VersionDocument:
    """Make a version that looks at less, without learning anew; it judges only once it is activated."""
    return VersionDocument.of(
        service.inspectors.narrow(name, wanted.version, wanted.ignore, wanted.include, caller.name)
    )


@router.post("/v1/inspectors/{name}/roll-back")
def roll_back(service: Running, name: PathName, caller: Admin) -> VersionDocument:
    """Let the version judge that was active before."""
    return VersionDocument.of(service.inspectors.roll_back(name, caller.name))
