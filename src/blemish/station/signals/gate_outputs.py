"""What moves a reject gate: a Modbus coil, an MQTT message, or a variable of an OPC UA server."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from blemish.core.errors import MissingExtraError
from blemish.station.signals.event_loop import EventLoopThread
from blemish.station.signals.modbus import ModbusClient
from blemish.station.signals.mqtt_connection import Message, MqttConnection
from blemish.station.signals.quiet_libraries import quieten
from blemish.station.signals.secret import read_secret
from blemish.station.signals.settings import ModbusGate, MqttGate, OpcUaGate, Position
from blemish.station.signals.sink import SinkError

POSITION_CODES: dict[Position, int] = {"pass": 1, "reject": 3, "hold": 5}
"""Positions for those who read numbers; 1 and 3 as the verdicts."""


class ModbusOutput:
    """Coils of a Modbus device, and a register that counts up."""

    def __init__(self, settings: ModbusGate) -> None:
        self._settings = settings
        self._device = ModbusClient(settings)
        self._heartbeat = 0

    def open(self, safe: Position) -> None:
        """Connect."""
        self._device.open()

    def move(self, position: Position, arrival_id: str | None) -> None:
        """Set the coils: first the one that makes it safer, so that nothing slips through in between."""
        coils = [
            (
                self._settings.reject_coil,
                position != "pass" if self._holds_by_reject else position == "reject",
            )
        ]
        if self._settings.hold_coil is not None:
            coils.append((self._settings.hold_coil, position == "hold"))
        for address, value in sorted(coils, key=lambda coil: not coil[1]):
            self._device.write_coil(address, value)

    def beat(self) -> None:
        """Count the register up; without one ask nothing of the device but the connection."""
        self._heartbeat = (self._heartbeat + 1) % 65536
        if self._settings.heartbeat_register is not None:
            self._device.write_registers(self._settings.heartbeat_register, [self._heartbeat])

    def close(self) -> None:
        """Disconnect."""
        self._device.close()

    @property
    def _holds_by_reject(self) -> bool:
        return self._settings.hold_coil is None


class MqttOutput:
    """A topic with a retained message; the connection's last will is the safe state."""

    def __init__(self, settings: MqttGate, station: str) -> None:
        self._settings = settings
        self._connection = MqttConnection(settings, f"blemish-{station[-12:]}-gate")

    def open(self, safe: Position) -> None:
        """Connect, with the last will."""
        self._connection.open(self._message(safe, None, "lost"))

    def move(self, position: Position, arrival_id: str | None) -> None:
        """Publish where the gate stands, and wait for the broker."""
        self._connection.publish([self._message(position, arrival_id, "running")])

    def beat(self) -> None:
        """Notice a lost connection; life is shown by the protocol itself."""
        self._connection.check()

    def close(self) -> None:
        """Disconnect without a goodbye: the last will is the safe state, and cannot be too much."""
        self._connection.abandon()

    def _message(self, position: Position, arrival_id: str | None, station: str) -> Message:
        document = {
            "position": position,
            "position_code": POSITION_CODES[position],
            "part": arrival_id,
            "station": station,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        return Message(self._settings.topic, json.dumps(document).encode(), retain=True)


class OpcUaOutput:
    """A variable of an OPC UA server, written as its client."""

    def __init__(self, settings: OpcUaGate) -> None:
        try:
            import asyncua  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("OPC UA", "station") from error
        quieten("asyncua")
        self._settings = settings
        self._user = read_secret(settings.username_env, None, "user of the gate")
        self._password = read_secret(settings.password_env, settings.password_file, "password of the gate")
        self._loop: EventLoopThread | None = None
        self._client: Any = None
        self._kind: Any = None
        self._heartbeat = 0

    def open(self, safe: Position) -> None:
        """Connect, and read what kind of variable it is."""
        self.close()
        self._loop = EventLoopThread("gate-opcua")
        self._run(self._connect(), 4 * self._settings.seconds + 2.0)

    def move(self, position: Position, arrival_id: str | None) -> None:
        """Write the variable."""
        self._run(self._write(self._settings.node, self._value(position), self._kind), self._settings.seconds)

    def beat(self) -> None:
        """Count the heartbeat's variable up, or read the gate's to notice a lost connection."""
        from asyncua import ua

        self._heartbeat = (self._heartbeat + 1) % 2**32
        if self._settings.heartbeat_node is not None:
            beat = self._write(self._settings.heartbeat_node, self._heartbeat, ua.VariantType.UInt32)
        else:
            beat = self._client.get_node(self._settings.node).read_value()
        self._run(beat, self._settings.seconds)

    def close(self) -> None:
        """Disconnect."""
        if self._loop is None:
            return
        if self._client is not None:
            with suppress(Exception):  # whatever a broken connection says at its end
                self._loop.run(self._client.disconnect(), self._settings.seconds)
        self._loop.close()
        self._loop = self._client = None

    async def _connect(self) -> None:
        from asyncua import Client

        client = Client(self._settings.url, timeout=self._settings.seconds)
        if self._user is not None:
            client.set_user(self._user)
            client.set_password(self._password or "")
        if self._settings.security is not None:
            await client.set_security_string(self._settings.security)
        await client.connect()
        self._client = client
        self._kind = await client.get_node(self._settings.node).read_data_type_as_variant_type()

    async def _write(self, node: str, value: Any, kind: Any) -> None:
        from asyncua import ua

        # Without time stamps: many servers refuse those of clients.
        await self._client.get_node(node).write_attribute(
            ua.AttributeIds.Value, ua.DataValue(ua.Variant(value, kind))
        )

    def _value(self, position: Position) -> str | bool | int:
        from asyncua import ua

        if self._kind == ua.VariantType.Boolean:
            return position != "pass"
        return position if self._kind == ua.VariantType.String else POSITION_CODES[position]

    def _run(self, coroutine: Any, seconds: float) -> None:
        from asyncua import ua

        if self._loop is None:
            coroutine.close()
            raise SinkError("The OPC UA server of the gate is not connected.")
        url = self._settings.url
        try:
            self._loop.run(coroutine, seconds)
        except (OSError, TimeoutError) as error:
            raise SinkError(f"{url} does not answer: check that it runs.") from error
        except ua.UaError as error:
            raise SinkError(
                f"{url} refuses ({type(error).__name__}): check the node's id and the user's rights."
            ) from error
