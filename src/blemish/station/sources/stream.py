"""A network camera: RTSP, or MJPEG over HTTP, through the FFmpeg in OpenCV."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from blemish.station.signals.secret import read_secret
from blemish.station.sources.encoding import Pixels
from blemish.station.sources.live import CameraError
from blemish.station.sources.quiet_opencv import quiet_opencv
from blemish.station.sources.settings import StreamSource

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_CHANGED = threading.Condition()
_opening_now = 0


class NetworkStream:
    """A stream of a camera in the network."""

    def __init__(self, settings: StreamSource) -> None:
        self._settings = settings
        self._url = _with_password(settings)
        self.what = f"Camera {without_password(settings.url)}"
        self.open_seconds = settings.open_seconds
        self._capture: Any = None

    def open(self) -> None:
        """Connect.

        Raises:
            CameraError: nobody answers, or sends no video.
        """
        cv2 = quiet_opencv()
        opening = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(1000 * self.open_seconds)]
        reading = [cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(1000 * min(self._settings.stall_seconds, 3600))]
        with _opening(self._settings.transport):
            self._capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, [*opening, *reading])
        if not self._capture.isOpened():
            raise CameraError(
                f"{self.what} sends no video: see that it is switched on and reached from here, and that address, user "
                "and password are right."
            )

    def read(self) -> Pixels | None:
        """The next frame.

        Raises:
            CameraError: the stream has ended or is silent.
        """
        there, pixels = self._capture.read()
        if not there:
            raise CameraError(f"{self.what} has ended its stream or is silent: it is connected anew.")
        return pixels  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let it go."""
        if self._capture is not None:
            self._capture.release()


@contextmanager
def _opening(transport: str) -> Iterator[None]:
    """Let a stream be opened with its transport: FFmpeg's options stand in the environment, for all that open at once.

    Those of one transport open side by side; those of the other wait for them.
    """
    global _opening_now
    with _CHANGED:
        _CHANGED.wait_for(
            lambda: not _opening_now or os.environ.get(_OPTIONS, "").startswith(_first(transport))
        )
        if not _opening_now:
            os.environ[_OPTIONS] = f"{_first(transport)}|fflags;nobuffer|flags;low_delay"
        _opening_now += 1
    try:
        yield
    finally:
        with _CHANGED:
            _opening_now -= 1
            _CHANGED.notify_all()


def _first(transport: str) -> str:
    return f"rtsp_transport;{transport}"


def without_password(url: str) -> str:
    """An address as it may be shown: without user and password, and without a query, which may hold a key."""
    split = urlsplit(url)
    place = split.netloc.rpartition("@")[2]
    return urlunsplit((split.scheme, place, split.path, "", ""))


def _with_password(settings: StreamSource) -> str:
    password = read_secret(settings.password_env, settings.password_file, "password of the camera")
    if password is None:
        return settings.url
    split = urlsplit(settings.url)
    user, _, place = split.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}:{quote(password, safe='')}@{place}"
    return urlunsplit(split._replace(netloc=netloc))
