"""All pages at their addresses."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from blemish.server.page import (
    decide,
    history,
    insight,
    jobs,
    judge,
    parts,
    settings,
    sign_in,
    static_files,
    stations,
    versions,
)
from blemish.server.page.frame import problem_page
from blemish.server.proxies import route_path


def install_page(app: FastAPI) -> None:
    """Add the pages to an application, after the API; an address that is nobody's is answered as a page to people."""
    for module in (
        static_files, sign_in, settings, parts, judge, decide, versions, jobs, history, insight, stations,
    ):  # fmt: skip
        app.include_router(module.router)
    not_found = app.router.default

    async def nobodys(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if _of_a_person(request):
            said = "There is nothing at this address: it may have been another name, or a part that is gone."
            answered = await problem_page(request, 404, said)
            await answered(scope, receive, send)
        else:
            await not_found(scope, receive, send)

    app.router.default = nobodys


def _of_a_person(request: Request) -> bool:
    return (
        request.scope["type"] == "http"
        and request.method == "GET"
        and "text/html" in request.headers.get("accept", "")
        and not route_path(request.scope).startswith("/v1/")
    )
