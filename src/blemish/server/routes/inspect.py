"""`POST /v1/inspect`: photographs in, verdicts out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from blemish.core.errors import OverloadedError
from blemish.core.pictures import uri_of
from blemish.server.authentication import Operator
from blemish.server.documents import InspectedDocument, InspectionDocument, RefusedDocument
from blemish.server.multipart import Form, FormLimits, form, read_form
from blemish.server.problems import ProblemError, image_status, problem_response
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.server.wording import reason
from blemish.station.inspection_queue import Judged, Refused
from blemish.station.photograph import PartMetadata
from blemish.station.records import MOST_TYPE_CHARACTERS

router = APIRouter(tags=["inspect"])

_METADATA = {
    "serial_number": "Of the part that the photographs show",
    "batch": "Lot, order or coil that the part belongs to",
    "shift": "That made the part",
    "camera": "That took the photographs",
}

_FORM = form(
    ["inspector", "images"],
    inspector={"type": "string", "description": "Name of the inspector."},
    **{
        name: {
            "type": "string",
            "maxLength": MOST_TYPE_CHARACTERS,
            "description": f"{said}; the history is searched by it.",
        }
        for name, said in _METADATA.items()
    },
    images={
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "format": "binary"},
        "description": "PNG, JPEG, BMP, TIFF or WebP files.",
    },
)


class Arriving:
    """Bytes of all bodies that are arriving at the moment: together they have a limit too."""

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    def add(self, size: int) -> None:
        """Count a piece.

        Raises:
            OverloadedError: too much is arriving at once.
        """
        self._now += size
        if self._now > self._most:
            raise OverloadedError("Too many photographs arrive at once: send them again a little later.", 1)

    def remove(self, size: int) -> None:
        """Forget pieces that have arrived or were dropped."""
        self._now -= size


@router.post("/v1/inspect", response_model=InspectedDocument, openapi_extra=_FORM)
async def inspect(
    request: Request,
    service: Running,
    caller: Operator,
    heatmap: Annotated[
        Literal["link", "inline", "layer"],
        Query(
            description="Heatmaps by their address, in the answer, or there alone, to be laid over the photograph."
        ),
    ] = "link",
) -> Response:
    """Judge photographs; the answer comes once the inspections are in the log."""
    service.queue.check_room()
    received = await _arrived(request, service)
    answers = await run_in_threadpool(
        service.submit,
        received.files,
        received.text("inspector"),
        caller.name,
        wants_images=heatmap != "link",
    )
    waited = [asyncio.wrap_future(answer) for answer in answers]
    try:
        async with asyncio.timeout(2 * service.settings.request_seconds):
            results = await asyncio.gather(*waited, return_exceptions=True)
    except TimeoutError as error:
        raise OverloadedError("The photographs took too long: send them again later.", 5) from error
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return await _answer([one for one in results if not isinstance(one, BaseException)], heatmap, service)


async def _arrived(request: Request, service: Service) -> Form:
    settings, arriving, size = service.settings, request.app.state.arriving, 0

    def count(more: int) -> None:
        nonlocal size
        size += more
        arriving.add(more)

    try:
        limits = FormLimits(settings.max_images, settings.max_bytes, "--max-images", "--max-bytes")
        received = await read_form(request, limits, "images", texts=("inspector", *_METADATA), count=count)
    finally:
        arriving.remove(size)
    if not received.files:
        raise ProblemError(422, "The form has no photographs: add files as the field images.")
    metadata = PartMetadata(**{name: received.fields.get(name) or None for name in _METADATA})
    received.files = [replace(one, metadata=metadata) for one in received.files]
    return received


async def _answer(results: Sequence[Judged | Refused], heatmap: str, service: Service) -> Response:
    refused = [one for one in results if isinstance(one, Refused)]
    judged = [one for one in results if isinstance(one, Judged)]
    if not judged:
        first = refused[0]
        return problem_response(
            image_status(first.kind), f"{first.file_name!a}: {first.detail}", kind=first.kind
        )
    if heatmap == "link":  # nothing is drawn
        documents = [_document(one, heatmap, service) for one in judged]
    else:
        documents = await run_in_threadpool(lambda: [_document(one, heatmap, service) for one in judged])
    found = InspectedDocument.model_construct(
        inspections=documents, refused=[RefusedDocument.of_refusal(one) for one in refused]
    )
    return Response(found.model_dump_json(), media_type="application/json")


def _document(judged: Judged, heatmap: str, service: Service) -> InspectionDocument:
    """The document of an inspection with its reason, and with its picture where that was asked for."""
    judgement, record, prefix = judged.judgement, judged.record, service.settings.prefix
    sentence = reason(record, judged.n_scores)
    if judgement is None or not record.gives_map:
        return InspectionDocument.of(record, service.images, prefix=prefix, sentence=sentence)
    drawn = uri_of(judgement.layer() if heatmap == "layer" else judgement.heatmap(), ".png")
    scale = judgement.inspector.map_scale
    return InspectionDocument.of(record, service.images, drawn, prefix, sentence=sentence, map_scale=scale)
