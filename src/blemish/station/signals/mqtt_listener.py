"""Messages of one topic of an MQTT broker, heard by a thread of their own; for triggers and metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError
from blemish.station.signals.mqtt_connection import tls_context
from blemish.station.signals.secret import read_secret
from blemish.station.signals.settings import MqttBroker

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_MOST_PAUSE = 30  # seconds between two tries to reach the broker


class MqttListener:
    """Listens to a topic, and connects again by itself whenever the broker has gone.

    Args:
        broker: which, and how.
        topic: to listen to; `+` and `#` as MQTT has them.
        heard: called with each message (paho's: topic, payload, retain), by the listener's thread.
        quality: of service, 0 to 2.

    Attributes:
        trouble: why nothing can be heard; None while all is well.

    Raises:
        UsageError: a secret or certificate that is named is not there.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(
        self, broker: MqttBroker, topic: str, heard: Callable[[Any], None], quality: int = 1
    ) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("MQTT", "station") from error
        self._broker, self._topic, self._heard, self._quality = broker, topic, heard, quality
        self._user = read_secret(broker.username_env, None, "user of the broker")
        self._password = read_secret(broker.password_env, broker.password_file, "password of the broker")
        self._tls = tls_context(broker) if broker.tls else None
        self._port = broker.port or (8883 if broker.tls else 1883)
        self.trouble: str | None = self._lost("not connected yet")
        self._client: Client | None = None

    def start(self) -> None:
        """Begin to listen; the broker need not be there yet."""
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        broker = self._broker
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id or "",
            protocol=MQTTv5 if broker.version == "5" else MQTTv311,
        )
        client.suppress_exceptions = True
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail, client.on_message = self._failed, self._came
        client.connect_timeout = broker.seconds
        client.reconnect_delay_set(1, _MOST_PAUSE)
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_async(broker.host, self._port, keepalive=broker.keep_alive)
        client.loop_start()
        self._client = client

    def stop(self) -> None:
        """Leave the broker."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    @property
    def _shown(self) -> str:
        return f"The MQTT broker {self._broker.host}:{self._port}"

    def _lost(self, reason: str) -> str:
        return f"{self._shown} is not there ({reason}): it is tried again by itself."

    def _connected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.trouble = (
                f"{self._shown} refuses ({str(reason).lower()}): check username_env and password_env or "
                "password_file."
            )
            return
        client.subscribe(self._topic, self._quality)
        self.trouble = None

    def _disconnected(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.trouble = self._lost(str(reason).lower())

    def _failed(self, client: Client, userdata: Any) -> None:
        self.trouble = self._lost("it does not answer")

    def _came(self, client: Client, userdata: Any, message: Any) -> None:
        self._heard(message)
