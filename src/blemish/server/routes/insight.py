"""`GET /v1/insight`: what the history says of the process of a part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from blemish.core.errors import NotFoundError
from blemish.core.spans import zone_of
from blemish.server.authentication import Viewer
from blemish.server.documents import FirstPassDocument
from blemish.server.routes.inspections import Chosen
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.station.insight.documents import document, table
from blemish.station.insight.insight import By, Insight
from blemish.station.insight.reading import read_insight
from blemish.station.insight.report import render_report
from blemish.station.records import NAME_PATTERN, InspectionFilter

DAYS = 7
"""Of a span whose beginning nobody gives."""

router = APIRouter(tags=["statistics"])

Zone = Annotated[str, Query(min_length=1, max_length=60, description="Clock of days and hours.")]
Bucket = Literal["hour", "day"]


class PointDocument(BaseModel):
    """A sample of the control charts; `risen` and `fallen` are the evidence of the CUSUM."""

    start: datetime
    n: int
    rejected: int
    rate: float
    lower: float
    upper: float
    out: bool = Field(description="Whether it is out of control.")
    risen: float
    fallen: float


class ProcessChangeDocument(BaseModel):
    """Something that changed at a station."""

    time: datetime
    kind: Literal["version", "decision", "drift"]
    what: str
    by: str | None


class RateStepDocument(BaseModel):
    """A change of the reject rate that the CUSUM has told; `until` is null while it holds."""

    since: datetime
    told: datetime
    until: datetime | None
    rising: bool
    usual: float
    rate: float
    near: list[ProcessChangeDocument] = Field(description="What else changed at about that time.")


class DefectTypeDocument(BaseModel):
    """A bar of the Pareto chart."""

    defect_type: str
    count: int
    by_people: int = Field(description="How many of them people named; the inspector the others.")
    share: float
    cumulative_share: float


class GroupDocument(BaseModel):
    """The reject rate of a group beside all others; interval and p-value are corrected for that there are so many."""

    name: str
    n: int
    rejected: int
    rate: float
    low: float
    high: float
    others: float | None
    p_value: float
    differs: bool


class WeekDocument(BaseModel):
    """Where the defects of a week sit: counts in cells from the top left, down first, then across."""

    start: datetime
    n: int
    cells: list[list[int]]
    gatherings: list[dict[str, Any]]


class NewKindDocument(BaseModel):
    """A kind of defect that appears."""

    since: datetime
    latest: datetime
    count: int
    inspections: list[int]
    sentence: str


class InsightDocument(BaseModel):
    """What the history says of a part; null for what is no number."""

    inspector: str
    since: datetime
    until: datetime
    bucket: Bucket
    filter: dict[str, str | int | None]
    headline: str
    findings: list[str]
    n: int
    rejected: int
    reject_rate: float | None
    reject_rate_interval: tuple[float | None, float | None]
    reject_rate_before: float | None = Field(description="Of the span before, equally long.")
    first_pass: FirstPassDocument
    first_pass_yield: float | None
    first_pass_yield_before: float | None
    usual_rate: float | None
    spread: float = Field(
        description="How far rates scatter, in standard deviations of the binomial distribution; 1 or more."
    )
    cusum_limit: float
    points: list[PointDocument]
    steps: list[RateStepDocument]
    types: list[DefectTypeDocument]
    groups: dict[By, list[GroupDocument]]
    weeks: list[WeekDocument]
    changes: list[ProcessChangeDocument]
    new_kinds: list[NewKindDocument] | None = Field(description="Null where nobody has looked.")
    new_kinds_trouble: str | None


def read(
    service: Service, name: str, which: InspectionFilter, bucket: Bucket | None, time_zone: str | None
) -> Insight:
    """Insight of a part of this server.

    Raises:
        NotFoundError: it has no such part.
        UsageError: there is no such time zone, or the span ends before it begins.
    """
    if not service.shelf.versions(name):
        raise NotFoundError(f"There is no part {name}: see /v1/parts for those that there are.")
    until = which.until or datetime.now(UTC)
    since = which.since or until - timedelta(days=DAYS)
    asked = replace(which, inspector=name, since=since, until=until)
    return read_insight(
        service.database,
        service.drift,
        asked,
        lambda part: service.gallery.clusters(part).clusters,
        bucket=bucket,
        zone=zone_of(time_zone),
    )


@router.get(
    "/v1/insight",
    response_model=InsightDocument,
    responses={200: {"content": {"text/csv": {}, "text/html": {}}}},
)
def insight(
    service: Running,
    caller: Viewer,
    inspector: Annotated[str, Query(pattern=NAME_PATTERN)],
    which: Chosen,
    bucket: Annotated[
        Bucket | None, Query(description="Samples of the charts; hours in up to four days if absent.")
    ] = None,
    time_zone: Zone = "UTC",
    form: Annotated[
        Literal["json", "csv", "html"], Query(alias="format", description="A table, or the report.")
    ] = "json",
) -> Response:
    """Defect types, places, first-pass yield, control charts, groups compared, what changed when, new kinds of defects.

    Of the scope: version, dates (the last seven days if absent), serial number, batch, shift, camera and repeats.
    """
    found = read(service, inspector, which, bucket, time_zone)
    if form == "csv":
        return _file(table(found), "text/csv", f"{inspector}-insight.csv")
    if form == "html":
        return _file(render_report(found), "text/html", f"{inspector}-insight.html")
    told = InsightDocument.model_validate(document(found))
    return Response(told.model_dump_json(), media_type="application/json")


def _file(text: str, kind: str, name: str) -> Response:
    return Response(
        text,
        media_type=f"{kind}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
