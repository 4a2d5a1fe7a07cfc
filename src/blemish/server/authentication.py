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
from blemish.server.settings import ServerSettings
from blemish.station.keys import KeyStore, Role

KEY_SECONDS = 2.0
"""How long a key is believed in without looking it up again: after this a revoked one opens nothing."""

_MOST_KNOWN = 1000
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")

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
    """

    def __init__(self, keys: KeyStore, settings: ServerSettings) -> None:
        self._keys, self._settings = keys, settings
        self._rate = RateLimit(settings.rate_per_minute)
        self._known: dict[bytes, tuple[float, Identity]] = {}

    def identify(self, token: str) -> Identity | None:
        """The caller with this key; None if it opens nothing. May ask the database."""
        if (known := self._remembered(token)) is not None:
            return known
        key = self._keys.find(token)
        if key is None:
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        identity = Identity(key.name, key.role)
        self._known[_digest(token)] = (time.monotonic(), identity)
        return identity

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
            raise _unauthorized("This needs a key: send the header Authorization: Bearer KEY.")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and token:
            token = token.strip()
            identity = self._remembered(token) or await run_in_threadpool(self.identify, token)
            if identity is not None:
                return identity
        address = request.client.host if request.client else "an unknown address"
        self._count(f"from {address}", f"From {address} come")  # no key is called so
        logger.warning("A key that opens nothing came from %s.", address)
        raise _unauthorized(
            "This key opens nothing: check it, or have a new one made with blemish key create."
        )

    def _remembered(self, token: str) -> Identity | None:
        known = self._known.get(_digest(token))
        return known[1] if known and time.monotonic() - known[0] < KEY_SECONDS else None


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
