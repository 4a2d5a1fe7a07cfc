"""Photographs that programs send: a small server of the station's own, which takes what the station has room for."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import queue
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from blemish.core.addresses import is_loopback
from blemish.core.errors import BlemishError, MissingExtraError, UsageError
from blemish.core.file_names import escaped
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.station.inspection_queue import Judged, Refused
from blemish.station.photograph import PartMetadata, Photograph
from blemish.station.records import check_line
from blemish.station.signals.secret import read_secret
from blemish.station.signals.signal import Signal
from blemish.station.sources.arrival import Answered, Arrival, Known, SourceState, Tally
from blemish.station.sources.reconnecting import BackOff
from blemish.station.sources.settings import HttpSource

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_ARRIVES_SECONDS = 60.0  # that a photograph may take
_STOP_SECONDS = 0.5
_MOST_PENDING = 10_000
_SHORTEST_TOKEN = 16
_OF_SINKS = ("id", "station", "origin", "repeated")
"""What of the document of a verdict means something to sinks alone."""

_FIELDS = ("serial_number", "batch", "shift", "camera")
logger = logging.getLogger("blemish.station")


class _RefusedError(Exception):
    """A request is refused.

    Attributes:
        status: of HTTP.
        detail: one sentence.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class PhotographServer:
    """A source to which photographs are sent: `POST /photographs`, the file as the body.

    Raises:
        MissingExtraError: the extra [station] is not installed.
        UsageError: the address is reached from elsewhere and there is no token, or the token's variable is empty.
    """

    def __init__(self, settings: HttpSource) -> None:
        try:
            import starlette.applications  # noqa: F401
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("A source by HTTP", "station") from error
        self.name = settings.name
        self._settings = settings
        self._token = _token(settings)
        self._tally = Tally(settings.name)
        self._arrivals: queue.Queue[Arrival] = queue.Queue(settings.waiting)
        self._known: Known = lambda key: False
        self._pending: dict[str, None] = {}  # keys of what is taken and not yet answered
        self.address: str | None = None
        """Where it listens; None while it does not."""

    def state(self) -> SourceState:
        """How it fares now."""
        return self._tally.state()

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Photographs as they are sent, until `stop`."""
        self._known = known
        back_off = BackOff()
        while not stop.is_set():
            try:
                listening = self._listen()
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                where = f"{self._settings.host}:{self._settings.port}"
                self._tally.failed(f"{where} cannot be listened on ({reason}): choose another port.")
                stop.wait(back_off.next())
                continue
            yield from self._served(listening, stop)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._settings.host, self._settings.port))
        except OSError:
            listening.close()
            raise
        return listening

    def _served(self, listening: socket.socket, stop: threading.Event) -> Iterator[Arrival]:
        """What comes while the server runs."""
        import uvicorn

        config = uvicorn.Config(
            self._application(),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=4 * self._settings.waiting + 16,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name=self.name, daemon=True
        )
        thread.start()
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self.address = f"http://{host}:{listening.getsockname()[1]}/photographs"
        self._tally.connected()
        logger.info("%s: photographs are taken at %s", self.name, self.address)
        try:
            while not stop.is_set() and thread.is_alive():
                try:
                    arrival = self._arrivals.get(timeout=0.2)
                except queue.Empty:
                    continue
                self._tally.gave()
                yield arrival
        finally:
            self.address = None
            server.should_exit = True
            thread.join(_STOP_SECONDS)
            listening.close()
            self._tally.ended()

    def _application(self) -> Any:
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(routes=[Route("/photographs", self._post, methods=["POST"])])

    async def _post(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        try:
            status, document = await self._take(request)
        except _RefusedError as refused:
            headers = {"Retry-After": "1"} if refused.status == 503 else {}
            if refused.status == 401:
                headers = {"WWW-Authenticate": "Bearer"}
            # Much of the body may not have come: the connection is closed rather than read to its end.
            headers["Connection"] = "close"
            problem = {"status": refused.status, "detail": refused.detail}
            return JSONResponse(problem, refused.status, headers, media_type="application/problem+json")
        return JSONResponse(document, status)

    async def _take(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Status and document of the answer.

        Raises:
            _RefusedError: the photograph is not taken.
        """
        self._check_sender(request)
        part = _metadata(request).or_else(self._settings.metadata.of_part())
        key = request.query_params.get("key") or request.headers.get("idempotency-key")
        if key is not None:
            key = _line(key, "key")
            if key in self._pending or await self._was_judged(key):
                return 200, {"key": key, "known": True}
        content = await self._body(request)
        kind = image_format(content)
        if kind is None:
            self._tally.refused(
                "Something was sent that is no photograph: send PNG, JPEG, TIFF, BMP or WebP."
            )
            raise _RefusedError(
                415, "This is no photograph that can be read: send PNG, JPEG, TIFF, BMP or WebP."
            )
        key = key or uuid.uuid4().hex
        name = request.query_params.get("file_name") or f"{key}{FORMAT_SUFFIXES[kind][0]}"
        photograph = Photograph(content, escaped(_line(name, "file name")), part)
        wait = request.query_params.get("wait", "").lower() in ("1", "true", "yes")
        answer: asyncio.Future[Future[Judged | Refused]] = asyncio.get_running_loop().create_future()
        self._put(key, Arrival(photograph, key, None, time.monotonic(), self._teller(key, answer)))
        if not wait:
            return 202, {"key": key}
        try:
            async with asyncio.timeout(self._settings.wait_seconds):
                told = await answer
        except TimeoutError:
            return 202, {"key": key, "detail": "The verdict takes longer; it will be in the history."}
        return _told(key, told)

    async def _was_judged(self, key: str) -> bool:
        try:
            return await asyncio.to_thread(self._known, key)
        except BlemishError as error:  # the history does not answer
            raise _RefusedError(503, str(error)) from error

    def _put(self, key: str, arrival: Arrival) -> None:
        self._pending[key] = None
        while len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        try:
            self._arrivals.put_nowait(arrival)
        except queue.Full as error:
            self._pending.pop(key, None)
            raise _RefusedError(
                503, "The station has no room now: send the photograph again later."
            ) from error

    def _teller(self, key: str, answer: asyncio.Future[Future[Judged | Refused]]) -> Answered:
        """Hands the answer of a task over to the event loop where its sender may wait."""
        loop = asyncio.get_running_loop()

        def tell(done: Future[Judged | Refused]) -> None:
            def hand_over() -> None:
                self._pending.pop(key, None)  # what failed may be sent again
                if not answer.done():
                    answer.set_result(done)

            with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(hand_over)

        return tell

    def _check_sender(self, request: Request) -> None:
        """Refuse whoever does not show the token; without one, what a stranger's page makes a browser here send."""
        if self._token is not None:
            shown = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            if not hmac.compare_digest(shown.encode("utf-8", "replace"), self._token.encode()):
                raise _RefusedError(401, "Show the station's token: Authorization: Bearer TOKEN.")
            return
        try:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        except ValueError:
            host = ""
        foreign = request.headers.get("origin") is not None or request.headers.get(
            "sec-fetch-site", "none"
        ) not in ("none", "same-origin")
        if foreign or not is_loopback(host):
            raise _RefusedError(
                403, "Without a token only programs of this machine send photographs, to localhost."
            )

    async def _body(self, request: Request) -> bytes:
        """The photograph, within the limits.

        Raises:
            _RefusedError: it is empty, too large, or takes too long.
        """
        most = self._settings.max_bytes
        too_large = _RefusedError(413, f"The photograph has more than {most:,} bytes: send a smaller one.")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise _RefusedError(
                415, "Send the photograph itself as the body, as curl --data-binary @FILE does."
            )
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            self._tally.refused(too_large.detail)
            raise too_large
        content = bytearray()
        try:
            async with asyncio.timeout(_ARRIVES_SECONDS):
                async for piece in request.stream():
                    content += piece
                    if len(content) > most:
                        self._tally.refused(too_large.detail)
                        raise too_large
        except TimeoutError as error:
            raise _RefusedError(408, "The photograph took too long to arrive: send it again.") from error
        if not content:
            raise _RefusedError(400, "The request has no body: send a photograph as the body.")
        return bytes(content)


