"""Coils and holding registers of a Modbus/TCP server of the station's own, which PLCs read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError
from blemish.station.signals.event_loop import EventLoopThread
from blemish.station.signals.quiet_libraries import quieten
from blemish.station.signals.register_block import BLOCK_LENGTH
from blemish.station.signals.settings import ModbusServerSink
from blemish.station.signals.sink import SinkError

if TYPE_CHECKING:
    from pymodbus.server import ModbusTcpServer

_SECONDS = 5.0
_READ_REGISTERS, _WRITE_COILS, _WRITE_REGISTERS = 3, 15, 16


class ModbusServer:
    """The server; it listens from `open` to `close`, and lets clients write nothing but the acknowledgement.

    Raises:
        MissingExtraError: pymodbus is not installed.
    """

    def __init__(self, settings: ModbusServerSink) -> None:
        try:
            import pymodbus.server  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("Modbus", "station") from error
        quieten("pymodbus", "pymodbus.logging")
        self._settings = settings
        self._loop: EventLoopThread | None = None
        self._server: ModbusTcpServer | None = None
        self._own = False  # whether it is the station that writes

    def open(self) -> None:
        """Listen; what stood in the registers before stays in there."""
        if self._server is not None:
            return
        self._loop = EventLoopThread("modbus-server")
        try:
            self._server = self._loop.run(self._serve(), _SECONDS)
        except (OSError, RuntimeError, TimeoutError) as error:
            self.close()
            host, port = self._settings.host, self._settings.port
            raise SinkError(
                f"Nobody can listen at {host}:{port} for Modbus: another program does, or it may not; name "
                "another port."
            ) from error

    def write_coil(self, address: int, value: bool) -> None:
        """Set a coil."""
        self._run(self._set(_WRITE_COILS, address, [value]))

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """Set registers, all at once for whoever reads."""
        self._run(self._set(_WRITE_REGISTERS, address, list(values)))

    def read_register(self, address: int) -> int:
        """Value of a register."""
        return int(self._run(self._get(address)))

    def close(self) -> None:
        """Listen no more."""
        if self._loop is None:
            return
        if self._server is not None:
            with suppress(TimeoutError):
                self._loop.run(self._server.shutdown(), _SECONDS)
        self._loop.close()
        self._loop = self._server = None

    async def _serve(self) -> ModbusTcpServer:
        from pymodbus.server import ModbusTcpServer

        server = ModbusTcpServer(self._device(), address=(self._settings.host, self._settings.port))
        await server.serve_forever(background=True)
        return server

    def _device(self) -> Any:
        from pymodbus.simulator import DataType, SimData, SimDevice

        settings = self._settings
        registers = []
        if settings.registers is not None:
            registers.append(SimData(settings.registers, count=BLOCK_LENGTH, datatype=DataType.REGISTERS))
        if settings.acknowledge is not None:
            registers.append(SimData(settings.acknowledge, datatype=DataType.REGISTERS))
        registers.sort(key=lambda data: data.address)
        nothing = [SimData(0, datatype=DataType.REGISTERS)]
        coils = [SimData(settings.coil or 0, datatype=DataType.BITS, values=[False])]
        none = [SimData(0, datatype=DataType.BITS, values=[False])]
        # Device 0 stands for all: a PLC may ask for any number.
        return SimDevice(id=0, simdata=(coils, none, registers or nothing, nothing), action=self._on_access)

    async def _on_access(
        self, code: int, start: int, address: int, count: int, registers: list[int], values: Any
    ) -> Any:
        from pymodbus.constants import ExcCodes

        if values is None or self._own:
            return None
        if code in (6, _WRITE_REGISTERS) and count == 1 and address == self._settings.acknowledge:
            return None
        return ExcCodes.ILLEGAL_ADDRESS

    async def _set(self, code: int, address: int, values: list[Any]) -> None:
        assert self._server is not None
        self._own = True  # nothing waits in between, so no client's request comes in
        try:
            await self._server.async_setValues(0, code, address, values)
        finally:
            self._own = False

    async def _get(self, address: int) -> int:
        assert self._server is not None
        return int((await self._server.async_getValues(0, _READ_REGISTERS, address))[0])

    def _run(self, coroutine: Any) -> Any:
        if self._loop is None:
            coroutine.close()
            raise SinkError("The Modbus server is not running.")
        try:
            return self._loop.run(coroutine, _SECONDS)
        except (TimeoutError, asyncio.CancelledError, TypeError) as error:
            raise SinkError("The Modbus server of the station does not answer.") from error
