"""The application: routes, problems, guard and page around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from blemish import __version__
from blemish.server import documentation, openapi, problems
from blemish.server.authentication import Authentication
from blemish.server.guard import Guard
from blemish.server.page import no_laboratory, page
from blemish.server.proxies import Proxies
from blemish.server.routes import (
    audit,
    decisions,
    explanations,
    gallery,
    health,
    insight,
    inspect,
    inspections,
    inspectors,
    jobs,
    keys,
    learn,
    parts,
    review_queue,
    settings,
    shadow,
    stations,
    statistics,
    uploads,
    versions,
    views,
    voiding,
)
from blemish.server.routes.inspect import Arriving
from blemish.server.service import Service
from blemish.server.sessions import Renewal, Sessions
from blemish.server.streams import EventStreams
from blemish.server.training import training_installed

_DESCRIPTION = (
    "Visual defect inspection. Errors are problem details (RFC 9457). "
    "An answer to an inspection means that its record is in the log."
)


def create_app(service: Service) -> FastAPI:
    """An application that starts and stops `service` with itself."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.start)
        try:
            yield
        finally:
            await run_in_threadpool(service.stop)

    app = FastAPI(
        title="Blemish",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere; a plant has no internet
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    sessions = Sessions(service.home.session_secret, service.settings.prefix)
    app.state.authentication = Authentication(service.keys, service.settings, sessions)
    app.state.arriving = Arriving(service.settings.queue_bytes)
    app.state.streams = EventStreams()
    problems.install(app)
    answering = (
        inspect, inspectors, decisions, views, inspections, explanations, gallery, statistics, jobs, learn, audit, keys,
        settings, health, parts, versions, shadow, uploads, voiding, review_queue, stations, insight, documentation,
    )  # fmt: skip
    for routes in answering:
        app.include_router(routes.router)
    openapi.install(app, service.settings.keys_required)
    spool = service.home.path
    app.state.laboratory = False
    app.state.training = training_installed()
    if service.settings.page:
        page.install_page(app)
        app.state.laboratory = service.settings.laboratory and laboratory_installed()
        if app.state.laboratory:
            from blemish.server.laboratory.laboratory import mount_laboratory

            spool = mount_laboratory(app, service, app.state.authentication)
        else:
            app.include_router(no_laboratory.router)
    app.add_middleware(Renewal)
    app.add_middleware(
        Guard, settings=service.settings, metrics=service.metrics, streams=app.state.streams, uploads=spool
    )
    if service.settings.allow_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.allow_origin,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            allow_credentials=False,  # a session is for the server's own pages: others send a key
            expose_headers=["Retry-After", "Content-Disposition"],
        )
    app.add_middleware(Proxies, settings=service.settings)
    return app


def laboratory_installed() -> bool:
    """Whether the packages of the laboratory's page are there."""
    return find_spec("gradio") is not None and find_spec("torch") is not None
