"""`/v1/inspections/{number}/void`: what shall not count, and that taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from blemish.server.authentication import Operator
from blemish.server.documents import InspectionDocument
from blemish.server.routes.inspections import Number, documented
from blemish.server.routes.running import Running
from blemish.station.records import LINE_PATTERN, MOST_TYPE_CHARACTERS

router = APIRouter(tags=["history"])


class VoidRequest(BaseModel):
    """Why an inspection shall not count, in one line."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=MOST_TYPE_CHARACTERS, pattern=LINE_PATTERN)]


@router.post("/v1/inspections/{number}/void")
def void(service: Running, caller: Operator, number: Number, said: VoidRequest) -> InspectionDocument:
    """Declare an inspection void: it stays in the history, marked, and is in no rate, preview, drift or gallery."""
    return documented(service, service.said.void(number, said.reason, caller.name))


@router.post("/v1/inspections/{number}/void/undo")
def take_back(service: Running, caller: Operator, number: Number) -> InspectionDocument:
    """Let a void inspection count again."""
    return documented(service, service.said.take_back(number, caller.name))
