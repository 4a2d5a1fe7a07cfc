"""A real server on a free port of loopback, and clients of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="the extra [serve] is not installed")

import uvicorn

from blemish.core.images import decode_image
from blemish.core.types import ByteArray
from blemish.line.runtime import Inspector
from blemish.server.app import create_app
from blemish.server.run import listener, open_service
from blemish.server.service import Service
from blemish.server.settings import ServerSettings


@dataclass(frozen=True)
class RunningServer:
    """A server, its parts and its address."""

    service: Service
    app: Any
    address: str

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        options = {
            "verify": not self.address.startswith("http:"),
            **options,
        }  # authorities take a while to read
        return httpx.Client(base_url=self.address, headers=headers, timeout=30, trust_env=False, **options)


@contextmanager
def running(service: Service) -> Iterator[RunningServer]:
    """Serve in a thread of this process until the context ends."""
    listening = listener(service.settings)
    app = create_app(service)
    config = uvicorn.Config(app, lifespan="on", log_level="warning", proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        end = time.monotonic() + 30
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)
        assert server.started
        yield RunningServer(service, app, f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


@pytest.fixture(scope="session")
def served(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Start a server with the inspector `washer`: `with served(queue_size=4) as server`; `add=False` adds none.

    Without the laboratory, which takes seconds to build.
    """

    @contextmanager
    def start(**settings: Any) -> Iterator[RunningServer]:
        home = settings.pop("home", None) or tmp_path_factory.mktemp("home")
        keys, add = settings.pop("keys", ()), settings.pop("add", True)
        values = {"home": home, "port": 0, "page": False, "laboratory": False, **settings}
        if keys or not values.get("require_keys"):
            service = Service(ServerSettings(**values))
        else:
            service = open_service(ServerSettings(**values))
        if add:
            version = service.inspectors.add(fitted, "washer")
            service.inspectors.activate(version.name, version.version)
        with running(service) as server:
            yield server

    return start


@pytest.fixture(scope="session")
def server(served: Callable[..., Any]) -> Iterator[RunningServer]:
    """One server for all tests that harm nothing."""
    with served(keep="all") as running_server:
        yield running_server


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """A client at this machine, without a key."""
    with server.client() as session:
        yield session


@pytest.fixture(scope="session")
def good(washers: Path) -> bytes:
    """A photograph of a good part."""
    return sorted((washers / "test" / "good").glob("*.png"))[0].read_bytes()


@pytest.fixture(scope="session")
def defective(washers: Path) -> list[bytes]:
    """Photographs of defective parts."""
    return [
        path.read_bytes() for path in sorted((washers / "test").glob("*/*.png")) if path.parent.name != "good"
    ]


@pytest.fixture(scope="session")
def rejected(fitted: Path, defective: list[bytes]) -> list[ByteArray]:
    """Photographs that the inspector rejects by far."""
    inspector = Inspector.load(fitted)
    images = [decode_image(content, "part.png") for content in defective]
    found = [inspector.inspect(image) for image in images]
    clear = [image for image, one in zip(images, found, strict=True) if one.score > 1.1 * one.threshold]
    assert clear
    return clear
