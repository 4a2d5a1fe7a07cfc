"""`/v1/review-queue`: what needs a person first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from blemish.server.authentication import Viewer
from blemish.server.documents import InspectionDocument
from blemish.server.routes.inspections import documented
from blemish.server.routes.running import Running
from blemish.station.records import NAME_PATTERN
from blemish.station.review_queue import Kind

router = APIRouter(tags=["history"])


class WaitingDocument(BaseModel):
    """An inspection that waits for a person, and why in one sentence."""

    kind: Kind
    reason: str
    inspection: InspectionDocument


class ReviewQueueDocument(BaseModel):
    """What waits for a person, the most pressing first; what a person has judged, or is void, waits no longer."""

    waiting: list[WaitingDocument]
    counts: dict[Kind, int] = Field(
        description="How many wait of each kind. Contradictions are counted up to the limit asked for; of passes near "
        "the threshold at most 50, among the latest 10,000."
    )


@router.get("/v1/review-queue")
def review_queue(
    service: Running,
    caller: Viewer,
    inspector: Annotated[str, Query(pattern=NAME_PATTERN)],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReviewQueueDocument:
    """What needs a person first: for review, contradicted, not judged, rejected without a word, passed by little."""
    service.shelf.active(inspector)
    page = service.review_queue.page(inspector, limit)
    waiting = [
        WaitingDocument(kind=one.kind, reason=one.reason, inspection=documented(service, one.record))
        for one in page.waiting
    ]
    return ReviewQueueDocument(waiting=waiting, counts=dict(page.counts))
