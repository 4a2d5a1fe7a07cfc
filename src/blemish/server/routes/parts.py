"""`/v1/parts`: all parts at a glance, and a picture of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from blemish.server.authentication import Viewer
from blemish.server.part_documents import PartsDocument
from blemish.server.part_pictures import MOST_SIDE
from blemish.server.parts import parts_at_a_glance
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running

router = APIRouter(tags=["parts"])


@router.get("/v1/parts")
def parts(service: Running, caller: Viewer) -> PartsDocument:
    """All parts, those first that need a person: verdicts of today, how usual they are, drift, and what waits."""
    return parts_at_a_glance(service)


@router.get(
    "/v1/inspectors/{name}/picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def picture(
    request: Request,
    service: Running,
    caller: Viewer,
    name: PathName,
    side: Annotated[
        int, Query(ge=32, le=MOST_SIDE, description="Most pixels of the longer side.")
    ] = MOST_SIDE,
    of: Annotated[
        str | None, Query(pattern="^[0-9a-f]{16}$", description="As GET /v1/parts says; then it may be kept.")
    ] = None,
) -> Response:
    """The latest kept photograph of the part as a small JPEG."""
    digest, content = service.part_pictures.picture(name, side)
    tag = f'"{digest[:16]}-{side}"'
    kept = "private, max-age=86400" if of == digest[:16] else "private, no-cache"
    headers = {"Cache-Control": kept, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/jpeg", headers=headers)
