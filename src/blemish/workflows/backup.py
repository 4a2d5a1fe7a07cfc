"""Backup of a station's home while it runs, and its restoring elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.station.backup import Backup
    from blemish.station.restoring import Restored


class BackupRequest(Request):
    """Copy a station's home."""

    out: Annotated[Path, Option(metavar="FILE.zip|FOLDER")] = Field(
        description="File or folder to write; it must not be there yet."
    )
    photographs: bool = Field(False, description="The kept photographs too.")
    gallery: bool = Field(True, description="The gallery of past defects.")
    history: bool = Field(True, description="The history; without it where PostgreSQL holds it.")
    home: StationHome = None
    database: HistoryUrl = None


class RestoreRequest(Request):
    """Make a home of a backup."""

    backup: Annotated[Path, Argument("BACKUP")] = Field(description="What `blemish backup` has written.")
    home: Path = Field(description="Folder of the new home; it must not be there yet, or be empty.")


@dataclass(frozen=True)
class BackupResult(Outcome):
    """A backup that was made, and what is not in it."""

    backup: Backup

    @property
    def complete(self) -> bool:
        """Whether nothing was damaged or gone."""
        return not self.backup.left_out

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {"path": str(self.backup.path), "left_out": list(self.backup.left_out)} | _summary(self.backup)


@dataclass(frozen=True)
class RestoreResult(Outcome):
    """A home that was restored."""

    restored: Restored

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        found = {"home": str(self.restored.home), "photographs_forgotten": self.restored.forgotten}
        return found | _summary(self.restored)


def _summary(what: Backup | Restored) -> dict[str, Any]:
    contents = what.contents
    return contents.model_dump(mode="json", exclude={"files", "format"}) | {
        "files": len(contents.files),
        "bytes": contents.bytes,
    }


def backup(request: BackupRequest) -> BackupResult:
    """Copy a home; the station may run meanwhile.

    Raises:
        UsageError: there is no home, something is at `out`, or the history is in PostgreSQL.
        DatabaseError: the history cannot be copied.
        BlemishError: there is no room, or the copy cannot be written.
    """
    from blemish.station.backup import back_up
    from blemish.station.home import default_home

    home = (request.home or default_home()).expanduser().absolute()
    out = request.out.expanduser().absolute()
    if out.is_relative_to(home):
        raise UsageError(
            f"{out} lies in the home itself: choose another place, best on another disk, with --out."
        )
    history = _history(request, home) if request.history else None
    gallery = home / "gallery" if request.gallery and (home / "gallery").is_dir() else None
    return BackupResult(back_up(home, out, history, gallery, request.photographs))


def restore(request: RestoreRequest) -> RestoreResult:
    """Make a home of a backup.

    Raises:
        UsageError: the backup is none, is damaged, or of a newer Blemish; something is at the home.
        DatabaseError: its history is damaged, or of a newer Blemish.
        BlemishError: there is no room, or the home cannot be written.
    """
    from blemish.station import restoring

    backup, home = request.backup.expanduser().absolute(), request.home.expanduser().absolute()
    return RestoreResult(restoring.restore(backup, home))


def _history(request: BackupRequest, home: Path) -> Path:
    """The SQLite file of the history.

    Raises:
        UsageError: there is none, or PostgreSQL holds it.
    """
    from blemish.station.database import Database

    if request.database is not None:
        opened = Database(request.database)
        opened.close()
        if not opened.is_sqlite:
            raise UsageError(
                f"The history is in {opened.name}, which PostgreSQL copies itself: run pg_dump --format=custom "
                "--file=history.dump with its URL first, then blemish backup with --no-history; to restore, pg_restore "
                "--dbname=URL history.dump, then blemish restore."
            )
        path = Path(str(opened.engine.url.database))
    else:
        path = home / "blemish.db"
    if not path.is_file():
        raise UsageError(
            f"{path} is no history: name the station's folder with --home, or leave it out, --no-history."
        )
    return path
