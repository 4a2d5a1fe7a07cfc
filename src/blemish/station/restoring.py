"""A home made of a backup: every file is checked against its digest, and the home appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import quote

from blemish.core.errors import BlemishError, UsageError
from blemish.core.storage import sync_folder, write_error
from blemish.station.backup_contents import (
    CONTENTS,
    HISTORY,
    MOST_CONTENTS_BYTES,
    Contents,
    HeldFile,
    read_contents,
)
from blemish.station.database import Database
from blemish.station.history_copy import tables_and_count

_UNFINISHED = ".blemish-restore-"
_PIECE = 2**20

Opened = Callable[[str], IO[bytes]]
"""Opens a file of a backup by its place in the home."""


@dataclass(frozen=True)
class Restored:
    """A home that was restored.

    Attributes:
        home: the folder.
        contents: what the backup holds.
        forgotten: photographs that the history names and the backup does not hold.
    """

    home: Path
    contents: Contents
    forgotten: int


def restore(backup: Path, home: Path) -> Restored:
    """Make a home of a backup; its history is brought to this version of Blemish.

    Args:
        backup: the `.zip` file or folder that `back_up` has made.
        home: the folder, which must not be there yet, or be empty.

    Raises:
        UsageError: the backup is none, is damaged, or of a newer Blemish; something is at `home`.
        DatabaseError: its history is damaged, or of a newer Blemish.
        BlemishError: there is no room, or the home cannot be written.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UsageError(
            f"{home} is there already: restore to another folder, and start the station with that."
        )
    with _read(backup) as (contents, opened), _filled(home, contents.bytes) as folder:
        for name, held in contents.files.items():
            _extract(opened, name, held, folder / name, backup)
        forgotten = 0
        if HISTORY in contents.files:
            tables_and_count(folder / HISTORY)
            database = Database(f"sqlite:///{quote(os.fsencode(folder / HISTORY))}")
            try:
                database.upgrade()
            finally:
                database.close()
            forgotten = _forget_photographs(folder)
    return Restored(home, contents, forgotten)


@contextmanager
def _read(backup: Path) -> Iterator[tuple[Contents, Opened]]:
    """The list of a backup, and what opens its files."""
    if backup.is_dir():
        with _sound(backup):
            with _open_in(backup, CONTENTS) as stream:
                text = stream.read(MOST_CONTENTS_BYTES)
            yield read_contents(text, backup), partial(_open_in, backup)
        return
    if not backup.is_file():
        raise UsageError(f"{backup} does not exist: name a backup that blemish backup has made.")
    with _sound(backup), zipfile.ZipFile(backup) as archive:
        with archive.open(CONTENTS) as stream:
            text = stream.read(MOST_CONTENTS_BYTES)
        if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
            raise UsageError(
                f"{backup} is packed otherwise than blemish backup does: name the file that it has made."
            )
        yield read_contents(text, backup), archive.open


def _open_in(backup: Path, name: str) -> IO[bytes]:
    """Open a file of a folder, itself no link."""
    try:
        return os.fdopen(os.open(backup / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")
    except OSError as error:
        raise KeyError(name) from error


@contextmanager
def _sound(backup: Path) -> Iterator[None]:
    """One sentence for a backup that cannot be read."""
    try:
        yield
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{backup} is no backup of a station, or damaged: name another one.") from error


def _extract(opened: Opened, name: str, held: HeldFile, target: Path, backup: Path) -> None:
    """Copy a file out, and no more of it than its size says."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), held.bytes
    with (
        opened(name) as stream,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy,
    ):
        while piece := stream.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    if left or digest.hexdigest() != held.sha256:
        raise UsageError(f"{name} in {backup} is damaged, so nothing was restored: name another backup.")


def _forget_photographs(folder: Path) -> int:
    """Let the history say of no photograph that it is kept which the backup does not hold; how many."""
    there = {path.stem for path in (folder / "images").glob("[0-9a-f][0-9a-f]/*")}
    with closing(sqlite3.connect(folder / HISTORY)) as connection, connection:
        named = connection.execute(
            "SELECT DISTINCT image_digest FROM inspections WHERE image_suffix IS NOT NULL"
        )
        gone = [(digest,) for (digest,) in named if digest not in there]
        connection.executemany("UPDATE inspections SET image_suffix = NULL WHERE image_digest = ?", gone)
    with closing(sqlite3.connect(folder / HISTORY)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file that is synced
    return len(gone)


@contextmanager
def _filled(home: Path, size: int) -> Iterator[Path]:
    """A folder beside `home`, for its owner alone, that becomes it when all is well; else nothing is left."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        for left in home.parent.glob(f"{_UNFINISHED}{home.name}-*"):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        free = shutil.disk_usage(home.parent).free
        if size > free:
            raise BlemishError(
                f"The home takes {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free beside {home}: free some "
                "space, or choose another disk with --home."
            )
        working = Path(tempfile.mkdtemp(dir=home.parent, prefix=f"{_UNFINISHED}{home.name}-"))
        try:
            folder = working / "home"
            folder.mkdir(mode=0o700)
            yield folder
            for place, _, _ in os.walk(folder):
                sync_folder(Path(place))
            folder.rename(home)  # also in place of an empty folder
            sync_folder(home.parent)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    except OSError as error:
        raise write_error(home, error) from error
