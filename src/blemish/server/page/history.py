"""`/parts/NAME/history`: what was judged, how it goes over time, and what waits for a person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen
from blemish.server.routes.running import Running
from blemish.station.image_store import KeepPolicy

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}/history")
def history(request: Request, service: Running, caller: Person, part: Chosen) -> HTMLResponse:
    """The area History; which of it is shown stands in the address, and is asked for by the page's script."""
    return page(request, "history.html", part=part, area="history", kept=_kept(service.images.policy))


def _kept(policy: KeepPolicy) -> str:
    """Which photographs a person will find, in one sentence."""
    if policy.keep == "all":
        return "All photographs are kept."
    if policy.keep == "none":
        return "No photographs are kept."
    if not policy.buffer_bytes:
        return "Photographs of passes are not kept."
    room = f"{policy.buffer_megabytes:,.0f} MB"
    return f"Of passes the latest photographs are held ({room}), and kept once a person finds the part defective."
