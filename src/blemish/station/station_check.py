"""Whether all that a station's file names is there, found out without running it."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from blemish.core.devices import require_device
from blemish.core.errors import BlemishError, NotFoundError
from blemish.station.home import Home, default_home
from blemish.station.station_settings import StationSettings


def problems_of(settings: StationSettings) -> list[str]:
    """What is missing, a sentence each; empty if the station can run."""
    found: list[str] = []
    for check in (_inspector, _sources, _sinks, _gate, _metadata, _ports):
        try:
            found += check(settings)
        except BlemishError as error:
            found.append(str(error))
    return found


def _inspector(settings: StationSettings) -> Iterator[str]:
    from blemish.line.artifact import read_artifact

    line = settings.station
    require_device(line.device)
    if (file := line.inspector_file) is not None:
        if not file.is_file():
            yield f"The inspector {file} does not exist: name a file NAME.blemish."
        else:
            read_artifact(file)
        return
    from blemish.station.database import Database
    from blemish.station.shelf import InspectorShelf

    absent = f"The home has no active inspector {line.inspector}: add one, or name a file NAME.blemish."
    path = Path(line.home or default_home()).expanduser()
    if not path.is_dir():
        yield absent
        return
    home = Home(path)
    database = Database(line.database or home.database_url)
    try:
        database.upgrade()
        InspectorShelf(home, database).active(line.inspector)
    except NotFoundError:
        yield absent
    finally:
        database.close()


def _sources(settings: StationSettings) -> Iterator[str]:
    from blemish.station.sources.opening import open_source

    for source in settings.source:
        yield from _said(f"Source {source.name}", partial(open_source, source))
        if source.kind == "folder" and not os.access(source.path, os.R_OK | os.X_OK):
            yield f"Source {source.name}: the folder {source.path} cannot be read: make it, or name another."
        elif source.kind == "video" and not os.access(source.path, os.R_OK):
            yield f"Source {source.name}: the video {source.path} cannot be read: name another."
        elif source.kind == "camera" and not _camera(source.device).exists():
            yield f"Source {source.name}: there is no camera {_camera(source.device)}: plug it in, or name another."


def _camera(device: int | Path) -> Path:
    return Path(f"/dev/video{device}") if isinstance(device, int) else device


def _sinks(settings: StationSettings) -> Iterator[str]:
    from blemish.station.signals.opening import check_sinks, open_sink

    watched = [source for source in settings.source if source.kind == "folder"]
    yield from _said("Sinks", partial(check_sinks, settings.sink, watched))
    for sink in settings.sink:
        with _some_home() as home:
            yield from _said(f"Sink {sink.name}", partial(open_sink, sink, home))
        folder = (
            sink.folder if sink.kind == "files" else sink.file.parent if sink.kind == "json-lines" else None
        )
        if folder is not None and not _can_be_made(folder):
            yield f"Sink {sink.name}: {folder} cannot be written: allow it, or name another folder."


@contextmanager
def _some_home() -> Iterator[Home]:
    """A home that nothing is kept in: the station's own is not made to find out what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        yield Home(folder)


def _can_be_made(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _gate(settings: StationSettings) -> Iterator[str]:
    if settings.gate is not None:
        from blemish.station.signals.opening import open_gate

        with _some_home() as home:
            yield from _said("Gate", partial(open_gate, settings.gate, home))


def _metadata(settings: StationSettings) -> Iterator[str]:
    if settings.metadata is not None:
        from blemish.station.metadata.reader import MetadataReader

        yield from _said("Metadata", partial(MetadataReader, settings.metadata))


def _ports(settings: StationSettings) -> Iterator[str]:
    """Addresses that the station is to listen on, and that are taken."""
    line = settings.station
    wanted: list[tuple[str, str, int]] = []
    for source in settings.source:
        if source.kind == "http":
            wanted.append((f"Source {source.name}", source.host, source.port))
    for sink in settings.sink:
        if sink.kind == "modbus-server" or sink.kind == "opcua":
            wanted.append((f"Sink {sink.name}", sink.host, sink.port))
    if line.metrics_port is not None:
        wanted.append(("metrics_port", line.metrics_host, line.metrics_port))
    for what, host, port in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trying.bind((host, port))
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                yield f"{what}: {host}:{port} cannot be listened on ({reason}): give another port."


def _said(what: str, make: Callable[[], object]) -> Iterator[str]:
    """What is wrong with something that is made; nothing if it can be."""
    try:
        make()
    except BlemishError as error:
        yield f"{what}: {error}"
