"""What every request passes first: where it comes from, how much it sends, how long it takes.

Limits hold while a body streams in, so what is too large is refused before it is in memory.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blemish.core.addresses import is_loopback
from blemish.server.metrics import Metrics
from blemish.server.problems import ProblemError, problem_response, response_of
from blemish.server.proxies import route_path
from blemish.server.settings import MEBIBYTE, ServerSettings
from blemish.server.streams import EventStreams

JSON_BYTES = MEBIBYTE
"""Largest body that is not a form with files."""

_DRAINED_BYTES, _DRAINED_SECONDS = 256 * MEBIBYTE, 10.0
_UPLOADS = ("/v1/inspectors", "/v1/jobs/train", "/laboratory/gradio_api/upload")
_UPLOADED_FILES = "/v1/uploads/"
_UPLOAD_PATIENCE = 20
_PAGE_UPLOAD = "/laboratory/gradio_api/upload"
_SEND_LESS = "send less at once, or name a folder on the server"
_RAISE = "send less at once, or start the server with a larger --max-request-bytes"
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


@dataclass(frozen=True)
class _Limits:
    """Largest body, in bytes, seconds in which it must have arrived, and what to do about a larger one."""

    most: int
    seconds: float
    way_out: str


class BodyRefusedError(ProblemError, MultiPartException):
    """A body is refused while it arrives; Gradio, too, removes then what it has written of it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.message = detail


class Guard:
    """ASGI middleware around the whole application, API and page; uploads to the page go into the folder `uploads`."""

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, metrics: Metrics, streams: EventStreams, uploads: Path
    ) -> None:
        self._app, self._settings, self._metrics, self._streams = app, settings, metrics, streams
        self._uploads = uploads

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
            self._limits(scope, headers),
            streams=lambda: self._streams.opened(task),
            spool=self._uploads if route_path(scope).startswith(_PAGE_UPLOAD) else None,
        )
        try:
            if refusal:
                await problem_response(403, refusal)(scope, exchange.receive, exchange.send)
                return
            exchange.check_announced()
            await self._app(scope, exchange.receive, exchange.send)
            if exchange.refusal and not exchange.status:
                raise exchange.refusal
        except Exception as error:
            if exchange.status:
                raise  # half an answer is out: only closing the connection tells that something is wrong
            answer = response_of(exchange.refusal or error)
            exchange.refusal = None
            await answer(scope, exchange.receive, exchange.send)
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
        if origin in self._settings.allow_origin:
            return None  # a cookie does not count there: `from_own_page`
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

    def _limits(self, scope: Scope, headers: Headers) -> _Limits:
        settings, path = self._settings, route_path(scope)
        uploads = scope["method"] == "PUT" and path.startswith(_UPLOADED_FILES)
        if uploads or (scope["method"] == "POST" and path.rstrip("/") in _UPLOADS):
            return _Limits(settings.max_upload_bytes, _UPLOAD_PATIENCE * settings.request_seconds, _SEND_LESS)
        if headers.get("content-type", "").startswith("multipart/") or path.startswith(
            "/laboratory/gradio_api"
        ):
            return _Limits(settings.max_request_bytes, settings.request_seconds, _RAISE)
        if settings.max_request_bytes < JSON_BYTES:
            return _Limits(settings.max_request_bytes, settings.request_seconds, _RAISE)
        return _Limits(
            JSON_BYTES, settings.request_seconds, "photographs go into a form, multipart/form-data"
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class _Exchange:
    """One request and its answer; `streams` is called when the answer is a stream of events.

    Attributes:
        status: of the answer; 0 before it begins.
        refusal: why the body was refused; what the application answers then is not sent.
        answered: whether the whole answer is out.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: Headers,
        limits: _Limits,
        streams: Callable[[], None],
        spool: Path | None,
    ) -> None:
        self._spool = spool
        self._receive, self._send, self._limits, self._streams = receive, send, limits, streams
        self._end = asyncio.get_running_loop().time() + limits.seconds
        self._api = route_path(scope).startswith("/v1/")
        self._length = headers.get("content-length")
        self._waits_for_leave = headers.get("expect", "").lower() == "100-continue"
        self._arrived = 0
        self._begun = False
        self._complete = self._length in (None, "0") and "transfer-encoding" not in headers
        self.status = 0
        self.refusal: BodyRefusedError | None = None
        self.answered = False

    def check_announced(self) -> None:
        """Refuse a body by its announced length.

        Raises:
            ProblemError: 413.
        """
        if self._length is not None and self._length.isdigit() and int(self._length) > self._limits.most:
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
            raise self._refused(408, "The request took too long to arrive: send it again.") from error
        self._note(message)
        if self._arrived > self._limits.most:
            raise self._too_large()
        if self._spool and not _has_room(self._spool, len(message.get("body", b""))):
            raise self._refused(507, "The server's disk is full: free some space on it, and send this again.")
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if self.refusal and not self.status:
            return
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

    def _too_large(self) -> BodyRefusedError:
        most, way_out = self._limits.most, self._limits.way_out
        return self._refused(413, f"The request has more than {most:,} bytes: {way_out}.")

    def _refused(self, status: int, detail: str) -> BodyRefusedError:
        self.refusal = BodyRefusedError(status, detail)
        return self.refusal


def _has_room(folder: Path, size: int) -> bool:
    """Whether so many bytes still go onto the disk of a folder; True where that cannot be asked."""
    try:
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free >= size
    except OSError:
        return True


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
