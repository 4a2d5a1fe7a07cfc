"""Paths in what a job says: those below its own folder are told from there, as whoever sent the files knows them.

Where the server keeps uploads, jobs and inspectors is nobody's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blemish.core.storage import write_text

PHOTOGRAPHS = "photographs"
"""The folder of a job that uploaded files go into."""


class Relative:
    """Texts and documents without the folder of a job, `folder` in the jobs of a home, and that of inspectors there."""

    def __init__(self, folder: Path) -> None:
        inspectors = folder.parent.parent / "inspectors"
        self._folders = tuple(f"{path}/" for path in (folder / PHOTOGRAPHS, folder, inspectors))
        self._whole = str(folder / PHOTOGRAPHS), str(folder)

    def text(self, text: str) -> str:
        """A text for people."""
        for folder in self._folders:
            text = text.replace(folder, "")
        for folder in self._whole:
            text = text.replace(folder, "the upload")
        return text

    def rewrite(self, file: Path) -> None:
        """A text file, as a report, in its place.

        Raises:
            BlemishError: it cannot be written.
        """
        before = file.read_text("utf-8")
        if (after := self.text(before)) != before:
            write_text(file, after)

    def value(self, value: Any) -> Any:
        """JSON-ready values, with what is in them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(one) for name, one in value.items()}
        return value
