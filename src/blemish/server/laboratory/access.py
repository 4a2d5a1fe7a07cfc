"""Who uses the page, and what they may do; and errors as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.server.errors import shortage
from blemish.server.service import Service
from blemish.station.keys import Role

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""Options of every event: it belongs to the page, and is no interface for programs; they have `/v1`."""

QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}
"""Options of an event that answers at once."""


class Access:
    """Rights of the person behind a request of the page.

    Where no keys are required, everyone on this machine may do everything, as "local". Else a person has signed in
    at the page with a key; its role is looked up again at each step, so a revoked key ends at once.
    """

    def __init__(self, service: Service) -> None:
        self._keys = service.keys
        self.keys_required = service.settings.keys_required

    def require(self, request: gr.Request, needed: Role) -> str:
        """Name of the person, who has at least this role.

        Raises:
            gr.Error: the role does not suffice.
        """
        role = self._role(request)
        if role is None:
            raise refused("Your key is not valid any more: sign in again.")
        if not role.allows(needed):
            raise refused(f"Your key is for a {role}; this needs the role {needed}.")
        return request.username or "local" if self.keys_required else "local"

    def allows(self, request: gr.Request, needed: Role) -> bool:
        """Whether the person has at least this role."""
        role = self._role(request)
        return role is not None and role.allows(needed)

    def _role(self, request: gr.Request) -> Role | None:
        """The role of the person, looked up now; None where the key is not valid any more."""
        if not self.keys_required:
            return Role.ADMIN
        valid = (key for key in self._keys.list() if key.revoked is None)
        return next((key.role for key in valid if key.name == request.username), None)


@contextmanager
def plainly() -> Iterator[None]:
    """Show an error of Blemish, a full disk and too little memory as one sentence."""
    try:
        yield
    except BlemishError as error:
        raise refused(str(error)) from error
    except (OSError, MemoryError) as error:
        if (short := shortage(error)) is None:
            raise
        raise refused(short[1]) from error


def refused(sentence: str) -> gr.Error:
    """What the page shows when something is not done."""
    return gr.Error(sentence, title="Not done", print_exception=False, duration=12)
