"""A request as its sender sees it, though a reverse proxy stands between: address, host, https, prefix.

What a proxy says is believed from the trusted ones alone, and nobody's word reaches what lies behind: Gradio would
believe anyone. X-Forwarded-* comes first, then Forwarded, https://www.rfc-editor.org/rfc/rfc7239.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blemish.server.settings import ServerSettings

_DROPPED = frozenset(
    {b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix", b"x-gradio-server"}
)
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PAIR = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^;,\s]*)', re.IGNORECASE)
_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')


@dataclass(frozen=True)
class _Said:
    """What a trusted proxy says: who called it, nearest last, and at which host by which scheme."""

    callers: tuple[str, ...] = ()
    host: str = ""
    scheme: str = ""


class Proxies:
    """ASGI middleware around everything: behind it the request is as the sender has made it.

    Host, scheme and client are what the sender sees, `root_path` is the prefix, and `path` begins with it, whether or
    not the proxy has stripped it. Cookies stay below the prefix, and behind https they are secure.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings
        self._trusted = settings.trusted_networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        prefix, path = self._settings.prefix, scope["path"]
        if prefix and path == prefix and scope["type"] == "http":
            query = scope.get("query_string", b"").decode("latin-1")
            address = f"{prefix}/?{query}" if query else f"{prefix}/"
            await RedirectResponse(address, 307)(scope, receive, send)
            return
        seen = self._seen(scope)
        if prefix and not path.startswith(f"{prefix}/"):
            seen["path"] = prefix + path
            seen["raw_path"] = prefix.encode() + scope.get("raw_path", path.encode())
        seen["root_path"] = prefix
        secure = seen["scheme"] in ("https", "wss")

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _cookie(value, prefix, secure) if name.lower() == b"set-cookie" else value)
                    for name, value in message.get("headers", ())
                ]
            await send(message)

        await self._app(seen, receive, sent)

    def _seen(self, scope: Scope) -> Scope:
        """The scope with host, scheme and client as the sender sees them."""
        headers = Headers(scope=scope)
        host, scheme, client = headers.get("host", ""), scope["scheme"], scope.get("client")
        said = _said(headers) if client and self._trusts(client[0]) else _Said()
        direct = headers.get("origin") == f"{scheme}://{host}"
        if self._settings.public_url and not said.host and not direct:
            scheme, host = self._settings.public_origin
        scheme, host = said.scheme or scheme, said.host or host
        if scope["type"] == "websocket":
            scheme = scheme.replace("http", "ws")
        kept = [(name, value) for name, value in scope["headers"] if name.lower() not in _DROPPED]
        if host:
            kept.append((b"host", host.encode("latin-1")))
        client = (self._caller(said.callers), 0) if said.callers else client
        return {**scope, "headers": kept, "scheme": scheme, "client": client}

    def _caller(self, callers: tuple[str, ...]) -> str:
        """The nearest caller that is no trusted proxy; what a stranger has written lies beyond."""
        for caller in reversed(callers):
            if not self._trusts(caller):
                return caller
        return callers[0]

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._trusted)


def route_path(scope: Scope) -> str:
    """The path of a request without the prefix."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _said(headers: Headers) -> _Said:
    """What a proxy says of a request; of several values the nearest proxy's is the last."""
    fields = {name: _listed(headers, f"x-forwarded-{name}") for name in ("for", "host", "proto")}
    if not any(fields.values()):
        elements = [_pairs(one) for one in _ELEMENT.findall(",".join(headers.getlist("forwarded")))]
        fields = {name: [pairs[name] for pairs in elements if name in pairs] for name in fields}
    host = fields["host"][-1] if fields["host"] else ""
    scheme = fields["proto"][-1].lower() if fields["proto"] else ""
    return _Said(
        tuple(map(_address, fields["for"])),
        host if _HOST.fullmatch(host) else "",
        scheme.replace("ws", "http") if scheme in ("http", "https", "ws", "wss") else "",
    )


def _listed(headers: Headers, name: str) -> list[str]:
    return [one.strip() for one in ",".join(headers.getlist(name)).split(",") if one.strip()]


def _pairs(element: str) -> dict[str, str]:
    return {name.lower(): value.strip('"') for name, value in _PAIR.findall(element)}


def _address(node: str) -> str:
    """An address without its port, fit for a log."""
    if node.startswith("["):
        node = node[1:].partition("]")[0]
    elif node.count(":") == 1:
        node = node.partition(":")[0]
    return ascii(node)[1:-1][:60]


def _cookie(value: bytes, prefix: str, secure: bool) -> bytes:
    """A Set-Cookie that stays below the prefix and, behind https, on https."""
    parts = [part.strip() for part in value.decode("latin-1").split(";")]
    given = [part for part in parts[1:] if part.lower() not in ("path=/", "samesite=none")]
    path = next((part for part in given if part.lower().startswith("path=")), None)
    given += [] if path else [f"Path={prefix or '/'}"]
    given += [] if any(part.lower().startswith("samesite=") for part in given) else ["SameSite=lax"]
    given += ["Secure"] if secure and not any(part.lower() == "secure" for part in given) else []
    return "; ".join([parts[0], *given]).encode("latin-1")
