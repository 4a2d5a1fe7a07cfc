"""What can be said of sinks and of the reject gate in a station's configuration; light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.core.types import Verdict
from blemish.station.records import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=600)]
Address = Annotated[int, Field(ge=0, le=65535)]
Level = Annotated[str, Field(pattern=r"^[^/+#\x00-\x1f]{1,80}$")]
Topic = Annotated[str, Field(pattern=r"^[^+#\x00-\x1f]{1,400}$")]
VerdictName = Literal["pass", "review", "reject", "not judged"]


class Settings(BaseModel):
    """Values of one table of the configuration; a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SinkBase(Settings):
    """What every sink has: its name, and which verdicts it is told of; all of them when `verdicts` is absent."""

    name: Name
    verdicts: tuple[VerdictName, ...] | None = None

    def wants(self, verdict: Verdict) -> bool:
        """Whether the sink is told of a verdict."""
        return self.verdicts is None or str(verdict) in self.verdicts


class FilesSink(SinkBase):
    """Photographs in a folder for each verdict.

    Attributes:
        folder: that they are put below.
        action: "copy" leaves the file where it came from, "move" does not.
        template: place below the folder; fields in braces are named in docs/signals.md.
    """

    kind: Literal["files"] = "files"
    folder: Path
    action: Literal["copy", "move"] = "copy"
    template: Annotated[str, Field(min_length=1, max_length=400)] = "{verdict}/{file_name}"


class JsonLinesSink(SinkBase):
    """Documents one a line in a file, which is begun anew when it is large enough or the day (UTC) is over.

    Attributes:
        file: that is appended to.
        megabytes: a file takes at most; 0 for no limit.
        daily: whether each day has a file of its own.
        keep: full files that stay, the oldest go first; 0 for all.
    """

    kind: Literal["json-lines"] = "json-lines"
    file: Path
    megabytes: Annotated[float, Field(ge=0)] = 64.0
    daily: bool = True
    keep: Annotated[int, Field(ge=0)] = 60


class WebhookSink(SinkBase):
    """Documents sent by POST, one a request, signed where a secret is named.

    Attributes:
        url: of the receiver.
        secret_env, secret_file: where the key of the signature is.
        authorization_env, authorization_file: where the value of the header Authorization is.
        ca_file: certificates that the receiver's is checked with, instead of the system's.
        seconds: that connecting, and each step of the answer, may take.
    """

    kind: Literal["webhook"] = "webhook"
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000)]
    secret_env: str | None = None
    secret_file: Path | None = None
    authorization_env: str | None = None
    authorization_file: Path | None = None
    ca_file: Path | None = None
    seconds: Seconds = 10.0


class MqttBroker(Settings):
    """A broker, and how it is spoken to.

    Attributes:
        host, port: of the broker; 1883, or 8883 with TLS, if no port is given.
        version: of MQTT: "5" also learns why a message was refused.
        client_id: made of the station's and the sink's name if absent.
        tls: whether the connection is encrypted.
        ca_file: certificates that the broker's is checked with, instead of the system's.
        certificate, private_key: of this client, where the broker asks for them.
        username_env, password_env, password_file: where user and password are.
        seconds: that connecting and each acknowledgement may take.
        keep_alive: seconds of silence after which the broker takes the station for dead, and half as many more.
    """

    host: str = "127.0.0.1"
    port: Port | None = None
    version: Literal["5", "3.1.1"] = "5"
    client_id: Annotated[str, Field(max_length=200)] | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    username_env: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    seconds: Seconds = 10.0
    keep_alive: Annotated[int, Field(ge=1, le=3600)] = 15


class MqttSink(SinkBase, MqttBroker):
    """Documents as MQTT messages, in topics like Sparkplug's: `PREFIX/GROUP/DDATA/NODE/PART`.

    Attributes:
        prefix, group, node: of the topics; the node is the sink's station if absent.
    """

    kind: Literal["mqtt"] = "mqtt"
    prefix: Topic = "blemish/v1"
    group: Level = "line"
    node: Level | None = None


class ModbusDevice(Settings):
    """A device that is written to as a client.

    Attributes:
        host, port, device_id: of the device.
        seconds: that connecting and each answer may take.
    """

    host: str
    port: Port = 502
    device_id: Annotated[int, Field(ge=0, le=255)] = 1
    seconds: Seconds = 3.0


class Registers(Settings):
    """Where verdicts stand as numbers; docs/signals.md has the table.

    Attributes:
        coil: address of the coil that is on after a reject.
        registers: address of the first of 16 holding registers.
        words: order of the two registers of a long number: the high or the low word first.
        acknowledge: address of the register into which the reader writes the sequence number that it has read; the next
            verdict is written after that. Verdicts are overwritten as they come if absent.
        acknowledge_seconds: after which a reader that does not is at fault.
    """

    coil: Address | None = None
    registers: Annotated[int, Field(ge=0, le=65535 - 16)] | None = 0
    words: Literal["big", "little"] = "big"
    acknowledge: Address | None = None
    acknowledge_seconds: Seconds = 5.0

    @model_validator(mode="after")
    def _check(self) -> Registers:
        if self.coil is None and self.registers is None:
            raise ValueError("name a coil, or the first of the registers")
        if self.acknowledge is not None:
            if self.registers is None:
                raise ValueError("acknowledge needs registers: the sequence number stands there")
            if self.registers <= self.acknowledge < self.registers + 16:
                raise ValueError("acknowledge must lie outside the 16 registers")
        return self


