"""A copy of a station's home that can be restored elsewhere, made while the station runs.

The gallery is copied first, then the history at one moment, with what the gallery has to learn since; then the files
that the history names, which are never changed. The whole appears under its name at the end, or nothing does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from blemish import __version__
from blemish.core.errors import BlemishError, UsageError
from blemish.core.progress import say
from blemish.core.storage import sync_folder, write_error
from blemish.station.backup_contents import CONTENTS, HISTORY, SETTINGS, Contents, HeldFile
from blemish.station.history_copy import (
    copy_history,
    inspector_files,
    mark_of,
    note_for_gallery,
    tables_and_count,
)

_PHOTOGRAPH = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,5}")
_OF_JOBS = (".json", ".txt", ".html", ".csv")
_UNFINISHED = ".blemish-backup-"
_PIECE = 2**20
_TRIES, _PAUSE_SECONDS = 20, 0.1


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        path: the file or folder.
        contents: what it holds.
        left_out: what is damaged or gone in the home and so not in it, a sentence each.
    """

    path: Path
    contents: Contents
    left_out: tuple[str, ...]


@dataclass
class _Copied:
    """A folder that is filled, and what is in it."""

    folder: Path
    files: dict[str, HeldFile] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def take(self, source: Path, name: str, digest: str | None = None, may_go: bool = True) -> None:
        """Copy a file; what is not what its digest says is left out and said, and what is gone and may not be."""
        target = self.folder / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        found, size = hashlib.sha256(), 0
        try:
            stream = source.open("rb")
        except FileNotFoundError:
            if not may_go:
                self.left_out.append(f"{name} is gone: add it again.")
            return
        with stream, target.open("xb") as copy:
            while piece := stream.read(_PIECE):
                found.update(piece)
                size += copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        if digest is not None and found.hexdigest() != digest:
            target.unlink()
            self.left_out.append(f"{name} is damaged: add it again.")
            return
        self.files[name] = HeldFile(bytes=size, sha256=found.hexdigest())

    def note(self, name: str) -> None:
        """Count a file in that was written here."""
        path = self.folder / name
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())
        self.files[name] = HeldFile(bytes=path.stat().st_size, sha256=digest)


