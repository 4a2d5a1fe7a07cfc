"""`/train`, `/explore` and `/benchmark`: long work, from photographs to a report, and what was done before."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.detectors.registry import DEFAULT_DETECTOR, detector_info, detector_names
from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.routes.running import Running
from blemish.server.service import Service

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MOST_JOBS = 100
"""Jobs that a page lists."""

_FIRST_COMPARED = ("padim", "patchcore")
"""Detectors to begin a comparison with: they show places, and learn in a minute."""


@router.get("/train")
def train(
    request: Request,
    service: Running,
    caller: Person,
    job: str | None = None,
    part: str = "",
) -> HTMLResponse:
    """Learn a part, or learn it again."""
    return _page(request, service, "train", job, ("train",), part=part[:80])


@router.get("/explore")
def explore(request: Request, service: Running, caller: Person, job: str | None = None) -> HTMLResponse:
    """What photographs are like, and what an inspector is worth on them."""
    return _page(request, service, "explore", job, ("explore", "evaluate", "stress"))


@router.get("/benchmark")
def benchmark(request: Request, service: Running, caller: Person, job: str | None = None) -> HTMLResponse:
    """Detectors side by side."""
    return _page(request, service, "benchmark", job, ("benchmark",), first=_FIRST_COMPARED)


def _page(
    request: Request, service: Service, which: str, job: str | None, kinds: tuple[str, ...], **context: Any
) -> HTMLResponse:
    """One of the pages: with a job's progress and report, or with the form for a new one, and all of its kinds."""
    chosen = service.jobs.get(job).shown if job else None
    jobs = [one.shown for one in service.jobs.all() if one.request.kind in kinds]
    parts = {name: service.shelf.versions(name) for name in service.shelf.names()}
    settings = service.settings
    data = {
        "kinds": kinds,
        "job": chosen.model_dump(mode="json") if chosen else None,
        "jobs": [one.model_dump(mode="json", exclude={"result"}) for one in jobs[:MOST_JOBS]],
        "parts": {name: max(one.version for one in versions) for name, versions in parts.items()},
        "detectors": _detectors(),
        "limits": {"photograph": settings.max_bytes, "zip": settings.max_upload_bytes},
        "admin": request.state.person.role.allows("admin"),
    }
    return page(
        request,
        f"{which}.html",
        which=which,
        data=data,
        job=chosen,
        parts=sorted(parts),
        default_detector=DEFAULT_DETECTOR,
        detectors=_detectors(),
        below=[str(one) for one in settings.photographs_below],
        **context,
    )


def _detectors() -> list[dict[str, Any]]:
    """What a person wants to know of each detector before choosing one."""
    found = [detector_info(name) for name in detector_names()]
    return [
        {
            "name": one.name,
            "summary": one.summary,
            "learns_from": one.learns_from,
            "trains": one.trains,
            "presets": list(one.presets),
        }
        for one in found
    ]
