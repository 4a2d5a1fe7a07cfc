"""`/v1/inspectors/{name}/versions`: what each version is made of, its file, and what it says of kept photographs."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from blemish.core.errors import ArtifactError, ImageError
from blemish.core.image_files import open_regular
from blemish.core.storage import stream_digest
from blemish.server.authentication import Admin, Viewer
from blemish.server.routes.inspections import Number
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running
from blemish.server.version_documents import ReinspectionDocument, VersionFactsDocument

router = APIRouter(tags=["inspectors"])

PathVersion = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the version.")]

_AT_ONCE = 2**20


@router.get("/v1/inspectors/{name}/versions")
def versions(service: Running, name: PathName, caller: Viewer) -> list[VersionFactsDocument]:
    """All versions, newest first: what each is made of, what changed, when it judged and how it fared."""
    return service.versions.all(name)


@router.get("/v1/inspectors/{name}/versions/{version}")
def version(
    service: Running,
    name: PathName,
    version: PathVersion,
    caller: Viewer,
    against: Annotated[
        int | None,
        Query(
            ge=1,
            le=2**31 - 1,
            description="Version to tell the changes from; if absent, that it was made of.",
        ),
    ] = None,
) -> VersionFactsDocument:
    """One version, and how it differs from another."""
    return service.versions.one(name, version, against)


@router.get(
    "/v1/inspectors/{name}/versions/{version}/artifact",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def artifact(service: Running, name: PathName, version: PathVersion, caller: Admin) -> StreamingResponse:
    """The file itself, as it was added: for a copy elsewhere, or another station.

    An admin's: it is the whole of what was learnt, and an operator's key stands in programs at the line.
    """
    kept = service.shelf.get(name, version)
    try:
        stream = open_regular(kept.path)
    except ImageError as error:
        raise ArtifactError(f"The file of {kept.title} is gone: restore it, or add it again.") from error
    try:
        # Of the open file, which nobody can swap any more.
        if stream_digest(stream) != kept.digest:
            raise ArtifactError(f"The file of {kept.title} is not the one that was added: add it anew.")
        size = os.fstat(stream.fileno()).st_size
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    digest = base64.b64encode(bytes.fromhex(kept.digest)).decode()
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-v{version}.blemish"',
        "Content-Length": str(size),
        "Repr-Digest": f"sha-256=:{digest}:",  # RFC 9530
        "ETag": f'"{kept.digest}"',
    }
    return StreamingResponse(_pieces(stream), media_type="application/zip", headers=headers)


@router.get("/v1/inspections/{number}/reinspection", tags=["history"])
def reinspection(
    service: Running,
    number: Number,
    version: Annotated[int, Query(ge=1, le=2**31 - 1, description="Of the same inspector.")],
    caller: Viewer,
) -> ReinspectionDocument:
    """What another version says of the photograph, if it is kept; nothing of it is logged."""
    record = service.log.get(number)
    found = service.reinspection.by_version(record, version).inspection
    return ReinspectionDocument(
        inspection=number,
        version=version,
        verdict=found.verdict,
        score=found.score,
        threshold=found.threshold,
        p_value=found.p_value,
    )


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(_AT_ONCE):
            yield piece
