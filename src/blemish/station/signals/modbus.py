"""Verdicts as numbers in coils and holding registers, written into a PLC or held for PLCs to read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from blemish.core.errors import MissingExtraError
from blemish.core.types import Verdict
from blemish.station.signals.quiet_libraries import quieten
from blemish.station.signals.register_block import HEARTBEAT, block_of, sequence_of
from blemish.station.signals.settings import ModbusDevice, ModbusServerSink, ModbusSink
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import SinkError

_POLL_SECONDS = 0.01
_BEAT_SECONDS = 1.0


class RegisterDevice(Protocol):
    """Coils and holding registers, here or at a PLC; each method raises SinkError where they cannot be reached."""

    def open(self) -> None:
        """Connect."""

    def write_coil(self, address: int, value: bool) -> None:
        """Set a coil."""

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """Set registers that follow each other, all at once."""

    def read_register(self, address: int) -> int:
        """Value of a register."""

    def close(self) -> None:
        """Let go."""


class ModbusClient:
    """A device that is reached over Modbus/TCP; for the sink and the gate.

    Raises:
        MissingExtraError: pymodbus is not installed.
    """

    def __init__(self, device: ModbusDevice) -> None:
        try:
            from pymodbus.client import ModbusTcpClient
        except ModuleNotFoundError as error:
            raise MissingExtraError("Modbus", "station") from error
        quieten("pymodbus", "pymodbus.logging")
        self._unit = device.device_id
        self._shown = f"The Modbus device {device.host}:{device.port}"
        self._client = ModbusTcpClient(device.host, port=device.port, timeout=device.seconds, retries=0)

    def open(self) -> None:
        """Connect."""
        self.close()
        if not self._client.connect():
            raise SinkError(f"{self._shown} cannot be reached: check that it runs, and its address.")

    def write_coil(self, address: int, value: bool) -> None:
        """Set a coil, and wait for the answer."""
        self._ask("write_coil", f"coil {address}", address, value)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """Set registers in one request, and wait for the answer."""
        self._ask("write_registers", f"registers from {address}", address, list(values))

    def read_register(self, address: int) -> int:
        """Ask for a register's value."""
        return int(self._ask("read_holding_registers", f"register {address}", address).registers[0])

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, request: str, what: str, address: int, *values: object) -> Any:
        from pymodbus.exceptions import ModbusException

        try:
            answer = getattr(self._client, request)(address, *values, device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise SinkError(f"{self._shown} does not answer: check that it runs.") from error
        if answer.isError():
            code = getattr(answer, "exception_code", "unknown")
            raise SinkError(
                f"{self._shown} refuses {what} (exception {code}): check the address and the device's id."
            )
        return answer


class Modbus:
    """The sinks `modbus` and `modbus-server`; see `ModbusSink` and `ModbusServerSink` for their settings.

    Args:
        settings: which coil and registers.
        device: where they are.
    """

    def __init__(self, settings: ModbusSink | ModbusServerSink, device: RegisterDevice) -> None:
        self.name = settings.name
        self._settings, self._device = settings, device
        self._counts = dict.fromkeys(Verdict, 0)
        self._heartbeat = 0
        self._beaten = 0.0

    def open(self) -> None:
        """Connect, and show that the station lives."""
        self._device.open()
        self._beat()

    def send(self, signals: Sequence[Signal]) -> None:
        """Write one verdict after another, each as soon as the one before has been read where that is told."""
        for arrived, signal in enumerate(signals):
            try:
                self._write(signal)
            except SinkError as error:
                raise SinkError(str(error), arrived) from error

    def check(self) -> None:
        """Show that the station lives."""
        self._beat()

    def close(self) -> None:
        """Disconnect: the heartbeat stands still from now on."""
        self._device.close()

    def _write(self, signal: Signal) -> None:
        settings, verdict = self._settings, signal.record.verdict
        counts = self._counts | {verdict: self._counts[verdict] + 1}
        if settings.coil is not None:
            self._device.write_coil(settings.coil, verdict is Verdict.REJECT)
        if settings.registers is not None:
            self._heartbeat += 1
            block = block_of(signal, self._heartbeat, counts, settings.words)
            self._device.write_registers(settings.registers, block)
            self._beaten = time.monotonic()
        if settings.acknowledge is not None:
            self._wait_for(sequence_of(signal), settings.acknowledge)
        self._counts = counts

    def _wait_for(self, sequence: int, address: int) -> None:
        until = time.monotonic() + self._settings.acknowledge_seconds
        while self._device.read_register(address) != sequence:
            if time.monotonic() > until:
                raise SinkError(
                    f"Nobody has written {sequence} into register {address} within "
                    f"{self._settings.acknowledge_seconds:g} seconds: check the program of the PLC for {self.name}."
                )
            if time.monotonic() - self._beaten > _BEAT_SECONDS:
                self._beat()
            time.sleep(_POLL_SECONDS)

    def _beat(self) -> None:
        """Count the heartbeat up."""
        if self._settings.registers is not None:
            self._heartbeat += 1
            self._device.write_registers(self._settings.registers + HEARTBEAT, [self._heartbeat % 65536])
        self._beaten = time.monotonic()
