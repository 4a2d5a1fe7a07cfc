"""`/v1/inspections`: the history, its photographs and heatmaps, and what people say."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from blemish.core.errors import NotFoundError
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.core.spreadsheet import safe_cell
from blemish.core.types import Verdict
from blemish.server.authentication import Operator, Viewer
from blemish.server.documents import (
    DefectType,
    FeedbackDocument,
    FeedbackRequest,
    InspectionDocument,
    Moment,
    PageDocument,
)
from blemish.server.gallery_documents import NeighbourDocument, ProposalDocument, SimilarDocument
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.server.wording import reason
from blemish.station.records import (
    LINE_PATTERN,
    NAME_PATTERN,
    InspectionFilter,
    InspectionRecord,
    NewFeedback,
)

router = APIRouter(tags=["history"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the inspection.")]
Choice = Literal["leave-out", "only"]
QueryName = Annotated[str | None, Query(pattern=NAME_PATTERN)]

_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".webp": "image/webp",
    ".pnm": "image/x-portable-anymap",
    ".gif": "image/gif",
    ".jp2": "image/jp2",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
_CSV_BEGINS_WITH = (
    "id", "time", "inspector", "version", "verdict", "score", "threshold", "p_value", "percentile", "regions",
    "file_name", "image_digest", "width", "height", "by", "truth", "defect_type", "note",
)  # fmt: skip
"""Columns that stay in their place, for programs that count them; what an inspection gets besides follows them."""

_CSV_FIELDS = (
    *_CSV_BEGINS_WITH,
    *(one.name for one in fields(InspectionRecord) if one.name not in (*_CSV_BEGINS_WITH, "image_suffix")),
)
_CSV_ROWS_AT_ONCE = 200


def chosen(
    since: Moment | None = None,
    until: Moment | None = None,
    inspector: QueryName = None,
    verdict: Verdict | None = None,
    defect_type: DefectType | None = None,
    truth: Literal["good", "bad"] | None = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    search: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            pattern=LINE_PATTERN,
            description="Part of the file's name, the serial number or the batch, or the inspection's number.",
        ),
    ] = None,
    reviewed: Annotated[bool | None, Query(description="Whether a person has said what the part is.")] = None,
    void: Annotated[
        Choice | None, Query(description="Void inspections: without them, or they alone.")
    ] = None,
    repeats: Annotated[
        Choice | None, Query(description="Repeats of one file: without them, or they alone.")
    ] = None,
    serial_number: Annotated[DefectType | None, Query(description="Of the part.")] = None,
    batch: Annotated[DefectType | None, Query(description="That the part belongs to.")] = None,
    shift: Annotated[DefectType | None, Query(description="That made the part.")] = None,
    camera: Annotated[DefectType | None, Query(description="That took the photograph.")] = None,
) -> InspectionFilter:
    """Which inspections a request means."""
    return InspectionFilter(
        since, until, inspector, verdict, defect_type, truth, version, search, reviewed,
        void=None if void is None else void == "only",
        repeat=None if repeats is None else repeats == "only",
        serial_number=serial_number, batch=batch, shift=shift, camera=camera,
    )  # fmt: skip


Chosen = Annotated[InspectionFilter, Depends(chosen)]


@router.get("/v1/inspections")
def inspections(
    service: Running,
    caller: Viewer,
    which: Chosen,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> PageDocument:
    """A page of the history, newest first; those that arrive meanwhile move nothing to another page."""
    page = service.log.page(which, limit, cursor)
    found = [documented(service, record) for record in page.records]
    return PageDocument(inspections=found, next_cursor=page.next_cursor)


@router.get(
    "/v1/inspections.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def inspections_csv(service: Running, caller: Viewer, which: Chosen) -> StreamingResponse:
    """The history as CSV, oldest first."""
    rows = _csv(service.log.records(which))
    headers = {"Content-Disposition": 'attachment; filename="inspections.csv"'}
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/inspections/{number}")
def inspection(service: Running, caller: Viewer, number: Number) -> InspectionDocument:
    """One inspection, with its reason in words."""
    record = service.log.get(number)
    try:
        sentence = reason(record, service.shelf.get(record.inspector, record.version).n_scores)
    except NotFoundError:  # the version is of a shelf that was replaced
        sentence = None
    return documented(service, record, sentence)


@router.get(
    "/v1/inspections/{number}/image",
    response_class=Response,
    responses={
        200: {
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES.values()
            }
        }
    },
)
def image(service: Running, caller: Viewer, number: Number) -> Response:
    """The photograph, if it is kept or, after a pass, held for a while."""
    content = service.reinspection.kept(service.log.get(number)).content
    suffix = FORMAT_SUFFIXES[found][0] if (found := image_format(content)) else ""
    kind = _MEDIA_TYPES.get(suffix, "application/octet-stream")
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})


@router.get(
    "/v1/inspections/{number}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def thumbnail(service: Running, caller: Viewer, number: Number) -> Response:
    """The photograph as a JPEG of at most 160 pixels, if it is kept or held."""
    made = service.thumbnails.of(service.log.get(number), service.images)
    return Response(made, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


@router.get(
    "/v1/inspections/{number}/heatmap",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def heatmap(
    service: Running,
    caller: Viewer,
    number: Number,
    opacity: Annotated[float, Query(ge=0, le=1)] = 0.6,
    style: Annotated[
        Literal["over", "layer"], Query(description="Over the photograph, or alone with transparency.")
    ] = "over",
) -> Response:
    """The heatmap over the photograph as PNG, made anew by the version that judged; only if the photograph is kept."""
    judgement = service.reinspection.of_record(service.log.get(number))
    drawn = judgement.layer() if style == "layer" else judgement.heatmap(opacity)
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})


@router.get("/v1/inspections/{number}/feedback")
def feedbacks(service: Running, caller: Viewer, number: Number) -> list[FeedbackDocument]:
    """All that people said of the part, oldest first."""
    return [FeedbackDocument.of(one) for one in service.log.feedback(number)]


@router.post("/v1/inspections/{number}/feedback", status_code=201)
def give_feedback(
    service: Running, caller: Operator, number: Number, said: FeedbackRequest
) -> FeedbackDocument:
    """Say what the part really is."""
    feedback = NewFeedback(said.truth, said.defect_type, said.note, caller.name)
    return FeedbackDocument.of(service.said.give_feedback(number, feedback))


@router.get("/v1/inspections/{number}/similar")
def similar(
    service: Running,
    caller: Viewer,
    number: Number,
    top: Annotated[int, Query(ge=1, le=50)] = 5,
    category: Annotated[DefectType | None, Query()] = None,
    defect_type: Annotated[DefectType | None, Query()] = None,
    since: Moment | None = None,
) -> SimilarDocument:
    """The most similar past defects, and the defect type that they propose; only if the photograph is kept.

    For a part that passes, or that a person found good, no type is proposed.
    """
    record = service.log.get(number)
    found = service.gallery.similar(record, top=top, category=category, defect_type=defect_type, since=since)
    return SimilarDocument(
        verdict=found.verdict,
        score=found.score,
        threshold=found.threshold,
        truth=found.truth,
        neighbours=[NeighbourDocument.model_validate(one.to_json()) for one in found.neighbours],
        proposal=ProposalDocument.model_validate(found.proposal.to_json()),
    )


def documented(service: Service, record: InspectionRecord, sentence: str | None = None) -> InspectionDocument:
    """The document of a record of this server."""
    return InspectionDocument.of(record, service.images, prefix=service.settings.prefix, sentence=sentence)


def _csv(records: Iterator[InspectionRecord]) -> Iterator[str]:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["n_regions" if name == "regions" else name for name in _CSV_FIELDS])
    for count, record in enumerate(records, 1):
        writer.writerow([_text(record, name) for name in _CSV_FIELDS])
        if count % _CSV_ROWS_AT_ONCE == 0:
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue()


def _text(record: InspectionRecord, name: str) -> Any:
    value = getattr(record, name)
    if name == "regions":
        return len(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return safe_cell(value)