def back_up(
    home: Path, out: Path, history: Path | None, gallery: Path | None, photographs: bool = False
) -> Backup:
    """Copy a home to a `.zip` file, or to a folder.

    Args:
        home: the folder of the station.
        out: the file or folder, which must not be there yet.
        history: its SQLite file; None to leave it out.
        gallery: the folder of past defects; None to leave it out.
        photographs: whether kept photographs are copied too.

    Raises:
        UsageError: there is no home, or something is at `out`.
        DatabaseError: the history cannot be copied.
        BlemishError: there is no room, or it cannot be written.
    """
    if not (home / "inspectors").is_dir():
        raise UsageError(f"{home} is no home of a station: name its folder with --home.")
    if out.exists():
        raise UsageError(f"{out} is there already: give another name, or move it away.")
    _check_room(home, out, history, gallery, photographs)
    with _filled(out) as folder:
        copied = _Copied(folder)
        tables, count = None, None
        if history is not None:
            mark = mark_of(history)
            if gallery is not None:
                say("Copying the gallery.")
                _copy_gallery(copied, gallery)
            say("Copying the history.")
            copy_history(history, folder / HISTORY)
            if gallery is not None:
                note_for_gallery(folder / HISTORY, mark, _station(home))
            tables, count = tables_and_count(folder / HISTORY)
            copied.note(HISTORY)
            for file, digest in inspector_files(folder / HISTORY):
                copied.take(home / "inspectors" / file, f"inspectors/{file}", digest, may_go=False)
        else:
            if gallery is not None:
                _copy_gallery(copied, gallery)
            for path in sorted((home / "inspectors").glob("*/*.blemish")):
                copied.take(path, f"inspectors/{path.parent.name}/{path.name}")
        for name in SETTINGS:
            copied.take(home / name, name)
        _copy_jobs(copied, home / "jobs")
        if photographs:
            say("Copying the photographs.")
            for path in sorted((home / "images").glob("[0-9a-f][0-9a-f]/*")):
                if _PHOTOGRAPH.fullmatch(path.name):
                    copied.take(path, f"images/{path.parent.name}/{path.name}", path.stem)
        contents = Contents(
            blemish=__version__, made=datetime.now(UTC), tables=tables, inspections=count,
            photographs=photographs, gallery=gallery is not None, files=dict(sorted(copied.files.items())),
        )  # fmt: skip
        (folder / CONTENTS).write_text(contents.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Backup(out, contents, tuple(copied.left_out))


def _station(home: Path) -> str:
    try:
        return (home / "station").read_text(encoding="ascii")
    except FileNotFoundError:  # nothing was logged here yet
        return ""


def _copy_gallery(copied: _Copied, gallery: Path) -> None:
    """Copy embedded Qdrant: its SQLite files each as they are at one moment."""
    for path in sorted(gallery.rglob("*")):
        name = f"gallery/{path.relative_to(gallery).as_posix()}"
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix == ".sqlite":
            target = copied.folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            copy_history(path, target)
            copied.note(name)
        elif path.suffix == ".json":
            _wait_for_json(path)
            copied.take(path, name)


def _wait_for_json(path: Path) -> None:
    """Wait until a file that is written in its place is whole."""
    for _ in range(_TRIES):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise BlemishError(f"{path} is no JSON: the gallery is damaged; leave it out with --no-gallery.")


def _copy_jobs(copied: _Copied, jobs: Path) -> None:
    """Copy what ended jobs have said: results and reports; what they were given and made stays."""
    for folder in sorted(jobs.glob("[0-9]*-[0-9]*-*")):
        try:
            state = json.loads((folder / "job.json").read_bytes())["state"]
        except (OSError, ValueError, KeyError):
            continue
        if state in ("done", "failed", "stopped", "interrupted"):
            for path in sorted(folder.iterdir()):
                if path.suffix in _OF_JOBS and path.is_file():
                    copied.take(path, f"jobs/{folder.name}/{path.name}")


def _check_room(home: Path, out: Path, history: Path | None, gallery: Path | None, photographs: bool) -> None:
    """Refuse at once what the disk has no room for."""
    places = [
        home / "inspectors",
        *([home / "images"] if photographs else []),
        *([gallery] if gallery else []),
    ]
    needed = sum(path.stat().st_size for place in places for path in place.rglob("*") if path.is_file())
    if history is not None:  # the largest file as a rule, which lies there twice while it is packed
        needed += history.stat().st_size * (2 if out.suffix == ".zip" else 1)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise write_error(out, error) from error
    if needed > free:
        raise BlemishError(
            f"The backup takes up to {needed / 1e6:,.0f} MB beside {out}, and {free / 1e6:,.0f} MB are free: free some "
            "space, or choose another disk with --out."
        )


@contextmanager
def _filled(out: Path) -> Iterator[Path]:
    """A folder beside `out`, for its owner alone, that becomes it when all is well; else nothing is left."""
    for left in out.parent.glob(f"{_UNFINISHED}{out.name}-*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    try:
        working = Path(tempfile.mkdtemp(dir=out.parent, prefix=f"{_UNFINISHED}{out.name}-"))
        try:
            folder = working / "home"
            folder.mkdir(mode=0o700)
            yield folder
            if out.suffix == ".zip":
                _pack(folder, working / "home.zip")
                (working / "home.zip").rename(out)
            else:
                _sync_all(folder)
                folder.rename(out)
            sync_folder(out.parent)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    except OSError as error:
        raise write_error(out, error) from error


def _pack(folder: Path, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            archive.write(folder / CONTENTS, CONTENTS)
            for one in sorted(folder.rglob("*")):
                name = one.relative_to(folder).as_posix()
                if one.is_file() and name != CONTENTS:
                    archive.write(one, name)
                    one.unlink()  # so that it lies on the disk twice for a moment only
        stream.flush()
        os.fsync(stream.fileno())


def _sync_all(folder: Path) -> None:
    """Make names durable: the files are already."""
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))
