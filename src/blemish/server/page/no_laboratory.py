"""`/laboratory` where there is none: what it takes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.routes.running import Running

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/laboratory")
@router.get("/laboratory/")
def no_laboratory(request: Request, service: Running, caller: Person) -> HTMLResponse:
    """What to install, or how to start the server."""
    return page(request, "no_laboratory.html", 404, wanted=service.settings.laboratory)
