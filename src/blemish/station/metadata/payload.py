"""The latest message of an MQTT topic, as metadata of the parts that follow it."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from blemish.core.errors import MissingExtraError, UsageError
from blemish.station.metadata.settings import PayloadSettings
from blemish.station.photograph import PartMetadata

_MOST_BYTES = 64 * 2**10
_MOST_HEARD = 1000
_FIELDS = tuple(one.name for one in fields(PartMetadata))
_PROBLEM = "its JSON has no value of at most 80 characters for any field"


@dataclass(frozen=True)
class _Heard:
    metadata: PartMetadata
    at: float  # time.monotonic()
    of_unknown_age: bool


class LatestPayload:
    """Listens to a topic, connects again whenever the broker is gone, and knows what was said last.

    Raises:
        MissingExtraError: paho-mqtt is not installed.
        UsageError: the password's file cannot be read.
    """

    def __init__(self, settings: PayloadSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._heard: deque[_Heard] = deque(maxlen=_MOST_HEARD)
        self._trouble: str | None = f"The broker {self._broker} has not answered yet."
        self._client = self._made()

    @property
    def trouble(self) -> str | None:
        """What is wrong in one sentence; None while all is well."""
        return self._trouble

    def start(self) -> None:
        """Begin to listen; the broker need not be there yet."""
        self._client.connect_async(self.settings.host, self.settings.port, keepalive=20)
        self._client.loop_start()

    def stop(self) -> None:
        """Listen no longer."""
        self._client.disconnect()
        self._client.loop_stop()

    def latest(self, age: float = 0.0) -> PartMetadata:
        """What had been said last when a photograph was taken, `age` seconds ago; nothing where that was too old then.

        What was said since is of parts that follow.
        """
        taken = time.monotonic() - age
        with self._lock:
            heard = next((one for one in reversed(self._heard) if one.at <= taken), None)
        seconds = self.settings.seconds
        if heard is None or (seconds is not None and (heard.of_unknown_age or taken - heard.at > seconds)):
            return PartMetadata()
        return heard.metadata

    @property
    def _broker(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    def _made(self) -> Any:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError as error:
            raise MissingExtraError("Metadata by MQTT", "station") from error
        client = Client(CallbackAPIVersion.VERSION2)
        if self.settings.username is not None:
            client.username_pw_set(self.settings.username, self._password())
        if self.settings.tls:
            client.tls_set()
        client.reconnect_delay_set(1, 30)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail = lambda *_: self._say(f"The broker {self._broker} cannot be reached.")
        client.on_message = self._message
        return client

    def _password(self) -> str | None:
        path = self.settings.password_file
        if path is None:
            return None
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as a password: name another file.") from error

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._say(f"The broker {self._broker} refuses: {reason}.")
            return
        client.subscribe(self.settings.topic, qos=1)
        self._say(None)

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._say(f"The broker {self._broker} is gone ({reason}); trying again.")

    def _message(self, client: Any, data: Any, message: Any) -> None:
        found = metadata_of(message.payload, self.settings.fields)
        if found is None:
            self._say(f"A message at {message.topic[:80]} says nothing of a part: {_PROBLEM}.")
            return
        self._say(None)
        with self._lock:
            # What the broker had kept was said before any photograph that waits here.
            at = -math.inf if message.retain and not self._heard else time.monotonic()
            self._heard.append(_Heard(found, at, bool(message.retain)))

    def _say(self, trouble: str | None) -> None:
        self._trouble = trouble


def metadata_of(payload: bytes, where: Mapping[Any, str]) -> PartMetadata | None:
    """What the JSON of a message says of a part; None where that is nothing, or it is no JSON of at most 64 KiB.

    Args:
        payload: of the message.
        where: a value stands, by field, as `order.number`; under the field's own name if absent.
    """
    if len(payload) > _MOST_BYTES:
        return None
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    values = {name: _value(document, where.get(name, name)) for name in _FIELDS}
    found = PartMetadata()
    for name, value in values.items():
        try:
            found = found.or_else(PartMetadata(**{name: value}))
        except UsageError:
            continue
    return None if found == PartMetadata() else found


def _value(document: Any, path: str) -> str | None:
    """A text or a whole number at a place of a document."""
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    if isinstance(document, str):
        return document.strip() or None
    return str(document) if isinstance(document, int) and not isinstance(document, bool) else None
