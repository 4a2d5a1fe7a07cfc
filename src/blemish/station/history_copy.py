"""A consistent copy of a SQLite history, made while others write it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from blemish.core.errors import DatabaseError

_WAIT_SECONDS = 30.0
_NEW = {
    "inspections": "SELECT id FROM inspections WHERE id > ?",
    "feedback": "SELECT DISTINCT inspection_id FROM feedback WHERE id > ?",
    "audit": "SELECT json_extract(detail, '$.inspection') FROM audit "
    "WHERE id > ? AND action IN ('void', 'take-back-void')",
}
"""Which inspections the gallery has to look at again: by table, those after a number of its rows."""


@dataclass(frozen=True)
class Mark:
    """How far a history was at a moment: the newest number of its tables, and what its gallery has still to learn."""

    newest: dict[str, int]
    noted: tuple[int, ...]


def mark_of(history: Path) -> Mark:
    """How far a history is now; the gallery is copied after this and before the history.

    Raises:
        DatabaseError: it cannot be read.
    """
    with _opened(history) as connection:
        tables = _tables(connection)
        newest = {
            name: int(connection.execute(f"SELECT coalesce(max(id), 0) FROM {name}").fetchone()[0])
            for name in _NEW
            if name in tables
        }
        noted = "gallery_changes" in tables and connection.execute(
            "SELECT inspection_id FROM gallery_changes"
        )
        return Mark(newest, tuple(number for (number,) in noted or ()))


def copy_history(history: Path, copy: Path) -> None:
    """Copy a SQLite database as it is at one moment; whoever writes it goes on.

    Raises:
        DatabaseError: it cannot be read, or the copy not be written.
    """
    with _opened(history) as source, _said(copy), closing(sqlite3.connect(copy)) as target:
        source.backup(
            target, pages=-1
        )  # in one step: a reader of the log in WAL mode, whom no writer waits for
        target.execute("PRAGMA journal_mode = DELETE")  # one file


def note_for_gallery(copy: Path, mark: Mark, station: str) -> None:
    """Note in a copy what its gallery, which was copied before it, has still to learn.

    Raises:
        DatabaseError: the copy cannot be written.
    """
    with _said(copy), closing(sqlite3.connect(copy)) as connection, connection:
        if "gallery_changes" not in _tables(connection):
            return
        found = set(mark.noted)
        for table, newest in mark.newest.items():
            found |= {
                number for (number,) in connection.execute(_NEW[table], (newest,)) if number is not None
            }
        connection.execute("DELETE FROM gallery_changes WHERE station = ?", (station,))
        rows = [(station, number) for number in sorted(found)]
        connection.executemany("INSERT INTO gallery_changes (station, inspection_id) VALUES (?, ?)", rows)


def tables_and_count(copy: Path) -> tuple[str, int]:
    """Version of the tables of a copy, and how many inspections are in it; it is checked through and through.

    Raises:
        DatabaseError: it is damaged, or no history.
    """
    with _opened(copy) as connection:
        answers = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        if answers != ["ok"]:
            raise DatabaseError(f"{copy.name} is damaged ({answers[0]}): restore an earlier backup.")
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM inspections").fetchone()
        return str(version), int(count)


def inspector_files(copy: Path) -> list[tuple[str, str]]:
    """Place below the folder of inspectors, and SHA-256, of each version that a copy names.

    Raises:
        DatabaseError: it cannot be read.
    """
    with _opened(copy) as connection:
        return list(connection.execute("SELECT file, digest FROM inspector_versions ORDER BY id"))


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads."""
    with (
        _said(path),
        closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=rw", timeout=_WAIT_SECONDS, uri=True)
        ) as connection,
    ):
        connection.execute("PRAGMA query_only = ON")
        yield connection


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        way_out = (
            "free some space"
            if "full" in str(error)
            else "see whether it is one, and can be read and written"
        )
        raise DatabaseError(f"{path} cannot be used ({error}): {way_out}.") from error