class ModbusSink(SinkBase, ModbusDevice, Registers):
    """Verdicts written into a PLC's coil or holding registers."""

    kind: Literal["modbus"] = "modbus"


class ModbusServerSink(SinkBase, Registers):
    """Verdicts in coil and registers of a Modbus/TCP server of the station's own, which PLCs read.

    Attributes:
        host, port: where it listens; others than this machine reach it only if a host is given.
    """

    kind: Literal["modbus-server"] = "modbus-server"
    host: str = "127.0.0.1"
    port: Port = 5020


class OpcUaSink(SinkBase):
    """Verdicts in the node tree of an OPC UA server of the station's own.

    Attributes:
        host, port: where it listens; others than this machine reach it only if a host is given.
        certificate, private_key: of the server, in DER or PEM; with them only encrypted connections are taken.
        username_env, password_env, password_file: where the user's name and password are; anybody may read without.
        events: whether an event is raised for each verdict.
    """

    kind: Literal["opcua"] = "opcua"
    host: str = "127.0.0.1"
    port: Port = 4840
    certificate: Path | None = None
    private_key: Path | None = None
    username_env: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    events: bool = True

    @model_validator(mode="after")
    def _check(self) -> OpcUaSink:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key belong together: name both or none")
        if self.username_env is not None and self.certificate is None:
            raise ValueError(
                "a password needs an encrypted connection: name certificate and private_key, too"
            )
        return self


SinkSettings = Annotated[
    FilesSink | JsonLinesSink | WebhookSink | MqttSink | ModbusSink | ModbusServerSink | OpcUaSink,
    Field(discriminator="kind"),
]

Position = Literal["pass", "reject", "hold"]
"""Where a gate stands: the part goes on, is put aside, or the line waits."""


class GateBase(Settings):
    """What every reject gate has.

    Attributes:
        deadline_ms: after the photograph was complete by which the gate stands for its part.
        safe: where it stands without a verdict in time, and when the station is not running.
        review, not_judged: where it stands after these verdicts.
        act: "at-once" moves it as soon as the verdict is known, "at-deadline" at each part's deadline exactly, where
            several parts are between camera and gate.
        open_ms: that the gate stays open without a new movement, then it goes back to `safe`: where no photographs come
            any more, parts come all the same. 0 for until the next part.
        heartbeat_seconds: between signs of life.
    """

    deadline_ms: Annotated[float, Field(gt=0, le=600_000)] = 500.0
    safe: Literal["reject", "hold"] = "reject"
    review: Position = "reject"
    not_judged: Position = "reject"
    act: Literal["at-once", "at-deadline"] = "at-once"
    open_ms: Annotated[float, Field(ge=0, le=3_600_000)] = 10_000.0
    heartbeat_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0

    def position(self, verdict: Verdict | None) -> Position:
        """Where the gate stands for a verdict; None is a photograph that cannot be judged."""
        if verdict is None:
            return self.safe
        if verdict is Verdict.PASS:
            return "pass"
        if verdict is Verdict.REVIEW:
            return self.review
        return self.not_judged if verdict is Verdict.NOT_JUDGED else "reject"


class ModbusGate(GateBase, ModbusDevice):
    """A gate behind coils of a Modbus device.

    Attributes:
        reject_coil: on while parts are put aside.
        hold_coil: on while the line waits.
        heartbeat_register: holding register that counts up; a device that sees it stand still goes to its safe state.
    """

    kind: Literal["modbus"] = "modbus"
    seconds: Seconds = 0.5
    reject_coil: Address
    hold_coil: Address | None = None
    heartbeat_register: Address | None = None


class MqttGate(GateBase, MqttBroker):
    """A gate that listens to a topic; the last will of the connection is the safe state."""

    kind: Literal["mqtt"] = "mqtt"
    seconds: Seconds = 0.5
    topic: Topic = "blemish/v1/line/gate"


class OpcUaGate(GateBase):
    """A gate behind a variable of an OPC UA server.

    Attributes:
        url: of the server, `opc.tcp://host:port`.
        node: id of the variable that is written: text gets the position, a boolean whether to reject, a number 1, 3 or
            5 for pass, reject or hold.
        heartbeat_node: id of an unsigned 32-bit variable that counts up.
        username_env, password_env, password_file: where user and password are.
        security: as asyncua writes it, `Basic256Sha256,SignAndEncrypt,certificate.der,key.pem`.
        seconds: that connecting and each answer may take.
    """

    kind: Literal["opcua"] = "opcua"
    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^\s@]+$", max_length=500)]
    node: Annotated[str, Field(max_length=300)]
    heartbeat_node: Annotated[str, Field(max_length=300)] | None = None
    username_env: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    security: str | None = None
    seconds: Seconds = 0.5


GateSettings = Annotated[ModbusGate | MqttGate | OpcUaGate, Field(discriminator="kind")]
