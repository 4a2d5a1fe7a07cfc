"""`/v1/inspectors/{name}/corrections` and `/learn`: what people said, and a version that learns it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from blemish.server.authentication import Admin, Operator, Viewer
from blemish.server.job import Job
from blemish.server.learning_request import CorrectionsRequest
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running
from blemish.station.corrections import StationCorrections

router = APIRouter(tags=["inspectors"])

PathNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the inspection.")]


class CorrectionsDocument(BaseModel):
    """What people said of an inspector's photographs, each photograph once."""

    good: int = Field(description="Found good.")
    bad: int = Field(description="Found defective.")
    learnt: int = Field(description="Those of both that the active version has learnt from.")
    new: int = Field(description="Those that it has not.")


class LearnOptions(BaseModel):
    """How corrections are learnt from."""

    model_config = ConfigDict(extra="forbid")

    activate_anyway: bool = Field(False, description="Let it judge even if an earlier correction gets worse.")
    keep_only: bool = Field(
        False, description="Put it on the shelf alone; the active version goes on judging."
    )
    passes: Annotated[
        int, Field(ge=0, le=10_000, description="Latest passes for the calibration, at most.")
    ] = 300
    recent: Annotated[
        int, Field(ge=0, le=10_000, description="Latest photographs kept that it is replayed on, at most.")
    ] = 200


@router.get("/v1/inspectors/{name}/corrections")
def corrections(service: Running, name: PathName, caller: Viewer) -> CorrectionsDocument:
    """How many corrections there are, and how many of them the active version has not learnt from."""
    learnt = service.versions.manifest(service.shelf.active(name)).corrected_digests
    found = StationCorrections(service.database, service.home, name).counts(learnt)
    return CorrectionsDocument(good=found.good, bad=found.bad, learnt=found.learnt, new=found.new)


@router.post("/v1/inspectors/{name}/learn", status_code=202)
def learn(service: Running, name: PathName, caller: Admin, wanted: LearnOptions) -> Job:
    """Learn from corrections, as a job; its result says what the new version would have said of the past.

    The new version judges from then on if no earlier correction gets worse, or where `activate_anyway` says so.
    """
    asked = CorrectionsRequest(inspector=name, **wanted.model_dump())
    return service.start_job(asked, caller.name).shown


@router.post("/v1/inspectors/{name}/corrections/{number}/confirm", status_code=204)
def confirm(service: Running, name: PathName, number: PathNumber, caller: Operator) -> None:
    """Confirm that the part of an inspection is good although it is far from all good parts: it is learnt from then."""
    StationCorrections(service.database, service.home, name).confirm(number, caller.name)
