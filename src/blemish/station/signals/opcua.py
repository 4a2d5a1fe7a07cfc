"""Verdicts in the node tree of an OPC UA server of the station's own, with an event for each."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.core.errors import MissingExtraError, UsageError
from blemish.core.types import Verdict
from blemish.station.signals.event_loop import EventLoopThread
from blemish.station.signals.quiet_libraries import quieten
from blemish.station.signals.secret import read_secret
from blemish.station.signals.settings import OpcUaSink
from blemish.station.signals.signal import VERDICT_CODES, Signal
from blemish.station.signals.sink import SinkError

if TYPE_CHECKING:
    from asyncua import Server, ua

NAMESPACE = "urn:blemish:station"
_START_SECONDS, _SECONDS = 60.0, 10.0

# Name of a variable, its type in `ua.VariantType`, and what it is of a signal.
_TEXTS = {
    "SerialNumber": "serial_number",
    "Batch": "batch",
    "Shift": "shift",
    "Camera": "camera",
    "DefectType": "type",
    "Reason": "reason",
    "FileName": "file_name",
}
_COUNTERS = {
    "Passed": Verdict.PASS,
    "Reviewed": Verdict.REVIEW,
    "Rejected": Verdict.REJECT,
    "NotJudged": Verdict.NOT_JUDGED,
}
_NUMBERS = {
    "VerdictCode": "UInt16",
    "Score": "Double",
    "Threshold": "Double",
    "PValue": "Double",
    "Version": "Int64",
    "InspectionId": "Int64",
    **dict.fromkeys(_COUNTERS, "UInt32"),
}
TYPES: dict[str, str] = {
    "Part": "String",
    "Verdict": "String",
    **dict.fromkeys(_TEXTS, "String"),
    **_NUMBERS,
    "Time": "DateTime",
    "Repeated": "Boolean",
    "SignalId": "String",  # the last that changes: who has seen it change may read the others
}
"""Variables of a part, in the order in which they are written."""


class OpcUa:
    """The sink; see `OpcUaSink` for its settings.

    Args:
        settings: where it listens, and for whom.
        station: the station's own name.

    Raises:
        UsageError: a secret that is named is not there.
        MissingExtraError: asyncua is not installed.
    """

    def __init__(self, settings: OpcUaSink, station: str) -> None:
        try:
            import asyncua  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("OPC UA", "station") from error
        quieten("asyncua")
        self.name = settings.name
        self._settings, self._station = settings, station
        self._user = read_secret(settings.username_env, None, f"user of {settings.name}")
        self._password = read_secret(
            settings.password_env, settings.password_file, f"password of {settings.name}"
        )
        self._loop: EventLoopThread | None = None
        self._tree: _Tree | None = None

    def open(self) -> None:
        """Listen; while it runs already, nothing: clients stay connected."""
        if self._tree is not None:
            return
        settings = self._settings
        self._check_free()
        self._loop = EventLoopThread("opcua-server")
        tree = _Tree(settings, self._station, self._user, self._password)
        try:
            self._loop.run(tree.start(), _START_SECONDS)
        except (OSError, TimeoutError) as error:
            self.close()
            raise self._taken() from error
        self._tree = tree

    def send(self, signals: Sequence[Signal]) -> None:
        """Write the variables of each part; subscribers are told by the server."""
        assert self._tree is not None
        for arrived, signal in enumerate(signals):
            self._run(self._tree.show(signal), arrived)

    def check(self) -> None:
        """Count `Alive` up."""
        assert self._tree is not None
        self._run(self._tree.beat(), 0)

    def close(self) -> None:
        """Listen no more."""
        if self._loop is None:
            return
        if self._tree is not None:
            with suppress(OSError, TimeoutError):
                self._loop.run(self._tree.stop(), _SECONDS)
        self._loop.close()
        self._loop = self._tree = None

    def _check_free(self) -> None:
        """Ask for the port first: to make the tree takes a second, and would be in vain at every new try."""
        kind = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        try:
            with socket.socket(kind) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server's own
                trial.bind((self._settings.host, self._settings.port))
        except OSError as error:
            raise self._taken() from error

    def _taken(self) -> SinkError:
        where = f"{self._settings.host}:{self._settings.port}"
        return SinkError(
            f"Nobody can listen at {where} for OPC UA: another program does, or it may not; name another port."
        )

    def _run(self, coroutine: Any, arrived: int) -> None:
        assert self._loop is not None
        try:
            self._loop.run(coroutine, _SECONDS)
        except TimeoutError as error:
            raise SinkError("The OPC UA server of the station does not answer.", arrived) from error


class _Tree:
    """The server and its nodes; all methods run in its loop."""

    def __init__(self, settings: OpcUaSink, station: str, user: str | None, password: str | None) -> None:
        self._settings, self._station = settings, station
        self._user, self._password = user, password
        self._nodes: dict[tuple[str, str], ua.NodeId] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._alive = 0

    async def start(self) -> None:
        from asyncua import Server

        settings = self._settings
        self._server = server = Server(
            user_manager=_Users(self._user, self._password) if self._user else None
        )
        await server.init()
        server.set_endpoint(f"opc.tcp://{settings.host}:{settings.port}/blemish")
        server.set_server_name("Blemish")
        await server.set_application_uri(f"{NAMESPACE}:{self._station}")
        await self._secure(server)
        self._space = await server.register_namespace(NAMESPACE)
        top = await server.nodes.objects.add_object(self._id("Blemish"), self._named("Blemish"))
        station = await self._add(top, "Blemish.Station", "Station", "String")
        self._beat_node = await self._add(top, "Blemish.Alive", "Alive", "UInt32")
        self._parts = await top.add_folder(self._id("Parts"), self._named("Parts"))
        await self._write(station, self._station, "String")
        self._events = await self._event_type(server) if settings.events else None
        await server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def beat(self) -> None:
        self._alive = (self._alive + 1) % 2**32
        await self._write(self._beat_node, self._alive, "UInt32")

    async def show(self, signal: Signal) -> None:
        part = signal.record.inspector
        if (part, "SignalId") not in self._nodes:
            folder = await self._parts.add_object(self._id(f"Parts.{part}"), self._named(part))
            for name, kind in TYPES.items():
                self._nodes[part, name] = await self._add(folder, f"Parts.{part}.{name}", name, kind)
        values = self._values(signal)
        for name, kind in TYPES.items():
            await self._write(self._nodes[part, name], values[name], kind, signal.record.time)
        if self._events is not None:
            await self._raise(values, signal)

    def _values(self, signal: Signal) -> dict[str, Any]:
        record = signal.record
        counter = next(name for name, verdict in _COUNTERS.items() if verdict is record.verdict)
        key = record.inspector, counter
        self._counts[key] = self._counts.get(key, 0) + 1
        return {
            "Part": record.inspector,
            "Verdict": str(record.verdict),
            "VerdictCode": VERDICT_CODES[record.verdict],
            "Score": float(record.score),
            "Threshold": float(record.threshold),
            "PValue": float(record.p_value),
            "Version": record.version,
            "InspectionId": record.id,
            "Time": record.time,
            "Repeated": signal.repeated,
            "SignalId": signal.id,
            **{name: getattr(record, field) or "" for name, field in _TEXTS.items()},
            **{name: self._counts.get((record.inspector, name), 0) for name in _COUNTERS},
        }

    async def _raise(self, values: dict[str, Any], signal: Signal) -> None:
        assert self._events is not None
        event = self._events.event
        event.Severity = 100 if signal.record.verdict is Verdict.PASS else 600
        for name in _EVENT_FIELDS:
            setattr(event, name, values[name])
        await self._events.trigger(signal.record.time, f"{values['Part']}: {values['Verdict']}")

    async def _event_type(self, server: Server) -> Any:
        from asyncua import ua

        fields = [(name, getattr(ua.VariantType, TYPES[name])) for name in _EVENT_FIELDS]
        kind = await server.create_custom_event_type(self._space, "VerdictEventType", properties=fields)
        return await server.get_event_generator(kind)

    async def _secure(self, server: Server) -> None:
        from asyncua import ua

        settings = self._settings
        if settings.certificate is None or settings.private_key is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
            server.set_identity_tokens([ua.AnonymousIdentityToken])
            return
        await server.load_certificate(_readable(settings.certificate))
        await server.load_private_key(_readable(settings.private_key))
        server.set_security_policy(
            [
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
            ]
        )
        token = ua.UserNameIdentityToken if self._user else ua.AnonymousIdentityToken
        server.set_identity_tokens([token])

    async def _add(self, parent: Any, identifier: str, name: str, kind: str) -> ua.NodeId:
        from asyncua import ua

        variant = getattr(ua.VariantType, kind)
        value = ua.get_default_value(variant)
        node = await parent.add_variable(self._id(identifier), self._named(name), value, variant)
        return node.nodeid

    async def _write(self, node: ua.NodeId, value: Any, kind: str, time: Any = None) -> None:
        from asyncua import ua

        variant = ua.Variant(value, getattr(ua.VariantType, kind))
        await self._server.write_attribute_value(node, ua.DataValue(variant, SourceTimestamp=time))

    def _id(self, identifier: str) -> ua.NodeId:
        from asyncua import ua

        return ua.NodeId(identifier, self._space)

    def _named(self, name: str) -> ua.QualifiedName:
        from asyncua import ua

        return ua.QualifiedName(name, self._space)


_EVENT_FIELDS = ("SignalId", "Part", "Verdict", "Score", "Threshold", "SerialNumber", "InspectionId")


class _Users:
    """Who may read: one name and password, compared in constant time."""

    def __init__(self, user: str, password: str | None) -> None:
        self._user, self._password = user, password or ""

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:
        """The user, or None for nobody."""
        import hmac

        from asyncua.crypto.permission_rules import User, UserRole

        given = (username or "").encode(), (password or "").encode()
        same = (
            hmac.compare_digest(given[0], self._user.encode()),
            hmac.compare_digest(given[1], self._password.encode()),
        )
        return User(role=UserRole.User, name=self._user) if all(same) else None


def _readable(path: Path) -> Path:
    path = path.expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"{path} cannot be read ({reason}): name a certificate and its key in DER or PEM."
        ) from error
    return path
