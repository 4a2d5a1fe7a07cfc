"""`/laboratory` where its packages are not installed: what it takes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/laboratory")
@router.get("/laboratory/")
def no_laboratory(request: Request, caller: Person) -> HTMLResponse:
    """What to install."""
    return page(request, "no_laboratory.html", 404)
