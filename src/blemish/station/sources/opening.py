"""From settings to a source."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from blemish.core.errors import UsageError
from blemish.station.sources.arrival import Source
from blemish.station.sources.settings import (
    CameraSource,
    FolderSource,
    GenicamSource,
    HttpSource,
    SourceSettings,
    StandardInputSource,
    StreamSource,
    VideoSource,
)


def open_source(settings: SourceSettings) -> Source:
    """The source of settings; it connects when its arrivals are asked for.

    Raises:
        UsageError: a setting leads nowhere: a variable that is empty, a producer that is not there.
        MissingExtraError: what it needs is not installed.
    """
    match settings:
        case FolderSource():
            from blemish.station.sources.folder import WatchedFolder

            return WatchedFolder(settings)
        case VideoSource():
            from blemish.station.sources.video import VideoFile

            return VideoFile(settings)
        case StandardInputSource():
            from blemish.station.sources.standard_input import StandardInput

            return StandardInput(settings)
        case HttpSource():
            from blemish.station.sources.http_push import PhotographServer

            return PhotographServer(settings)
        case _:
            return _open_live(settings)


def _open_live(settings: CameraSource | StreamSource | GenicamSource) -> Source:
    from blemish.station.sources.encoding import Encoding
    from blemish.station.sources.live import Camera, LiveOptions, LiveSource
    from blemish.station.sources.trigger import open_trigger

    def camera() -> Camera:
        match settings:
            case CameraSource():
                from blemish.station.sources.camera import UsbCamera

                return UsbCamera(settings)
            case StreamSource():
                from blemish.station.sources.stream import NetworkStream

                return NetworkStream(settings)
            case GenicamSource():
                from blemish.station.sources.genicam import GenicamCamera

                return GenicamCamera(settings)

    camera()  # what is wrong with the settings is said now, not in the night
    encoding = Encoding(settings.encoding, settings.quality)
    options = LiveOptions(settings.patience, encoding, settings.metadata.of_part())
    return LiveSource(settings.name, camera, open_trigger(settings.trigger), options)


def source_named(text: str) -> SourceSettings:
    """The source that a person writes in one word.

    `-` is standard input, `camera:0` a USB camera, `genicam:` or `genicam:SERIAL` a GenICam camera, an address that
    begins with rtsp:// or http:// a network camera; else it is a folder or a video file.

    Raises:
        UsageError: it is none of them.
    """
    if text == "-":
        return StandardInputSource(name="standard-input")
    kind, colon, rest = text.partition(":")
    if colon and kind == "camera":
        return CameraSource(
            name="camera", device=int(rest or 0) if rest.isdigit() or not rest else Path(rest)
        )
    if colon and kind == "genicam":
        return GenicamSource(name="genicam", device=rest or None)
    if "://" in text:
        try:
            return StreamSource(name=_plain(urlsplit(text).hostname or "stream"), url=text)
        except ValueError as error:
            raise UsageError(
                "This is no address of a camera: write rtsp://HOST/... or http://HOST/..."
            ) from error
    path = Path(text)
    if path.is_dir():
        return FolderSource(name=_plain(path.absolute().name), path=path)
    if path.is_file():
        return VideoSource(name=_plain(path.stem), path=path)
    raise UsageError(
        f"{text[:200]} is no folder and no video file: name one, or camera:0, rtsp://..., http://..., genicam: or - "
        "for standard input."
    )


def _plain(name: str) -> str:
    """A name as sources have them."""
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in name
    )
    return plain.strip("-._")[:60] or "source"
