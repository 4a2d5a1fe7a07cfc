"""`/v1/inspectors/{name}/view`: what an inspector looks at, in words and as layers of a picture to paint on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from blemish.core.errors import NotFoundError
from blemish.core.pictures import encoded
from blemish.line.ignoring import ignoring
from blemish.line.manifest import Manifest
from blemish.line.view_picture import LONGEST_SIDE, at_its_place, unseen_layer
from blemish.server.authentication import Operator, Viewer
from blemish.server.job_requests import RegionShapes
from blemish.server.multipart import FormLimits, form, read_form
from blemish.server.problems import ProblemError
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.server.view_documents import ViewDocument
from blemish.station.photograph import Photograph
from blemish.view.view import View

router = APIRouter(tags=["inspectors"])

_Version = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Of the inspector; the active one if absent.")
]
_Side = Annotated[int, Query(ge=16, le=LONGEST_SIDE, description="Longer side of the picture, at most.")]
_FORM = form(
    ["image"],
    image={"type": "string", "format": "binary", "description": "A photograph."},
)
_KEPT_A_DAY = {"Cache-Control": "private, max-age=86400"}
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/v1/inspectors/{name}/view")
def view(service: Running, name: PathName, caller: Viewer, version: _Version = None) -> ViewDocument:
    """What of photographs a version looks at, and whether it can ignore more without learning anew."""
    return ViewDocument.of(*service.decisions.manifest(name, version))


@router.get("/v1/inspectors/{name}/view/unseen.png", response_class=Response, responses=_PNG)
def unseen(
    service: Running,
    name: PathName,
    caller: Viewer,
    version: _Version = None,
    ignore: Annotated[RegionShapes, Query(description="Shapes to be ignored besides.")] = (),
    side: _Side = LONGEST_SIDE,
) -> Response:
    """What is ignored, hatched, and what is seen but not judged, amber; the rest is transparent."""
    found, manifest = service.decisions.manifest(name, version)
    _require_view(found.title, manifest)
    changed = ignoring(manifest, ignore, (), None) if ignore else manifest
    return Response(unseen_layer(changed.preprocessing, side), media_type="image/png")


@router.get("/v1/inspectors/{name}/view/photograph.jpg", response_class=Response, responses=_JPEG)
def photograph(
    service: Running,
    name: PathName,
    caller: Viewer,
    inspection: Annotated[int, Query(ge=1, le=2**63 - 1, description="Whose photograph, if it is kept.")],
    version: _Version = None,
    side: _Side = LONGEST_SIDE,
) -> Response:
    """The photograph of an inspection as it lies where shapes are named, its part at its place."""
    record = service.log.get(inspection)
    if record.inspector != name:
        raise NotFoundError(f"Inspection {inspection} is one of {record.inspector}, not of {name}.")
    shown = _at_its_place(service, name, version, service.reinspection.kept(record), side)
    return Response(shown, media_type="image/jpeg", headers=None if version is None else _KEPT_A_DAY)


@router.post(
    "/v1/inspectors/{name}/view/photograph", response_class=Response, responses=_JPEG, openapi_extra=_FORM
)
async def sent_photograph(
    request: Request,
    service: Running,
    name: PathName,
    caller: Operator,
    version: _Version = None,
    side: _Side = LONGEST_SIDE,
) -> Response:
    """The same of a photograph that is sent; it is neither judged nor kept."""
    limits, arriving, size = (
        FormLimits(1, service.settings.max_bytes, "", "--max-bytes"),
        request.app.state.arriving,
        0,
    )

    def count(more: int) -> None:
        nonlocal size
        size += more
        arriving.add(more)

    try:
        received = await read_form(request, limits, "image", count=count)
    finally:
        arriving.remove(size)
    if not received.files:
        raise ProblemError(422, "The form has no photograph: add the file as the field image.")
    shown = await run_in_threadpool(_at_its_place, service, name, version, received.files[0], side)
    return Response(shown, media_type="image/jpeg")


def _at_its_place(
    service: Service, name: str, version: int | None, photograph: Photograph, side: int
) -> bytes:
    """A photograph as JPEG, its part at its place.

    Raises:
        NotFoundError: there is no such version, or it does not know where it looks.
        ImageError: the photograph cannot be used.
    """
    found, manifest = service.decisions.manifest(name, version)
    view = _require_view(found.title, manifest)
    pixels = service.reinspection.decoded(photograph, manifest.preprocessing.bit_depth)
    return encoded(at_its_place(pixels, view, side), ".jpg", quality=90)


def _require_view(title: str, manifest: Manifest) -> View:
    """What a version looks at.

    Raises:
        NotFoundError: it does not know.
    """
    if manifest.preprocessing.view is None:
        raise NotFoundError(f"{title} does not know where on photographs it looks: fit it anew.")
    return manifest.preprocessing.view
