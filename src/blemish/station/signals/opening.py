"""From settings to sinks and gates; what a sink needs is imported only here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from blemish.core.errors import NotFoundError, UsageError
from blemish.station.home import Home
from blemish.station.signals.files import KeptPhotograph
from blemish.station.signals.gate import RejectGate
from blemish.station.signals.settings import (
    FilesSink,
    GateSettings,
    JsonLinesSink,
    ModbusGate,
    ModbusServerSink,
    ModbusSink,
    MqttGate,
    MqttSink,
    OpcUaSink,
    SinkSettings,
    WebhookSink,
)
from blemish.station.signals.sink import Sink
from blemish.station.sources.settings import FolderSource


def check_sinks(sinks: Sequence[SinkSettings], watched: Sequence[FolderSource] = ()) -> None:
    """Check what only shows in all sinks together, and with the folders that are watched.

    Args:
        sinks: of a station.
        watched: its sources that are folders.

    Raises:
        UsageError: two sinks have one name, would listen at one port or write one file; one would move away what
            another has still to copy; one would put photographs where they are taken for new ones.
    """
    for what, values in (
        ("the name", [sink.name for sink in sinks]),
        ("the file", [_place(sink.file) for sink in sinks if isinstance(sink, JsonLinesSink)]),
        ("the port", [f"{sink.port}" for sink in sinks if isinstance(sink, ModbusServerSink | OpcUaSink)]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                raise UsageError(f"{count} sinks have {what} {value}: give each its own.")
    files = [sink for sink in sinks if isinstance(sink, FilesSink)]
    for mover in (sink for sink in files if sink.action == "move"):
        _check_nobody_else_needs(mover, files)
    for sink in files:
        for source in watched:
            _check_goes_elsewhere(sink, source)


def _check_nobody_else_needs(mover: FilesSink, files: Sequence[FilesSink]) -> None:
    for other in files:
        shared = mover.verdicts is None or other.verdicts is None or set(mover.verdicts) & set(other.verdicts)
        if other is not mover and shared:
            raise UsageError(
                f"The sink {mover.name} moves photographs away that {other.name} needs, too: let both copy, or give "
                "them different verdicts."
            )


def _check_goes_elsewhere(sink: FilesSink, source: FolderSource) -> None:
    """A photograph that comes back is judged without end; what a source is told to ignore may lie below it."""
    folder, incoming = Path(_place(sink.folder)), Path(_place(source.path))
    straight = folder == incoming and "/" not in sink.template
    below = source.subfolders and not source.ignore and folder.is_relative_to(incoming)
    if straight or below:
        raise UsageError(
            f"The sink {sink.name} puts photographs into {folder}, where the source {source.name} takes them for new "
            "ones: name a folder elsewhere."
        )


def open_sink(
    settings: SinkSettings, home: Home, kept: KeptPhotograph | None = None, station: str | None = None
) -> Sink:
    """The sink of its settings; it connects only when it is opened by the dispatcher.

    Args:
        settings: of the sink.
        home: of the station.
        kept: where photographs are found that came from no file; among those that the home keeps if absent.
        station: what the sink calls the station; the home's own name if absent.

    Raises:
        UsageError: a secret, certificate or template cannot be used.
        MissingExtraError: the packages of the sink's kind are not installed.
    """
    if isinstance(settings, FilesSink):
        from blemish.station.signals.files import Files

        return Files(settings, kept or _kept_below(home.images))
    if isinstance(settings, JsonLinesSink):
        from blemish.station.signals.json_lines import JsonLines

        return JsonLines(settings)
    if isinstance(settings, WebhookSink):
        from blemish.station.signals.webhook import Webhook

        return Webhook(settings)
    if isinstance(settings, MqttSink):
        from blemish.station.signals.mqtt import Mqtt

        return Mqtt(settings, station or home.station)
    if isinstance(settings, OpcUaSink):
        from blemish.station.signals.opcua import OpcUa

        return OpcUa(settings, station or home.station)
    from blemish.station.signals.modbus import Modbus, ModbusClient

    if isinstance(settings, ModbusSink):
        return Modbus(settings, ModbusClient(settings))
    from blemish.station.signals.modbus_server import ModbusServer

    return Modbus(settings, ModbusServer(settings))


def open_gate(settings: GateSettings, home: Home, station: str | None = None) -> RejectGate:
    """The gate of its settings; it connects when it is started.

    Raises:
        UsageError: a secret or certificate cannot be used.
        MissingExtraError: the packages of the gate's kind are not installed.
    """
    from blemish.station.signals.gate_outputs import ModbusOutput, MqttOutput, OpcUaOutput

    if isinstance(settings, ModbusGate):
        return RejectGate(settings, ModbusOutput(settings))
    if isinstance(settings, MqttGate):
        return RejectGate(settings, MqttOutput(settings, station or home.station))
    return RejectGate(settings, OpcUaOutput(settings))


def _kept_below(folder: Path) -> KeptPhotograph:
    """Photographs in the home, by their digests, as `ImageStore` lays them down."""

    def read(digest: str, suffix: str | None) -> bytes:
        try:
            return (folder / digest[:2] / f"{digest}{suffix or ''}").read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"The photograph {digest[:12]} is not kept.") from error

    return read


def _place(path: Path) -> str:
    return str(Path(path).expanduser().resolve())
