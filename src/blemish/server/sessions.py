"""Who has signed in at the page: a signed statement in a cookie, which outlives a restart of the server."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_SECONDS = 12 * 3600
"""How long a session lasts after its last use: a shift, and then some."""

LONGEST_SECONDS = 30 * 86400
"""How long one lasts at most, however it is used: then the key is shown again."""

RENEWED_SECONDS = 600
"""How old a statement is when a use of it makes a new one."""

_SALT = "blemish.session"
_RENEWED = "session_renewed"


@dataclass(frozen=True)
class Session:
    """What a cookie says: the name of the key that was shown, when (seconds since 1970), and the statement's age."""

    name: str
    begun: int
    age: float


class Sessions:
    """Makes the cookies of those who have signed in, and reads them.

    Args:
        secret: what they are signed with; all servers of one home have the same.
        prefix: path below which they are sent.

    Attributes:
        cookie: name of the cookie; servers with other homes, on other ports of one host, have others.
    """

    def __init__(self, secret: str, prefix: str = "") -> None:
        self._path = prefix or "/"
        self._serializer = URLSafeTimedSerializer(
            secret, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )
        self.cookie = f"blemish_{hashlib.sha256(f'cookie {secret}'.encode()).hexdigest()[:8]}"

    def of(self, connection: HTTPConnection) -> Session | None:
        """The session of a request; None where there is none, or it has ended."""
        try:
            said, signed = self._serializer.loads(
                connection.cookies.get(self.cookie, ""), max_age=SESSION_SECONDS, return_timestamp=True
            )
            session = Session(str(said["name"]), int(said["begun"]), time.time() - signed.timestamp())
        except (BadData, KeyError, TypeError, ValueError):
            return None
        return session if time.time() - session.begun <= LONGEST_SECONDS else None

    def begin(self, response: Response, name: str) -> None:
        """Let an answer sign somebody in who has shown the key `name`."""
        self._write(response, name, int(time.time()))

    def end(self, response: Response) -> None:
        """Let an answer sign out whoever gets it."""
        response.delete_cookie(self.cookie, path=self._path, httponly=True, samesite="lax")

    def renew(self, connection: HTTPConnection, session: Session) -> None:
        """Have the answer to a request prolong a session that is being used; `Renewal` does so."""
        if session.age >= RENEWED_SECONDS:
            renewed = Response()
            self._write(renewed, session.name, session.begun)
            connection.scope["state"][_RENEWED] = renewed.headers["set-cookie"]

    def _write(self, response: Response, name: str, begun: int) -> None:
        # Lax, not strict: whoever follows a colleague's link from a mail is to be known. What changes something is
        # taken from the server's own pages alone, see `from_own_page`. `Proxies` adds Secure behind https.
        statement = self._serializer.dumps({"name": name, "begun": begun})
        response.set_cookie(
            self.cookie, statement, max_age=SESSION_SECONDS, path=self._path, httponly=True, samesite="lax"
        )


class Renewal:
    """ASGI middleware that adds a renewed session's cookie to the answer, unless that sets another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and (cookie := state.get(_RENEWED)):
                headers = MutableHeaders(scope=message)
                name = cookie.partition("=")[0]
                if not any(one.startswith(f"{name}=") for one in headers.getlist("set-cookie")):
                    headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, sent)


def from_own_page(headers: Headers) -> bool:
    """Whether a browser says that a page of this very server sends this request.

    No page can write these headers. A request with neither is no browser's of today, and a cookie in it proves nothing.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return origin is not None and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False
