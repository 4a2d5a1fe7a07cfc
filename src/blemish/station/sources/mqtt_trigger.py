"""A message that says: now. The first frame read after it is the photograph, and its payload may say of which part."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from typing import Any

from blemish.core.errors import UsageError
from blemish.core.file_names import shown
from blemish.station.photograph import PartMetadata
from blemish.station.signals.mqtt_listener import MqttListener
from blemish.station.sources.encoding import Frame
from blemish.station.sources.settings import MqttMessage

_MOST_PAYLOAD = 4096  # bytes
_MOST_WAITING = 1000
logger = logging.getLogger("blemish.station")


class MqttTrigger:
    """Fires once for each message on a topic.

    A message waits for the next frame, for a frame that lies there already may show the part before. Where none comes
    in time the part is gone: the message is counted as missed. The broker may come and go. What was said while it was
    gone, and what it has kept of earlier (retained messages), triggers nothing.

    Raises:
        UsageError: a secret or certificate that is named is not there.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, settings: MqttMessage) -> None:
        self._settings = settings
        self._listener = MqttListener(settings, settings.topic, self._came, settings.qos)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, PartMetadata]] = deque()
        self._missed = 0

    def open(self) -> None:
        """Connect in the background, and again whenever the broker has gone."""
        self._listener.start()

    def fires(self, frame: Frame) -> PartMetadata | None:
        """What the oldest message that was there before the frame says of the part; None without one."""
        with self._lock:
            self._forget_old(frame.moment)
            if self._waiting and self._waiting[0][0] <= frame.moment:
                return self._waiting.popleft()[1]
            return None

    def missed(self) -> int:
        """Messages since the last call that no frame came for."""
        with self._lock:
            self._forget_old(time.monotonic())
            missed, self._missed = self._missed, 0
            return missed

    def trouble(self) -> str | None:
        """Why no messages can come."""
        return self._listener.trouble

    def close(self) -> None:
        """Leave the broker."""
        self._listener.stop()

    def _forget_old(self, now: float) -> None:
        while self._waiting and now - self._waiting[0][0] > self._settings.within:
            self._waiting.popleft()
            self._missed += 1

    def _came(self, message: Any) -> None:
        if message.retain:
            return
        try:
            part = part_of(message.payload)
        except UsageError as error:  # the part is there all the same
            logger.warning("What a trigger on %s says is not used: %s", shown(message.topic)[:80], error)
            part = PartMetadata()
        with self._lock:
            self._waiting.append((time.monotonic(), part))
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popleft()
                self._missed += 1


def part_of(payload: bytes) -> PartMetadata:
    """What the payload of a message says: a JSON object of the fields of `PartMetadata`, or a serial number as text.

    Raises:
        UsageError: it is longer than 4096 bytes, no text, or a value is not one line of 1 to 80 characters.
    """
    if len(payload) > _MOST_PAYLOAD:
        raise UsageError(f"A payload of {len(payload):,} bytes is too long: send {_MOST_PAYLOAD} at most.")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise UsageError("The payload is no text: send JSON, or a serial number, in UTF-8.") from error
    if not text:
        return PartMetadata()
    if not text.startswith("{"):
        return PartMetadata(serial_number=text)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "The payload begins like JSON and is none: send an object, or a serial number."
        ) from error
    fields = {name: said.get(name) for name in PartMetadata.__dataclass_fields__}
    return PartMetadata(**{name: None if value is None else str(value) for name, value in fields.items()})
