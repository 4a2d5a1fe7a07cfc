"""`/sign-in` and `/sign-out`: a key, shown once, opens the page until the session ends."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from blemish.server.authentication import Authentication
from blemish.server.page.frame import PageRoute, page
from blemish.server.problems import ProblemError
from blemish.server.routes.running import Running
from blemish.server.sessions import from_own_page

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_OWN_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f-\U0010ffff]{0,2000}")
_HERE = frozenset({"/sign-in", "/sign-out"})


@router.get("/sign-in")
async def asked(request: Request, service: Running, next: str = "/") -> Response:
    """The page that asks for the key; whoever needs none, or has signed in, goes on."""
    if await _authentication(request).who(request) is not None:
        return RedirectResponse(service.settings.prefix + own_path(next), 303)
    return _page(request, next)


@router.post("/sign-in")
async def signed_in(
    request: Request, service: Running, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    """Sign in with the key of the form, and go where one wanted to."""
    if not from_own_page(request.headers):
        return _page(request, next, "Nothing says that this page was sent by you: try once more.", 403)
    if not key.strip():
        return _page(request, next, "Give the key.", 422)
    authentication = _authentication(request)
    try:
        identity = await authentication.shown(request, key.strip())
    except ProblemError as error:
        return _page(request, next, str(error.detail), error.status_code, dict(error.headers or {}))
    answer = RedirectResponse(service.settings.prefix + own_path(next), 303)
    authentication.sessions.begin(answer, identity.name)
    return answer


@router.post("/sign-out")
async def signed_out(request: Request, service: Running) -> Response:
    """End the session of this browser."""
    if not from_own_page(request.headers):
        request.state.person = None  # whoever it is: the page that says so is anybody's
        raise ProblemError(403, "Another web site's page may not sign you out.")
    answer = RedirectResponse(f"{service.settings.prefix}/sign-in?out=yes", 303)
    _authentication(request).sessions.end(answer)
    return answer


def own_path(asked: str) -> str:
    """The path and search of this server that somebody wanted to see; that of the parts where it leads elsewhere."""
    if not _OWN_PATH.fullmatch(asked) or urlsplit(asked).path in _HERE:
        return "/"
    return asked


def _authentication(request: Request) -> Authentication:
    found: Authentication = request.app.state.authentication
    return found


def _page(
    request: Request,
    following: str,
    wrong: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    answer = page(
        request,
        "sign_in.html",
        status,
        following=own_path(following),
        wrong=wrong,
        out=request.method == "GET" and "out" in request.query_params,
    )
    answer.headers.update(headers or {})
    return answer
