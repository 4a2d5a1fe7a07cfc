"""`/`: the parts, a card each."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.routes.running import Running

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def parts(request: Request, service: Running, caller: Person) -> HTMLResponse:
    """All parts that an inspector judges."""
    names = service.shelf.names()
    return page(request, "parts.html", parts=[(name, service.shelf.versions(name)) for name in names])
