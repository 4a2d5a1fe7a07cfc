"""Who is calling, and whether that key may do what it asks for."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from blemish.server.problems import ProblemError
from blemish.server.rate_limit import RateLimit
from blemish.server.sessions import Sessions, from_own_page
from blemish.server.settings import ServerSettings
from blemish.station.keys import Key, KeyStore, Role

KEY_SECONDS = 2.0
"""How long a key is believed in without looking it up again: after this a revoked one opens nothing."""

_MOST_KNOWN = 1000
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

logger = logging.getLogger("blemish.server")

_bearer = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, from `blemish key create`."
)


@dataclass(frozen=True)
class Identity:
    """A caller: the name of the key, or "local", and what it may do."""

    name: str
    role: Role


LOCAL = Identity("local", Role.ADMIN)
"""Whoever is at this machine, where no key is needed."""


class Authentication:
    """Finds out who is calling.

    Args:
        keys: the keys of the station.
        settings: whether keys are needed, and how many requests each may make.
        sessions: of those who have signed in at the page.

    Attributes:
        sessions: the same.
    """

    def __init__(self, keys: KeyStore, settings: ServerSettings, sessions: Sessions) -> None:
        self._keys, self._settings, self.sessions = keys, settings, sessions
        self._rate = RateLimit(settings.rate_per_minute)
        self._known: dict[
            bytes | str, tuple[float, Identity]
        ] = {}  # by digest of a token, by name of a session's key

    def identify(self, token: str) -> Identity | None:
        """The caller with this key; None if it opens nothing. May ask the database."""
        return self._remembered(_digest(token)) or self._remember(_digest(token), self._keys.find(token))

    async def shown(self, request: Request, token: str) -> Identity:
        """The caller who shows this key.

        Raises:
            ProblemError: 401 if it opens nothing, 429 for too many that open nothing from one address.
        """
        identity = self._remembered(_digest(token)) or await run_in_threadpool(self.identify, token)
        if identity is None:
            raise self._nothing_opened(request)
        return identity

    async def who(self, request: Request) -> str | None:
        """Name of a caller who is at least a viewer, by a session or a key; None for all others.

        Raises:
            ProblemError: 429 for too many requests.
        """
        try:
            return (await self.caller(request, Role.VIEWER)).name
        except ProblemError as error:
            if error.status_code in (401, 403):
                return None
            raise

    async def caller(self, request: Request, needed: Role) -> Identity:
        """The caller of a request.

        Raises:
            ProblemError: 401 without a valid key, 403 if its role does not allow this, 429 for too many requests.
        """
        identity = await self._identity(request)
        if not identity.role.allows(needed):
            raise ProblemError(
                403,
                f"This needs the role {needed}, and the key {identity.name} has the role {identity.role}.",
            )
        if identity is not LOCAL:
            self._count(identity.name, f"The key {identity.name} makes")
        return identity

    def _count(self, name: str, who: str) -> None:
        """Count a request.

        Raises:
            ProblemError: 429 for too many in a minute.
        """
        if seconds := self._rate.seconds_to_wait(name):
            raise ProblemError(
                429,
                f"{who} more than {self._settings.rate_per_minute} requests in a minute: send fewer, or raise "
                "--rate-per-minute.",
                {"Retry-After": str(max(1, math.ceil(seconds)))},
            )

    async def _identity(self, request: Request) -> Identity:
        given = request.headers.get("authorization")
        if given is None:
            # What a proxy passes on comes from elsewhere, though the proxy is at this machine.
            if not self._settings.keys_required and not any(name in request.headers for name in _FORWARDED):
                return LOCAL
            if (identity := await self._signed_in(request)) is not None:
                return identity
            raise _unauthorized(
                "This needs a key: send the header Authorization: Bearer KEY, or sign in at /sign-in with a browser."
            )
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self.shown(request, token.strip())
        raise self._nothing_opened(request)

    async def _signed_in(self, request: Request) -> Identity | None:
        """Whoever has signed in with a key that still opens something; the key's role counts, not that of then.

        Raises:
            ProblemError: 403 if the request would change something, and not a page of this server sends it.
        """
        session = self.sessions.of(request)
        if session is None:
            return None
        name = session.name
        identity = self._remembered(name) or await run_in_threadpool(
            lambda: self._remember(name, self._keys.named(name))
        )
        if identity is None:
            return None
        if request.method not in _SAFE and not from_own_page(request.headers):
            raise ProblemError(
                403,
                "Nothing says that a page of this server sends this: a program sends a key instead of a cookie.",
            )
        self.sessions.renew(request, session)
        return identity

    def _nothing_opened(self, request: Request) -> ProblemError:
        """Why a key opens nothing, which is counted and logged.

        Raises:
            ProblemError: 429 for too many from one address.
        """
        address = request.client.host if request.client else "an unknown address"
        self._count(f"from {address}", f"From {address} come")  # no key is called so
        logger.warning("A key that opens nothing came from %s.", address)
        return _unauthorized(
            "This key opens nothing: check it, or have a new one made with blemish key create."
        )

    def _remembered(self, place: bytes | str) -> Identity | None:
        known = self._known.get(place)
        return known[1] if known and time.monotonic() - known[0] < KEY_SECONDS else None

    def _remember(self, place: bytes | str, key: Key | None) -> Identity | None:
        if key is None:
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        identity = Identity(key.name, key.role)
        self._known[place] = (time.monotonic(), identity)
        return identity


class Needs:
    """A route's dependency: the caller, who must have at least this role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(
        self,
        request: Request,
        documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Identity:
        """The caller of a request."""
        identity: Identity = await request.app.state.authentication.caller(request, self.role)
        return identity


VIEWER, OPERATOR, ADMIN = Needs(Role.VIEWER), Needs(Role.OPERATOR), Needs(Role.ADMIN)

Viewer = Annotated[Identity, Depends(VIEWER)]
Operator = Annotated[Identity, Depends(OPERATOR)]
Admin = Annotated[Identity, Depends(ADMIN)]


def _digest(token: str) -> bytes:
    # No token stays in memory.
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(401, detail, {"WWW-Authenticate": "Bearer"})
