"""`/parts/NAME`: photographs in, verdicts out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen
from blemish.server.routes.running import Running

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}")
def judge(request: Request, service: Running, caller: Person, part: Chosen) -> HTMLResponse:
    """The area Judge."""
    return page(request, "judge.html", part=part, area="judge")
