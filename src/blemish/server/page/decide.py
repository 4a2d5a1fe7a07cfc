"""`/parts/NAME/decide`: where an inspector rejects, what that would do, and what it looks at."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}/decide")
def decide(request: Request, caller: Person, part: Chosen) -> HTMLResponse:
    """The area Decide."""
    return page(request, "decide.html", part=part, area="decide")
