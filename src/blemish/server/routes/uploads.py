"""`/v1/uploads`: photographs sent file by file, for jobs that are started with them afterwards."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from blemish.server.authentication import Admin
from blemish.server.problems import ProblemError
from blemish.server.routes.running import Running
from blemish.server.uploaded_set import ID_PATTERN, LeftOut
from blemish.server.uploaded_sets import UploadedSet

router = APIRouter(tags=["jobs"])

UploadId = Annotated[str, Path(pattern=ID_PATTERN, description="The upload.")]
FileName = Annotated[
    str, Path(min_length=1, max_length=2000, description="Name of the file, with folders before it.")
]

_WRITTEN_AT_ONCE = 2**20
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself: a photograph, or a zip of photographs.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class LeftOutDocument(BaseModel):
    """A file that is not used."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="As it was sent.")
    reason: str = Field(description="Why, and the way out, in one sentence.")


class UploadDocument(BaseModel):
    """An upload as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    by: str = Field(description="Who began it.")
    created: datetime
    expires: datetime = Field(description="When it is removed: a day after its last file.")
    photographs: int
    bytes: int
    folders: dict[str, int] = Field(description="Photographs by the first folder of their names.")
    left_out: list[LeftOutDocument] = Field(description="Files that are not used; the latest 1,000.")
    left_out_count: int

    @classmethod
    def of(cls, found: UploadedSet) -> UploadDocument:
        """The document of an upload."""
        return cls.model_validate(found)


class ReceivedDocument(BaseModel):
    """What became of a file."""

    name: str = Field(description="Under which it is kept; it has a number where that name was taken.")
    photographs: int = Field(description="That it has added; of a zip several.")
    left_out: list[LeftOutDocument] = Field(description="The file itself, or files of the zip.")


@router.post("/v1/uploads", status_code=201)
def create(service: Running, caller: Admin) -> UploadDocument:
    """Begin an upload; jobs are started with it as `upload`. A day after its last file it is removed."""
    return UploadDocument.of(service.uploads.create(caller.name))


@router.get("/v1/uploads/{upload}")
def one(service: Running, upload: UploadId, caller: Admin) -> UploadDocument:
    """An upload as it stands."""
    return UploadDocument.of(service.uploads.get(upload))


@router.put("/v1/uploads/{upload}/files/{name:path}", openapi_extra=_BODY)
async def add(
    request: Request, service: Running, upload: UploadId, name: FileName, caller: Admin
) -> ReceivedDocument:
    """Send a file: the photographs of a zip each by itself. One that cannot be read is told, and the others are used.

    Sending the same file again under the same name changes nothing.
    """
    sets, most = service.uploads, service.uploads.most_bytes(name)
    announced = request.headers.get("content-length", "")
    await run_in_threadpool(sets.check_room, upload, int(announced) if announced.isdecimal() else 0)
    with sets.incoming(upload) as file:
        size, pending = 0, bytearray()
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise _too_large(name, most)
            pending += piece
            if len(pending) >= _WRITTEN_AT_ONCE:
                await run_in_threadpool(file.write, bytes(pending))
                pending.clear()
        await run_in_threadpool(file.write, bytes(pending))
        file.close()
        received = await run_in_threadpool(sets.add, upload, name, FilePath(file.name))
    return ReceivedDocument(
        name=received.name, photographs=received.photographs, left_out=_documents(received.left_out)
    )


@router.delete("/v1/uploads/{upload}", status_code=204)
def remove(service: Running, upload: UploadId, caller: Admin) -> None:
    """Remove an upload; jobs that were started with it keep their photographs."""
    service.uploads.remove(upload)


def _documents(left_out: tuple[LeftOut, ...]) -> list[LeftOutDocument]:
    return [LeftOutDocument.model_validate(one) for one in left_out]


def _too_large(name: str, most: int) -> ProblemError:
    shown = FilePath(name.replace("\\", "/")).name[:80]
    return ProblemError(
        413,
        f"{shown!a} has more than {most:,} bytes: scale it, or start the server with a larger --max-bytes.",
        kind="too-large",
    )
