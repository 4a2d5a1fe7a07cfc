"""`/parts/NAME/insight`: what the history says of the process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from blemish.core.errors import UsageError
from blemish.core.spans import zone_of
from blemish.server.page.frame import PageRoute, Person, page
from blemish.server.page.part import Chosen
from blemish.server.routes.insight import read
from blemish.server.routes.running import Running
from blemish.station.insight.reading import span
from blemish.station.insight.report import render_body
from blemish.station.records import LINE_PATTERN, InspectionFilter

Line = Annotated[str, Query(max_length=80, pattern=LINE_PATTERN)]

SPANS = {"24h": "a day", "7d": "a week", "4w": "four weeks", "13w": "a quarter"}

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/parts/{name}/insight")
def insight(
    request: Request,
    service: Running,
    caller: Person,
    part: Chosen,
    since: Line = "7d",
    until: Line = "",
    batch: Line = "",
    shift: Line = "",
    camera: Line = "",
    bucket: Literal["", "hour", "day"] = "",
) -> HTMLResponse:
    """The charts; what they are of stands in the address. Days are of this server's clock."""
    asked = {"batch": batch, "shift": shift, "camera": camera}
    body, wrong, search = Markup(""), "", {}
    try:
        begin, end = span(since or "7d", until or None, zone_of(None), datetime.now(UTC))
        which = InspectionFilter(begin, end, batch=batch or None, shift=shift or None, camera=camera or None)
        found = read(service, part.name, which, bucket or None, None)
        body = Markup(render_body(found, lambda number: _picture(service.settings.prefix, part.name, number)))
        search = {"since": begin.isoformat(), "until": end.isoformat(), "bucket": bucket, **asked}
    except UsageError as error:
        wrong = str(error)
    return page(
        request, "insight.html", part=part, area="history", body=body, wrong=wrong, spans=SPANS, search=search,
        asked={"since": since, "until": until, "bucket": bucket, **asked},
    )  # fmt: skip


def _picture(prefix: str, part: str, number: int) -> str:
    """A small picture of an inspection, and the way to it."""
    address = Markup("{}/parts/{}/history?inspection={}").format(prefix, part, number)
    image = Markup("{}/v1/inspections/{}/thumbnail").format(prefix, number)
    return str(Markup('<a href="{}"><img src="{}" alt="Inspection {}"></a>').format(address, image, number))
