"""`/v1/stats`: the history in numbers."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from blemish.server.authentication import Operator, Viewer
from blemish.server.documents import (
    DefectShareDocument,
    DriftDocument,
    LearnAnewRequest,
    RateDocument,
    StatisticsDocument,
    SummaryDocument,
)
from blemish.server.routes.inspections import Chosen
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running

router = APIRouter(tags=["statistics"])


@router.get("/v1/stats")
def stats(
    service: Running, caller: Viewer, which: Chosen, bucket: Literal["hour", "day"] = "hour"
) -> StatisticsDocument:
    """Counts, reject rate with control limits, defect types by frequency, and what has drifted."""
    statistics = service.statistics
    active = [
        version.name for version in service.shelf.active_all() if which.inspector in (None, version.name)
    ]
    return StatisticsDocument(
        summary=SummaryDocument.of(statistics.summary(which)),
        reject_rates=[RateDocument.of(one) for one in statistics.reject_rates(which, bucket)],
        pareto=[DefectShareDocument.of(one) for one in statistics.pareto(which)],
        drift=[DriftDocument.of(service.drift.drift(name)) for name in active],
    )


@router.post("/v1/inspectors/{name}/drift/learn-anew")
def learn_anew(
    service: Running, caller: Operator, name: PathName, wanted: LearnAnewRequest | None = None
) -> DriftDocument:
    """Take all parts from now on for normal, as after a new lamp that is to stay; the audit log says who and why."""
    return DriftDocument.of(service.learn_anew(name, caller.name, wanted.note if wanted else None))
