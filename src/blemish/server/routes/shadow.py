"""`/v1/inspectors/{name}/shadow`: a version that judges beside the active one before it takes over."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from blemish.core.types import Verdict
from blemish.server.authentication import Admin, Viewer
from blemish.server.documents import InspectionDocument
from blemish.server.routes.inspections import documented
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.station.shadow_report import Ending, ShadowReport
from blemish.station.shadows import MOST_PARTS, Difference

router = APIRouter(tags=["inspectors"])


class ShadowRequest(BaseModel):
    """Which version is to judge beside the active one, and for how long."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    parts: Annotated[int, Field(ge=1, le=MOST_PARTS, description="After how many parts it ends.")] = 500
    most_differences: Annotated[
        int | None,
        Field(
            ge=0,
            le=MOST_PARTS,
            description="It takes over by itself if at most so many verdicts differ; null where a person decides.",
        ),
    ] = None


class SharePartsDocument(BaseModel):
    """A share of parts, with its 95 % interval."""

    count: int
    n: int
    rate: float | None
    interval: tuple[float, float] | None


class MetDocument(BaseModel):
    """Parts of which both say the same pair of verdicts, and how many of them people found good or bad."""

    active: Verdict
    shadow: Verdict
    n: int
    good: int
    bad: int


class ShadowDocument(BaseModel):
    """A version beside the active one: how far it has come, and where both differ."""

    id: int
    name: str
    version: int
    beside: int = Field(description="The version that judges, or judged then.")
    parts: int
    most_differences: int | None
    begun: str
    by: str
    ended: str | None
    outcome: Ending | None = Field(description="How it ended; null while it judges.")
    trouble: str | None
    n: int = Field(description="Parts that both have judged; what is void is left out.")
    ready: bool
    differences: int
    differing: SharePartsDocument
    rejected_by_active: SharePartsDocument
    rejected_by_shadow: SharePartsDocument
    met: list[MetDocument]
    passed_over: int = Field(description="Parts that the line left no time for.")
    waiting: int
    message: str

    @classmethod
    def of(cls, report: ShadowReport) -> Self:
        """The document of a report."""
        return cls.model_validate(report.to_json())


class DifferenceDocument(BaseModel):
    """A part of which both say something else."""

    inspection: InspectionDocument
    verdict: Verdict = Field(description="What the version beside says.")
    score: float
    threshold: float


class DifferencesDocument(BaseModel):
    """Some of them, newest first."""

    differences: list[DifferenceDocument]
    next_cursor: str | None = Field(description="Asks for those that follow; null at the end.")


@router.post("/v1/inspectors/{name}/shadow", status_code=201)
def begin(service: Running, name: PathName, wanted: ShadowRequest, caller: Admin) -> ShadowDocument:
    """Let a version judge beside the active one: it changes nothing, and delays nothing."""
    begun = service.shadows.begin(name, wanted.version, wanted.parts, wanted.most_differences, caller.name)
    service.shadow_judge.look_again()
    return ShadowDocument.of(service.shadows.report(begun))


@router.get("/v1/inspectors/{name}/shadow")
def shadow(service: Running, name: PathName, caller: Viewer) -> ShadowDocument:
    """What judges beside the active version, or did so last."""
    return ShadowDocument.of(service.shadows.report_of(name))


@router.get("/v1/inspectors/{name}/shadow/differences")
def differences(
    service: Running,
    name: PathName,
    caller: Viewer,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> DifferencesDocument:
    """The parts of which both say something else, newest first."""
    latest = service.shadows.report_of(name).shadow
    page = service.shadows.differences(latest, limit, cursor)
    return DifferencesDocument(
        differences=[_document(service, one) for one in page.found], next_cursor=page.next_cursor
    )


@router.delete("/v1/inspectors/{name}/shadow")
def stop(service: Running, name: PathName, caller: Admin) -> ShadowDocument:
    """Stop it; what it has said stays."""
    report = service.shadows.stop(name, caller.name)
    service.shadow_judge.look_again()
    return ShadowDocument.of(report)


def _document(service: Service, difference: Difference) -> DifferenceDocument:
    said = difference.said
    return DifferenceDocument(
        inspection=documented(service, difference.record),
        verdict=said.verdict,
        score=said.score,
        threshold=said.threshold,
    )
