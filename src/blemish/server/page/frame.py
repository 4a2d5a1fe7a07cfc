"""What all pages have in common: templates, who looks at them, and errors as pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from blemish import __version__
from blemish.core.errors import BlemishError
from blemish.core.types import Verdict
from blemish.server import wording
from blemish.server.authentication import Identity
from blemish.server.page import static_files
from blemish.server.problems import ProblemError, answer
from blemish.server.proxies import route_path
from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.station.keys import Role

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "private, no-cache"}


class PageRoute(APIRoute):
    """A route whose answer is a page, also where something is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors as pages."""
        handler = super().get_route_handler()

        async def page_handler(request: Request) -> Response:
            try:
                return await handler(request)
            except (ProblemError, BlemishError, RequestValidationError) as error:
                answered = await answer(request, error)
                if answered.status_code == 401:
                    return to_sign_in(request, request.app.state.service.settings)
                said = json.loads(bytes(answered.body))["detail"]
                return await problem_page(request, answered.status_code, said)

        return page_handler


async def person(request: Request) -> Identity:
    """Who looks at a page: at least a viewer."""
    identity: Identity = await request.app.state.authentication.caller(request, Role.VIEWER)
    request.state.person = identity
    return identity


Person = Annotated[Identity, Depends(person)]
"""The dependency of every page's route."""


def page(request: Request, template: str, /, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A page made from a template.

    Templates know besides `context`: `url("/parts/x", search="y")` (an address below the proxy's prefix),
    `static("name.js")`, `person` (an `Identity`, or None where nobody has signed in), `may("operator")`, `here` (the
    path without prefix), `laboratory` and `training` (whether there is one, and whether jobs can run), `wording` and
    `Verdict`.
    """
    service: Service = request.app.state.service
    who: Identity | None = getattr(request.state, "person", None)
    prefix = service.settings.prefix

    def url(path: str, **search: object) -> str:
        found = prefix + quote(path)
        given = {name: value for name, value in search.items() if value is not None and value != ""}
        return f"{found}?{urlencode(given)}" if given else found

    text = environment().get_template(template).render(
        url=url,
        static=lambda name: f"{prefix}/static/{static_files.digest()}/{name}",
        prefix=prefix,
        person=who,
        keys_required=service.settings.keys_required,
        may=lambda role: who is not None and who.role.allows(Role(role)),
        here=route_path(request.scope),
        laboratory=request.app.state.laboratory,
        training=request.app.state.training,
        trouble=service.trouble,
        version=__version__,
        **context,
    )  # fmt: skip
    return HTMLResponse(text, status_code, headers=_HEADERS)


async def problem_page(request: Request, status: int, detail: str) -> Response:
    """A page that says in one sentence what is wrong, to whoever may know."""
    if not hasattr(request.state, "person"):
        try:
            await person(request)
        except ProblemError:
            return to_sign_in(request, request.app.state.service.settings)
    return page(request, "problem.html", status, status=status, detail=detail)


@cache
def environment() -> jinja2.Environment:
    """The templates, which escape what they are given and know no undefined names."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(wording=wording, Verdict=Verdict)
    found.filters.update(number=wording.number, moment=wording.moment)
    return found


def to_sign_in(request: Request, settings: ServerSettings) -> Response:
    """To the page of signing in, and back from there."""
    asked = quote(str(request.scope["path"]).removeprefix(settings.prefix))
    if request.url.query:
        asked = f"{asked}?{request.url.query}"
    return RedirectResponse(f"{settings.prefix}/sign-in?{urlencode({'next': asked})}", 303)
