"""A message that says: now. The first frame read after it is the photograph, and its payload may say of which part."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError, UsageError
from blemish.core.file_names import shown
from blemish.station.photograph import PartMetadata
from blemish.station.sources.encoding import Frame
from blemish.station.sources.settings import MqttMessage

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_MOST_PAYLOAD = 4096  # bytes
_MOST_WAITING = 1000
_MOST_PAUSE = 30  # seconds between two tries to reach the broker
logger = logging.getLogger("blemish.station")


class MqttTrigger:
    """Fires once for each message on a topic.

    A message waits for the next frame, for a frame that lies there already may show the part before. Where none comes
    in time the part is gone: the message is counted as missed. The broker may come and go; a session is kept there, so
    that with qos 1 or 2 messages of a short absence arrive, and are missed, not lost from the count.
    """

    def __init__(self, settings: MqttMessage) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("A trigger by MQTT", "station") from error
        self._settings = settings
        self._password = _password(settings)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, PartMetadata]] = deque()
        self._missed = 0
        self._trouble: str | None = self._lost("not connected yet")
        self._client: Client | None = None

    def open(self) -> None:
        """Connect in the background, and again whenever the broker has gone."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail, client.on_message = self._failed, self._came
        client.reconnect_delay_set(1, _MOST_PAUSE)
        settings = self._settings
        if settings.username is not None:
            client.username_pw_set(settings.username, self._password)
        if settings.tls:
            client.tls_set()
        client.connect_async(settings.host, settings.port, keepalive=15)
        client.loop_start()
        self._client = client

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
        return self._trouble

    def close(self) -> None:
        """Leave the broker."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _forget_old(self, now: float) -> None:
        while self._waiting and now - self._waiting[0][0] > self._settings.within:
            self._waiting.popleft()
            self._missed += 1

    def _lost(self, reason: str) -> str:
        where = f"{self._settings.host}:{self._settings.port}"
        return f"The MQTT broker {where} is not there ({reason}), so nothing triggers: it is tried again by itself."

    def _connected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._trouble = (
                f"The MQTT broker {self._settings.host}:{self._settings.port} refuses the trigger "
                f"({str(reason).lower()}): check username and password_environment."
            )
            return
        client.subscribe(self._settings.topic, self._settings.qos)
        self._trouble = None

    def _disconnected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._trouble = self._lost(str(reason).lower())

    def _failed(self, client: Client, userdata: Any) -> None:
        self._trouble = self._lost("it does not answer")

    def _came(self, client: Client, userdata: Any, message: Any) -> None:
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


def _password(settings: MqttMessage) -> str | None:
    name = settings.password_environment
    if name is None:
        return None
    if not os.environ.get(name):
        raise UsageError(f"The environment variable {name} is empty: put the MQTT password in it.")
    return os.environ[name]
