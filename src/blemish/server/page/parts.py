"""`/`: the parts, a card each, those first that need a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.parts import parts_at_a_glance
from blemish.server.routes.running import Running

MOST_WITHOUT_SEARCH = 8
"""Cards that a person overlooks without a field to search in."""

PICTURE_SIDE = 192

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def parts(
    request: Request,
    service: Running,
    caller: Person,
    search: Annotated[str, Query(max_length=80)] = "",
) -> HTMLResponse:
    """All parts that an inspector judges."""
    found = parts_at_a_glance(service)
    return page(
        request,
        "parts.html",
        parts=found.parts,
        troubles=found.troubles,
        searchable=len(found.parts) > MOST_WITHOUT_SEARCH,
        search=search,
        side=PICTURE_SIDE,
    )
