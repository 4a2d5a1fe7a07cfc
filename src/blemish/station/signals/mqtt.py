"""Documents as MQTT messages, with births and deaths of the station as Sparkplug has them.

Topics are like Sparkplug's, the payload is JSON: `PREFIX/GROUP/NBIRTH/NODE`, `.../NDEATH/NODE`, `.../DDATA/NODE/PART`.
A birth is retained, and takes the retained death of before away; a death is retained, and is the connection's last
will. So whoever comes later sees whether the station lives: where there is a death, it does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import blemish
from blemish.station.signals.mqtt_connection import Message, MqttConnection
from blemish.station.signals.settings import MqttSink
from blemish.station.signals.signal import FORMAT, Signal
from blemish.station.signals.sink import SinkError


class Mqtt:
    """The sink; see `MqttSink` for its settings.

    Args:
        settings: broker and topics.
        station: the station's own name, the node where the settings name none.
    """

    def __init__(self, settings: MqttSink, station: str) -> None:
        self.name = settings.name
        self._station = station
        self._connection = MqttConnection(settings, f"blemish-{station[-12:]}-{settings.name}")
        self._start = f"{settings.prefix}/{settings.group}"
        self._node = settings.node or station
        self._birth = 0
        self._sequence = 0

    def open(self) -> None:
        """Connect, with the last will, and publish the birth."""
        # Larger than at any connection before, also after a restart.
        self._birth = max(self._birth + 1, time.time_ns() // 1_000_000)
        self._connection.open(self._death("lost"))
        self._sequence = 0
        birth = {
            "format": FORMAT,
            "timestamp": _now(),
            "bdSeq": self._birth,
            "seq": 0,
            "station": self._station,
            "sink": self.name,
            "version": blemish.__version__,
        }
        self._connection.publish(
            [
                Message(self._topic("NDEATH"), b"", retain=True),
                Message(self._topic("NBIRTH"), json.dumps(birth).encode(), retain=True),
            ]
        )

    def send(self, signals: Sequence[Signal]) -> None:
        """Publish, and wait until the broker has acknowledged all."""
        self._connection.publish([self._data(signal) for signal in signals])

    def check(self) -> None:
        """Notice a lost connection."""
        self._connection.check()

    def close(self) -> None:
        """Publish the death, and say goodbye; without a connection the last will says it."""
        if self._connection.is_open:
            with suppress(SinkError):
                self._connection.publish([self._death("ended")])
                self._connection.close()
        self._connection.abandon()

    def _data(self, signal: Signal) -> Message:
        self._sequence = (self._sequence + 1) % 256
        document = signal.to_json() | {"timestamp": _now(), "bdSeq": self._birth, "seq": self._sequence}
        part = _level(signal.record.inspector)
        return Message(f"{self._topic('DDATA')}/{part}", json.dumps(document, ensure_ascii=False).encode())

    def _death(self, reason: str) -> Message:
        death = {"format": FORMAT, "bdSeq": self._birth, "station": self._station, "reason": reason}
        return Message(self._topic("NDEATH"), json.dumps(death).encode(), retain=True)

    def _topic(self, kind: str) -> str:
        return f"{self._start}/{kind}/{self._node}"


def _level(name: str) -> str:
    """A name as one level of a topic."""
    return "".join("_" if one in "/+#" or ord(one) < 32 else one for one in name)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