def _told(key: str, done: Future[Judged | Refused]) -> tuple[int, dict[str, Any]]:
    """The answer to who has waited for a verdict."""
    if done.cancelled():
        raise _RefusedError(503, "The station is stopping: send the photograph again when it is back.")
    error = done.exception()
    if isinstance(error, BlemishError):
        raise _RefusedError(503, str(error))
    if error is not None:
        raise _RefusedError(500, "The inspection failed unexpectedly, as the station's log says.")
    judged = done.result()
    if isinstance(judged, Refused):
        raise _RefusedError(422, judged.detail)
    document = Signal.of(judged.record, "", None, False).to_json()
    told = {name: value for name, value in document.items() if name not in _OF_SINKS}
    return 200, {"key": key, **told}


def _metadata(request: Request) -> PartMetadata:
    try:
        return PartMetadata(**{name: request.query_params.get(name) or None for name in _FIELDS})
    except UsageError as error:
        raise _RefusedError(422, str(error)) from error


def _line(text: str, what: str) -> str:
    try:
        return check_line(text, what)
    except UsageError as error:
        raise _RefusedError(422, str(error)) from error


def _token(settings: HttpSource) -> str | None:
    token = read_secret(settings.token_env, settings.token_file, "token of the senders")
    if token is not None:
        if len(token) < _SHORTEST_TOKEN:
            raise UsageError(
                f"The token of the source {settings.name} has fewer than {_SHORTEST_TOKEN} characters: take a longer "
                "one, as openssl rand -hex 32 makes."
            )
        return token
    if not settings.is_local:
        raise UsageError(
            f"At {settings.host} anybody could send photographs: set token_env to a variable that holds a "
            "token, or listen on 127.0.0.1."
        )
    return None
