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

from blemish.core.errors import UsageError
from blemish.station.metadata.settings import PayloadSettings
from blemish.station.photograph import PartMetadata
from blemish.station.signals.mqtt_listener import MqttListener

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
        UsageError: a secret or certificate that is named is not there.
    """

    def __init__(self, settings: PayloadSettings) -> None:
        self.settings = settings
        self._listener = MqttListener(settings, settings.topic, self._message)
        self._lock = threading.Lock()
        self._heard: deque[_Heard] = deque(maxlen=_MOST_HEARD)
        self._not_understood: str | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong in one sentence; None while all is well."""
        return self._listener.trouble or self._not_understood

    def start(self) -> None:
        """Begin to listen; the broker need not be there yet."""
        self._listener.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._listener.stop()

    def latest(self, age: float = 0.0) -> PartMetadata:
        """What had been said last when a photograph was taken, `age` seconds ago; nothing where that was too old then.

        What was said since is of parts that follow.
        """
        taken = time.monotonic() - age
        with self._lock:
            heard = next((one for one in reversed(self._heard) if one.at <= taken), None)
        within = self.settings.within
        if heard is None or (within is not None and (heard.of_unknown_age or taken - heard.at > within)):
            return PartMetadata()
        return heard.metadata

    def _message(self, message: Any) -> None:
        found = metadata_of(message.payload, self.settings.fields)
        if found is None:
            self._not_understood = f"A message at {message.topic[:80]} says nothing of a part: {_PROBLEM}."
            return
        self._not_understood = None
        with self._lock:
            # What the broker had kept was said before any photograph that waits here.
            at = -math.inf if message.retain and not self._heard else time.monotonic()
            self._heard.append(_Heard(found, at, bool(message.retain)))


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
