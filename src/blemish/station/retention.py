"""Which photographs are kept and for how long: what the server was started with, else what was chosen since."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from blemish.core.errors import BlemishError, ConflictError
from blemish.core.storage import write_json
from blemish.station.audit import Action, Change, note_change
from blemish.station.buffer_size import BUFFER_MEGABYTES
from blemish.station.database import Database
from blemish.station.image_store import KeepPolicy

OPTIONS = {"keep": "--keep", "days": "--keep-days", "gigabytes": "--keep-gigabytes"}
"""What is chosen, and the option of the command line that fixes it."""


class Retention:
    """The policy of a home, kept in a file there so that it outlives a restart; several servers of the home share it.

    Args:
        path: of the file.
        database: whose audit log learns of each change.
        fixed: `keep`, `days` and `gigabytes` as the command line gives them, which nobody changes while it runs; None
            where it says nothing.
        buffer_megabytes: how much passes may take that are held for a while.

    Attributes:
        fixed: names of those that are given.
    """

    def __init__(
        self,
        path: Path,
        database: Database,
        fixed: dict[str, Any],
        buffer_megabytes: float = BUFFER_MEGABYTES,
    ) -> None:
        self._path, self._database, self._buffer_megabytes = path, database, buffer_megabytes
        self._given = {name: value for name, value in fixed.items() if value is not None}
        self.fixed = frozenset(self._given)
        self._lock = threading.Lock()

    def policy(self) -> KeepPolicy:
        """The policy as it is now.

        Raises:
            BlemishError: the file says nothing that can be kept by.
        """
        return KeepPolicy(**self._chosen() | self._given, buffer_megabytes=self._buffer_megabytes)

    def change(self, wanted: KeepPolicy, by: str = "local") -> KeepPolicy:
        """Keep photographs so from now on; the change and its row in the audit log come together.

        Raises:
            ConflictError: the command line says something else.
            BlemishError: it cannot be written.
        """
        for name, value in self._given.items():
            if getattr(wanted, name) != value:
                raise ConflictError(
                    f"The server was started with {OPTIONS[name]} {value}, which wins: start it without that option to "
                    "choose here."
                )
        with self._lock, self._database.transaction() as session:
            before, chosen = self._chosen(), {name: getattr(wanted, name) for name in OPTIONS}
            if chosen == before:
                return self.policy()
            detail = {"before": before, "after": chosen}
            note_change(session, Change(action=Action.SET_RETENTION, by=by, detail=detail))
            session.flush()
            write_json(self._path, chosen)
        return self.policy()

    def _chosen(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            chosen = {name: found[name] for name in OPTIONS}
            KeepPolicy(**chosen)
        except FileNotFoundError:
            return {name: getattr(KeepPolicy(), name) for name in OPTIONS}
        except (OSError, ValueError, KeyError, TypeError, BlemishError) as error:
            # Not the default instead: that could remove what somebody has chosen to keep.
            raise BlemishError(
                f"{self._path.name} in the home does not say which photographs are kept: correct it, or remove it to "
                "begin with the defaults."
            ) from error
        return chosen
