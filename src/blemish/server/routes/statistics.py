"""`/v1/stats`: the history in numbers."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from blemish.server.authentication import Operator, Viewer
from blemish.server.documents import (
    DefectShareDocument,
    DriftDocument,
    FirstPassDocument,
    LearnAnewRequest,
    RateDocument,
    ScopeDocument,
    ScoreBucketDocument,
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
    """Counts, reject rate with control limits, scores, defect types by frequency, and what has drifted.

    They are of the scope: inspector, version, dates, serial number, batch, shift, camera and `repeats=leave-out`. A
    filter (verdict, truth, type, search text, reviewed, void) says how many inspections match, and changes no rate.
    """
    statistics, scope = service.statistics, which.scope
    active = [
        version.name for version in service.shelf.active_all() if which.inspector in (None, version.name)
    ]
    return StatisticsDocument(
        scope=ScopeDocument(
            inspector=scope.inspector,
            version=scope.version,
            since=scope.since,
            until=scope.until,
            repeats=scope.repeat is not False,
            serial_number=scope.serial_number,
            batch=scope.batch,
            shift=scope.shift,
            camera=scope.camera,
        ),
        matching=service.log.count(which),
        summary=SummaryDocument.of(statistics.summary(scope)),
        first_pass=FirstPassDocument.of(statistics.first_pass(scope)),
        reject_rates=[RateDocument.of(one) for one in statistics.reject_rates(scope, bucket)],
        score_trend=[ScoreBucketDocument.of(one) for one in statistics.score_trend(scope, bucket)],
        pareto=[DefectShareDocument.of(one) for one in statistics.pareto(scope)],
        drift=[DriftDocument.of(service.drift.drift(name)) for name in active],
    )


@router.post("/v1/inspectors/{name}/drift/learn-anew")
def learn_anew(
    service: Running, caller: Operator, name: PathName, wanted: LearnAnewRequest | None = None
) -> DriftDocument:
    """Take all parts from now on for normal, as after a new lamp that is to stay; the audit log says who and why."""
    return DriftDocument.of(service.learn_anew(name, caller.name, wanted.note if wanted else None))
