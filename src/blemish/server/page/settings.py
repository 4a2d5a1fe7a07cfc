"""`/settings`: who one is, who may do what, what is kept, and what this server is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.routes.running import Running

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/settings")
def settings(request: Request, service: Running, caller: Person) -> HTMLResponse:
    """The page."""
    address = f"{request.url.scheme}://{request.url.netloc}{service.settings.prefix}"
    return page(
        request,
        "settings.html",
        address=address,
        origins=service.settings.allow_origin,
        buffer_megabytes=service.settings.buffer_megabytes,
    )
