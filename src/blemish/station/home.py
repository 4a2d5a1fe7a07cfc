"""The folder in which a station keeps everything."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from blemish.core.errors import UsageError


def default_home() -> Path:
    """`BLEMISH_HOME`, or the user's folder for data. Never the working directory."""
    return Path(os.environ.get("BLEMISH_HOME") or user_data_path("blemish", appauthor=False))


class Home:
    """The folder of a station and the places in it, made on demand and readable by its owner alone.

    Attributes:
        path: the folder.
        inspectors, images, gallery, jobs: folders in it.

    Raises:
        UsageError: the folder cannot be made or written.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path or default_home()).expanduser().absolute()
        self.inspectors = self.path / "inspectors"
        self.images = self.path / "images"
        self.gallery = self.path / "gallery"
        self.jobs = self.path / "jobs"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.inspectors, self.images, self.gallery, self.jobs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"{self.path} cannot be the home of a station ({reason}): name another folder with --home."
            ) from error
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"{self.path} cannot be written: allow it, or name another folder with --home.")

    @property
    def database_url(self) -> str:
        """URL of the station's own SQLite database."""
        return f"sqlite:///{self.path / 'blemish.db'}"
