"""`/parts/NAME/decide`: where an inspector rejects, what that would do, and what it looks at."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen
from blemish.server.routes.running import Running

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}/decide")
def decide(request: Request, service: Running, caller: Person, part: Chosen) -> HTMLResponse:
    """The area Decide."""
    limits = {"photograph": service.settings.max_bytes, "zip": service.settings.max_upload_bytes}
    return page(request, "decide.html", part=part, area="decide", limits=limits)
