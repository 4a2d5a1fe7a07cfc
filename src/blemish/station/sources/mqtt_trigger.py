"""A message that says: now. The first frame read after it is the photograph, and its payload may say of which part."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError, UsageError
from blemish.core.file_names import shown
from blemish.station.photograph import PartMetadata
from blemish.station.signals.mqtt_connection import tls_context
from blemish.station.signals.secret import read_secret
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
    in time the part is gone: the message is counted as missed. The broker may come and go. What was said while it was
    gone, and what it has kept of earlier (retained messages), triggers nothing.

    Raises:
        UsageError: a secret or certificate that is named is not there.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, settings: MqttMessage) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("A trigger by MQTT", "station") from error
        self._settings = settings
        self._user = read_secret(settings.username_env, None, "user of the broker")
        self._password = read_secret(settings.password_env, settings.password_file, "password of the broker")
        self._tls = tls_context(settings) if settings.tls else None
        self._port = settings.port or (8883 if settings.tls else 1883)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, PartMetadata]] = deque()
        self._missed = 0
        self._trouble: str | None = self._lost("not connected yet")
        self._client: Client | None = None

    def open(self) -> None:
        """Connect in the background, and again whenever the broker has gone."""
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id or "",
            protocol=MQTTv5 if settings.version == "5" else MQTTv311,
        )
        client.suppress_exceptions = True
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail, client.on_message = self._failed, self._came
        client.reconnect_delay_set(1, _MOST_PAUSE)
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_async(settings.host, self._port, keepalive=settings.keep_alive)
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
        where = f"{self._settings.host}:{self._port}"
        return f"The MQTT broker {where} is not there ({reason}), so nothing triggers: it is tried again by itself."

    def _connected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._trouble = (
                f"The MQTT broker {self._settings.host}:{self._port} refuses the trigger "
                f"({str(reason).lower()}): check username_env and password_env."
            )
            return
        client.subscribe(self._settings.topic, self._settings.qos)
        self._trouble = None

    def _disconnected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._trouble = self._lost(str(reason).lower())

    def _failed(self, client: Client, userdata: Any) -> None:
        self._trouble = self._lost("it does not answer")

    def _came(self, client: Client, userdata: Any, message: Any) -> None:
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
