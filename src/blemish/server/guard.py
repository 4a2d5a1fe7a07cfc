"""What every request passes first: where it comes from, how much it sends, how long it takes.

Limits hold while a body streams in, so what is too large is refused before it is in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blemish.server.metrics import Metrics
from blemish.server.problems import ProblemError, problem_response, response_of
from blemish.server.proxies import route_path
from blemish.server.settings import MEBIBYTE, ServerSettings, is_loopback
from blemish.server.streams import EventStreams

JSON_BYTES = MEBIBYTE
"""Largest body that is not a form with files."""

_DRAINED_BYTES, _DRAINED_SECONDS = 256 * MEBIBYTE, 10.0
_UPLOADS = ("/v1/inspectors", "/v1/jobs/train", "/gradio_api/upload")
_UPLOAD_PATIENCE = 20
_STRANGER = "Another web site's page may not do this"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_API_HEADERS = {"Cache-Control": "private, no-store", "Content-Security-Policy": "default-src 'none'"}

logger = logging.getLogger("blemish.server")


class Guard:
    """ASGI middleware around the whole application, API and page."""

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, metrics: Metrics, streams: EventStreams
    ) -> None:
        self._app, self._settings, self._metrics, self._streams = app, settings, metrics, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope, headers)
        if scope["type"] == "websocket":
            if refusal:
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        exchange = _Exchange(
            scope,
            receive,
            send,
            headers,
            *self._limits(scope, headers),
            streams=lambda: self._streams.opened(task),
        )
        try:
            if refusal:
                await problem_response(403, refusal)(scope, exchange.receive, exchange.send)
                return
            exchange.check_announced()
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status:
                raise  # half an answer is out: only closing the connection tells that something is wrong
            await response_of(error)(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not self._streams.closed(task):
                raise
            task.uncancel()
            if not exchange.answered:
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams.closed(task)
            route = getattr(scope.get("route"), "path", None) or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(exchange.status or 0)).inc()

    def _foreign(self, scope: Scope, headers: Headers) -> str | None:
        """Why a request may come from a stranger's web page in this machine's browser; None if it does not.

        On loopback without keys, whoever can make the browser here send something would be served: a page whose
        host's name suddenly means 127.0.0.1 (DNS rebinding) shows in Host, a form on another site in Origin.
        """
        host = headers.get("host", "")
        if not self._settings.keys_required and not is_loopback(_host_name(host)):
            return (
                f"Without keys the server answers to localhost alone, and this was sent to {_shown(host)}: call it so, "
                "or run it with --require-keys, behind a proxy with --public-url too."
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        if origin is None:
            return None if site in ("none", "same-origin") else f"{_STRANGER}."
        # No page can write Sec-Fetch-Site: it says that only a proxy has changed Host. Browsers send it over https.
        if _netloc(origin) == host.lower() or (site == "same-origin" and self._settings.keys_required):
            return None
        if _netloc(origin) == "":
            return f"{_STRANGER}."
        return (
            f"The page was opened as {_shown(origin)}, but this was sent to {_shown(host)}. {_STRANGER}; if only a "
            f"proxy stands between them, run the server with --public-url {_shown(origin)}."
        )

    def _limits(self, scope: Scope, headers: Headers) -> tuple[int, float]:
        """Largest body, in bytes, and seconds in which it must have arrived."""
        settings, path = self._settings, route_path(scope)
        if scope["method"] == "POST" and path.rstrip("/") in _UPLOADS:
            return settings.max_upload_bytes, _UPLOAD_PATIENCE * settings.request_seconds
        if headers.get("content-type", "").startswith("multipart/") or path.startswith("/gradio_api"):
            return settings.max_request_bytes, settings.request_seconds
        return min(JSON_BYTES, settings.max_request_bytes), settings.request_seconds


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class _Exchange:
    """One request and its answer; `streams` is called when the answer is a stream of events.

    Attributes:
        status: of the answer; 0 before it begins.
        answered: whether the whole answer is out.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: Headers,
        most: int,
        seconds: float,
        streams: Callable[[], None],
    ) -> None:
        self._receive, self._send, self._most, self._streams = receive, send, most, streams
        self._end = asyncio.get_running_loop().time() + seconds
        self._api = route_path(scope).startswith("/v1/")
        self._length = headers.get("content-length")
        self._waits_for_leave = headers.get("expect", "").lower() == "100-continue"
        self._arrived = 0
        self._begun = False
        self._complete = self._length in (None, "0") and "transfer-encoding" not in headers
        self.status = 0
        self.answered = False

    def check_announced(self) -> None:
        """Refuse a body by its announced length.

        Raises:
            ProblemError: 413.
        """
        if self._length is not None and self._length.isdigit() and int(self._length) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            ProblemError: 413 for too many bytes, 408 if they take too long.
        """
        if self._complete:
            return await self._receive()
        self._begun = True
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError as error:
            raise ProblemError(408, "The request took too long to arrive: send it again.") from error
        self._note(message)
        if self._arrived > self._most:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            if not self._complete:
                await self._drain()
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in {**_HEADERS, **(_API_HEADERS if self._api else {})}.items():
                headers.setdefault(name, value)
            if headers.get("content-type", "").startswith("text/event-stream"):
                headers.setdefault("X-Accel-Buffering", "no")  # nginx would hold events back
                self._streams()
        await self._send(message)
        self.answered = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def _drain(self) -> None:
        """Take in what the client still sends: most read no answer before they have sent everything."""
        if self._waits_for_leave and not self._begun:
            return
        try:
            async with asyncio.timeout(_DRAINED_SECONDS):
                while not self._complete and self._arrived < _DRAINED_BYTES:
                    self._note(await self._receive())
        except TimeoutError:
            return

    def _note(self, message: Message) -> None:
        self._arrived += len(message.get("body", b""))
        self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)

    def _too_large(self) -> ProblemError:
        return ProblemError(413, f"The request has more than {self._most:,} bytes: send less at once.")


def _netloc(origin: str) -> str:
    """Host and port of an Origin; empty where there is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:100]


def _host_name(host: str) -> str:
    """A Host header without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
