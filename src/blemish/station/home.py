"""The folder in which a station keeps everything."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_data_path

from blemish.core.errors import UsageError
from blemish.core.storage import write_private


def default_home() -> Path:
    """`BLEMISH_HOME`, or the user's folder for data. Never the working directory."""
    return Path(os.environ.get("BLEMISH_HOME") or user_data_path("blemish", appauthor=False))


class Home:
    """The folder of a station and the places in it, made on demand and readable by its owner alone.

    Attributes:
        path: the folder.
        inspectors, images, gallery, jobs, uploads, laboratory: folders in it.
        buffer, thumbnails: folders in it that come when they are needed, and may be deleted while no service runs.

    Raises:
        UsageError: the folder cannot be made or written.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path or default_home()).expanduser().absolute()
        self.inspectors = self.path / "inspectors"
        self.images = self.path / "images"
        self.gallery = self.path / "gallery"
        self.jobs = self.path / "jobs"
        self.buffer = self.path / "buffer"
        self.thumbnails = self.path / "thumbnails"
        self.uploads = self.path / "uploads"
        self.laboratory = self.path / "laboratory"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            places = (self.inspectors, self.images, self.gallery, self.jobs, self.uploads, self.laboratory)
            for folder in (self.path, *places):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"{self.path} cannot be the home of a station ({reason}): name another folder with --home."
            ) from error
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"{self.path} cannot be written: allow it, or name another folder with --home.")

    @property
    def station(self) -> str:
        """The station's own name, drawn once: where several share a database it says whose photographs are meant.

        Raises:
            OSError: it cannot be kept.
        """
        return self._drawn_once("station", lambda: uuid.uuid4().hex)

    @property
    def session_secret(self) -> str:
        """What statements of who has signed in are signed with, for all servers of this home: 64 hexadecimal digits.

        Drawn at first need and kept for the owner alone; without the file everyone signs in again.

        Raises:
            BlemishError: it cannot be kept.
        """
        found = self._drawn_once("session-secret", lambda: secrets.token_hex(32))
        if len(found) != 64:  # something else has emptied or cut it: nothing may be signed with what is left
            (self.path / "session-secret").unlink(missing_ok=True)
            found = self._drawn_once("session-secret", lambda: secrets.token_hex(32))
        return found

    def _drawn_once(self, name: str, draw: Callable[[], str]) -> str:
        """What the file `name` holds; where there is none, it is drawn, by one of several processes for all."""
        path = self.path / name
        if not path.exists():
            drawn = self.path / f".{name}-{uuid.uuid4().hex}"
            write_private(drawn, draw().encode("ascii"))
            try:
                os.link(
                    drawn, path
                )  # unlike renaming it leaves alone what another process has made meanwhile
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                drawn.replace(path)
            drawn.unlink(missing_ok=True)
        return path.read_text(encoding="ascii")

    @property
    def database_url(self) -> str:
        """URL of the station's own SQLite database; what means something in a URL is written with percent signs."""
        return f"sqlite:///{quote(os.fsencode(self.path / 'blemish.db'))}"
