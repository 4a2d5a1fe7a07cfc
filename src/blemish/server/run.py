"""A running server: uvicorn around the application, ended gracefully by SIGTERM or SIGINT."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvicorn

from blemish.core.errors import UsageError
from blemish.core.own_process import collect_often
from blemish.server.app import create_app
from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.server.streams import EventStreams
from blemish.server.tls import Certificate

_BACKLOG = 512
_KEEP_ALIVE_SECONDS = 30


class _Server(uvicorn.Server):
    """Uvicorn that says when it listens, and ends the streams of open pages before it waits for answers."""

    def __init__(self, config: uvicorn.Config, listens: Callable[[], None], streams: EventStreams) -> None:
        super().__init__(config)
        self._listens, self._streams = listens, streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            collect_often()
            self._listens()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.end()
        await super().shutdown(sockets)


def open_service(settings: ServerSettings) -> Service:
    """The service for these settings, if they are safe.

    Raises:
        UsageError: the address can be reached from elsewhere, and there is no key.
        BlemishError: home or database cannot be used.
    """
    service = Service(settings)
    if settings.keys_required and not service.keys.any():
        service.stop()
        raise UsageError(
            f"There is no key, so nobody could use (or anybody would) a server at {settings.host}: "
            "make one first with blemish key create NAME --role admin."
        )
    return service


def run(service: Service, listens: Callable[[str], None], certificate: Certificate | None = None) -> None:
    """Serve until told to end; what was accepted is finished.

    Args:
        service: not started yet.
        listens: called with the address once the server listens.
        certificate: what https is served with; plain http when None.

    Raises:
        UsageError: the address cannot be used.
    """
    settings = service.settings
    _keep_temporary_files_in(service.home.path / "temporary")
    listening = listener(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{'https' if certificate else 'http'}://{host}:{listening.getsockname()[1]}"
    app = create_app(service)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # what a proxy says of the caller is not believed
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.stop_seconds) + 1,
        backlog=_BACKLOG,
        ssl_certfile=certificate.file if certificate else None,
        ssl_keyfile=certificate.private_key if certificate else None,
    )
    try:
        _Server(config, lambda: listens(address), app.state.streams).run(sockets=[listening])
    finally:
        service.stop()
        listening.close()


def listener(settings: ServerSettings) -> socket.socket:
    """A listening socket, opened before anything is compiled: a taken port is said at once.

    Raises:
        UsageError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named: asyncio sends at once (TCP_NODELAY) only on what such a socket accepts. Else the second
    # part of each answer on a kept connection waits 40 ms for the client to acknowledge the first.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"{settings.host}:{settings.port} cannot be listened on ({reason}): choose another --port or --host."
        ) from error
    return listening


def _keep_temporary_files_in(folder: Path) -> None:
    """Let libraries spool uploads inside the home; what an earlier run has left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["TMPDIR"] = os.environ["GRADIO_TEMP_DIR"] = str(folder)
    tempfile.tempdir = str(folder)
