"""`/stations` and `/stations/NAME`: lines that run by themselves, and how they are."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.routes.running import Running
from blemish.server.routes.stations import StationName, station_document
from blemish.station.keys import Role
from blemish.workflows.run_station import EXAMPLE

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/stations")
def stations(request: Request, service: Running, caller: Person) -> HTMLResponse:
    """All stations of this home."""
    found = [station_document(service, name) for name in service.stations.names()]
    return page(request, "stations.html", stations=found)


@router.get("/stations/{name}")
def station(
    request: Request, service: Running, caller: Person, name: StationName, new: bool = False
) -> HTMLResponse:
    """One station; an admin finds its file there, and writes that of a `new` one."""
    new = new and caller.role.allows(Role.ADMIN) and name not in service.stations.names()
    return page(
        request,
        "station.html",
        name=name,
        new=new,
        station=None if new else station_document(service, name),
        example=EXAMPLE.replace('name = "line-1"', f'name = "{name}"'),
    )
