"""A connection to an MQTT broker on which every message waits for its acknowledgement; for the sink and the gate."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError, UsageError
from blemish.station.signals.secret import read_secret
from blemish.station.signals.settings import MqttBroker
from blemish.station.signals.sink import SinkError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

# Reasons of MQTT 5 that a broker gives for what a message is: topic, size, form. All others are about the connection.
_REFUSED_FOR_GOOD = frozenset({0x90, 0x95, 0x99})


@dataclass(frozen=True)
class Message:
    """Something to publish, at least once."""

    topic: str
    payload: bytes
    retain: bool = False


class MqttConnection:
    """One connection after another to a broker; all methods are called by one thread.

    Args:
        broker: which, and how.
        client_id: where the settings name none.

    Raises:
        UsageError: a secret or certificate that is named is not there.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, broker: MqttBroker, client_id: str) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("MQTT", "station") from error
        self._broker = broker
        self._client_id = broker.client_id or client_id
        self._user = read_secret(broker.username_env, None, "user of the broker")
        self._password = read_secret(broker.password_env, broker.password_file, "password of the broker")
        self._tls = tls_context(broker) if broker.tls else None
        self._port = broker.port or (8883 if broker.tls else 1883)
        self.shown = f"The broker {broker.host}:{self._port}"
        self._client: Client | None = None
        self._answered = threading.Condition()
        self._connected: str | None = None  # "" when it is, else why not
        self._reasons: dict[int, int] = {}

    @property
    def is_open(self) -> bool:
        """Whether the broker has accepted the connection and not lost it since."""
        return self._client is not None and self._connected == ""

    def open(self, will: Message) -> None:
        """Connect; the broker publishes `will` when the connection ends without `close`.

        Raises:
            SinkError: the broker cannot be reached, or refuses.
        """
        self.abandon()
        client = self._client = self._new_client()
        client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._connected = None
        try:
            client.connect(
                self._broker.host, self._port, keepalive=self._broker.keep_alive, **self._clean_start()
            )
        except (OSError, ValueError) as error:
            self.abandon()
            raise SinkError(
                f"{self.shown} cannot be reached ({_reason(error)}): check that it runs."
            ) from error
        client.loop_start()
        with self._answered:
            self._answered.wait_for(lambda: self._connected is not None, self._broker.seconds)
        if self._connected != "":
            reason = self._connected or f"no answer within {self._broker.seconds:g} seconds"
            self.abandon()
            raise SinkError(
                f"{self.shown} does not accept the station ({reason}): check user, password and its log."
            )

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order, and return once the broker has acknowledged all.

        Raises:
            SinkError: it has not; `arrived` counts from the first message on.
        """
        self.check()
        client = self._client
        assert client is not None
        with self._answered:
            self._reasons.clear()
        numbers = []
        for message in messages:
            numbers.append(client.publish(message.topic, message.payload, qos=1, retain=message.retain).mid)
        until = time.monotonic() + self._broker.seconds
        for arrived, number in enumerate(numbers):
            with self._answered:
                self._answered.wait_for(
                    lambda number=number: number in self._reasons or self._connected != "",  # type: ignore[misc]
                    max(0.0, until - time.monotonic()),
                )
                reason = self._reasons.get(number)
            if reason is None:
                lost = self._connected != ""
                what = (
                    "has closed the connection"
                    if lost
                    else f"did not acknowledge within {self._broker.seconds:g} s"
                )
                raise SinkError(f"{self.shown} {what}: check that it runs.", arrived)
            if reason >= 0x80:
                for_good = reason in _REFUSED_FOR_GOOD
                sentence = f"{self.shown} refuses a message to {messages[arrived].topic} ({_name(reason)})"
                raise SinkError(f"{sentence}: check its access list and limits.", arrived, for_good)
            until = time.monotonic() + self._broker.seconds  # a slow broker is no silent one

    def check(self) -> None:
        """Notice a lost connection.

        Raises:
            SinkError: it is lost.
        """
        if not self.is_open:
            raise SinkError(f"{self.shown} has closed the connection: check that it runs.")

    def close(self) -> None:
        """Say goodbye, so that the last will is not published."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def abandon(self) -> None:
        """End the connection without a goodbye, so that the last will is published."""
        client, self._client = self._client, None
        if client is None:
            return
        if (socket := client.socket()) is not None:
            _shut(socket)
        client.loop_stop()

    def _new_client(self) -> Client:
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTv5 if self._broker.version == "5" else MQTTv311,
            reconnect_on_failure=False,  # the dispatcher's business: each connection has a birth and a will of its own
        )
        client.connect_timeout = self._broker.seconds
        # Its own log holds payloads; only what goes wrong is said, by us.
        client.suppress_exceptions = True
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._told(
            lambda flags, reason: "" if not reason.is_failure else str(reason).lower()
        )
        client.on_disconnect = self._told(lambda flags, reason: f"connection lost, {reason}".lower())
        client.on_publish = self._on_publish
        return client

    def _told(self, said: Callable[[Any, Any], str]) -> Callable[..., None]:
        """A callback of paho that keeps what it is told of the connection, as long as it is of the latest client."""

        def callback(client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
            with self._answered:
                if client is self._client:
                    self._connected = said(flags, reason)
                    self._answered.notify_all()

        return callback

    def _on_publish(self, client: Any, userdata: Any, number: int, reason: Any, properties: Any) -> None:
        with self._answered:
            self._reasons[number] = reason.value
            self._answered.notify_all()

    def _clean_start(self) -> dict[str, Any]:
        # What is not acknowledged is published again from the outbox, so the broker need not remember anything.
        return {"clean_start": True} if self._broker.version == "5" else {}


def _shut(socket: Any) -> None:
    import contextlib
    import socket as sockets

    with contextlib.suppress(OSError):
        socket.shutdown(sockets.SHUT_RDWR)


def tls_context(broker: MqttBroker) -> ssl.SSLContext:
    """How the connection to a broker is encrypted.

    Raises:
        UsageError: a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=None if broker.ca_file is None else str(broker.ca_file))
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.private_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError("A certificate or key of the broker's cannot be read: name PEM files.") from error
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"its certificate or ours is not accepted, {error.reason or 'TLS'}".lower()
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _name(reason: int) -> str:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=reason)).lower()
    except (KeyError, ValueError):
        return f"reason {reason}"
