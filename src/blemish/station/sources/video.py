"""A video file as a source: its frames in order, none dropped, each judged once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from blemish.core.errors import BlemishError
from blemish.core.file_names import shown
from blemish.station.photograph import Photograph
from blemish.station.sources.arrival import Arrival, Known, SourceState, Tally
from blemish.station.sources.encoding import Encoding, Frame
from blemish.station.sources.quiet_opencv import quiet_opencv
from blemish.station.sources.settings import VideoSource
from blemish.station.sources.trigger import open_trigger


class VideoFile:
    """Reads a video as fast as its frames are taken; a restart goes on where it was left."""

    def __init__(self, settings: VideoSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._encoding = Encoding(settings.encoding, settings.quality)
        self._trigger = open_trigger(settings.trigger)
        self._tally = Tally(settings.name)

    def state(self) -> SourceState:
        """How it fares now."""
        return self._tally.state()

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Its photographs; ends with the video. The key of one is the file as it is, and the frame's number."""
        path = self._settings.path
        cv2 = quiet_opencv()
        try:
            status = path.stat()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._tally.failed(f"{shown(path)} cannot be read ({reason}): name a video file.")
            return
        video = cv2.VideoCapture(str(path))
        try:
            self._tally.connected()
            read = 0
            for frame in _frames(video):
                read += 1
                if stop.is_set():
                    return
                part = self._trigger.fires(frame)
                key = f"{path.name}:{status.st_size}:{status.st_mtime_ns}#{frame.number}"
                if part is None or known(key):
                    continue
                try:
                    content = self._encoding.of(frame.pixels)
                except BlemishError as error:
                    self._tally.refused(str(error))
                    continue
                self._tally.gave()
                metadata = part.or_else(self._settings.metadata.of_part())
                file_name = f"{path.stem}-{frame.number:06d}{self._encoding.suffix}"
                yield Arrival(Photograph(content, file_name, metadata), key, closed=time.monotonic())
        finally:
            video.release()
        if read:
            self._tally.ended()
        else:
            self._tally.failed(f"{shown(path)} holds no video that can be read: convert it to MP4 (H.264).")


def _frames(video: object) -> Iterator[Frame]:
    """The frames of an open video, with their second in it."""
    fps = video.get(5) or 25.0  # type: ignore[attr-defined]  # cv2.CAP_PROP_FPS
    number = 0
    while True:
        there, pixels = video.read()  # type: ignore[attr-defined]
        if not there:
            return
        yield Frame(pixels, number / fps, number)
        number += 1
