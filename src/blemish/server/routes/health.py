"""Health, readiness and metrics, for those who watch over servers."""

from __future__ import annotations

import math
import time

from fastapi import APIRouter, Request, Response

from blemish import __version__
from blemish.core.errors import OverloadedError
from blemish.server.authentication import Viewer
from blemish.server.documents import HealthDocument, ReadyDocument
from blemish.server.metrics import CONTENT_TYPE
from blemish.server.routes.running import Running

router = APIRouter(tags=["health"])

_DRIFT_SECONDS = 60.0


@router.get("/healthz")
async def healthz() -> HealthDocument:
    """The process runs."""
    return HealthDocument(status="ok", version=__version__)


@router.get("/readyz")
def readyz(service: Running) -> ReadyDocument:
    """The server takes photographs: it has started, and its database answers."""
    if not service.ready:
        raise OverloadedError("The server is starting or stopping: try again.", 1)
    names = [version.name for version in service.shelf.active_all()]
    return ReadyDocument(
        status="ready",
        inspectors=[] if service.settings.keys_required else names,
        troubles=service.troubles,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request, service: Running, caller: Viewer) -> Response:
    """Counters for Prometheus."""
    found = service.metrics
    found.kept_bytes.set(service.images.bytes_used)
    found.keeping.set(0 if service.images.trouble else 1)
    found.logging.set(0 if service.queue.trouble else 1)
    found.clock.set(0 if service.clock.trouble else 1)
    found.gallery_waiting.set(service.past_defects.waiting if service.past_defects else 0)
    state = request.app.state
    if time.monotonic() - getattr(state, "drift_at", -math.inf) > _DRIFT_SECONDS:
        state.drift_at = time.monotonic()
        for version in service.shelf.active_all():
            for one in service.drift.drift(version.name).statistics:
                found.drift.labels(version.name, one.statistic).set(one.evidence)
    return Response(found.text(), media_type=CONTENT_TYPE)
