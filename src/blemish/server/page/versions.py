"""`/parts/NAME/versions`: what each version is made of, two side by side, and which one judges."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from blemish.core.errors import BlemishError
from blemish.server.job import Job
from blemish.server.learning_request import CorrectionsRequest
from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.server.version_documents import VersionFactsDocument
from blemish.station.audit import AuditEntry
from blemish.station.corrections import CorrectionCounts, StationCorrections
from blemish.station.keys import Role

_AUDITED = 30

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}/versions")
def versions(
    request: Request,
    service: Running,
    caller: Person,
    part: Chosen,
    compare: Annotated[str | None, Query(max_length=30)] = None,
) -> HTMLResponse:
    """The area Versions; `compare` names two of them, as `2,3`."""
    found = service.versions.all(part.name)
    audited: tuple[AuditEntry, ...] = ()
    if caller.role.allows(Role.ADMIN):
        audited = service.audit.page(part.name, _AUDITED).entries
    pair = _pair(compare, found)
    return page(
        request,
        "versions.html",
        part=part,
        area="versions",
        versions=found,
        pair=pair,
        asked=compare,
        changes=service.versions.one(part.name, pair[1].version, pair[0].version).changes if pair else None,
        before=service.shelf.previous(part.name),
        corrections=_corrections(service, part.name),
        learning=_last_learning(service, part.name),
        shadow=service.shadows.latest(part.name),
        audited=audited,
    )


def _corrections(service: Service, name: str) -> CorrectionCounts | None:
    """How many corrections there are; None where no version judges, or its file is gone."""
    try:
        learnt = service.versions.manifest(service.shelf.active(name)).corrected_digests
    except BlemishError:
        return None
    return StationCorrections(service.database, service.home, name).counts(learnt)


def _last_learning(service: Service, name: str) -> Job | None:
    """The latest job that learnt, or learns, from corrections of this part."""
    mine = (
        one
        for one in service.jobs.all()
        if isinstance(one.request, CorrectionsRequest) and one.request.inspector == name
    )
    return next(mine, None)


def _pair(
    compare: str | None, versions: list[VersionFactsDocument]
) -> tuple[VersionFactsDocument, VersionFactsDocument] | None:
    """The two versions that an address names, the older one first; None where it names no two that there are."""
    asked = re.fullmatch(r"(\d{1,10}),(\d{1,10})", compare or "")
    by_number = {one.version: one for one in versions}
    numbers = sorted({int(asked[1]), int(asked[2])} & by_number.keys()) if asked else []
    return (by_number[numbers[0]], by_number[numbers[1]]) if len(numbers) == 2 else None
