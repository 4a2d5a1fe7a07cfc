"""One uploaded set on the disk: a folder with its photographs, what was left out, and who began it."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from blemish.core.storage import write_text

ID_PATTERN = r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{12}$"

_PHOTOGRAPHS, _INCOMING, _LEFT_OUT, _ABOUT = "photographs", ".incoming", "left-out.jsonl", "set.json"


@dataclass(frozen=True)
class LeftOut:
    """A file that is no photograph that can be used: its name as it was sent, and why, in one sentence."""

    name: str
    reason: str


@dataclass
class KeptSet:
    """A set as it stands in memory; all of it is found again on the disk.

    Attributes:
        folder: all of it.
        by, created: who began it, and when.
        sizes: bytes of each photograph, by name.
        left_out: why a file is not used, by name.
        known: names of photographs as disks compare them that ignore case.
        bytes: of all photographs.
        lock: for whoever changes it.
    """

    folder: Path
    by: str
    created: datetime
    sizes: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def photographs(self) -> Path:
        """Where the photographs are."""
        return self.folder / _PHOTOGRAPHS

    @property
    def incoming(self) -> Path:
        """Where files are while they arrive."""
        return self.folder / _INCOMING

    @property
    def touched(self) -> float:
        """When the latest file came, in seconds since the epoch; 0 where the folder is gone."""
        with suppress(OSError):
            return self.folder.stat().st_mtime
        return 0.0

    def make(self) -> None:
        """Make its folders.

        Raises:
            BlemishError: they cannot be written.
        """
        for folder in (self.photographs, self.incoming):
            folder.mkdir(mode=0o700, parents=True)
        about = {"by": self.by, "created": self.created.isoformat()}
        write_text(self.folder / _ABOUT, json.dumps(about))

    def note(self, name: str, size: int) -> None:
        """Count a photograph that is in its place."""
        self.sizes[name] = size
        self.bytes += size
        self.known[name.casefold()] = name

    def leave_out(self, one: LeftOut) -> None:
        """Note that a file is not used."""
        self.left_out[one.name] = one.reason
        self._append(one)

    def take_in(self, name: str) -> None:
        """Note that a file is used now that was left out before."""
        if self.left_out.pop(name, ""):
            self._append(LeftOut(name, ""))

    def touch(self) -> None:
        """Note that a file has come."""
        with suppress(OSError):
            os.utime(self.folder)

    def _append(self, one: LeftOut) -> None:
        """Remember it across a restart; without a reason, that it is not left out any more."""
        with suppress(OSError), (self.folder / _LEFT_OUT).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": one.name, "reason": one.reason}) + "\n")


def found_set(folder: Path) -> KeptSet | None:
    """A set of an earlier run; None if this is none, and what remains of one is removed."""
    if not re.match(ID_PATTERN, folder.name):
        return None
    try:
        about = json.loads((folder / _ABOUT).read_text("utf-8"))
        found = KeptSet(folder, str(about["by"]), datetime.fromisoformat(about["created"]))
    except (OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    touched = found.touched
    shutil.rmtree(found.incoming, ignore_errors=True)
    found.incoming.mkdir(mode=0o700)
    os.utime(folder, (touched, touched))
    for path in sorted(found.photographs.rglob("*")):
        if path.is_file():
            found.note(path.relative_to(found.photographs).as_posix(), path.stat().st_size)
    with suppress(OSError):
        for line in (folder / _LEFT_OUT).read_text("utf-8").splitlines():
            with suppress(ValueError):
                one = json.loads(line)
                found.left_out.pop(one["name"], None)
                if one["reason"]:
                    found.left_out[one["name"]] = one["reason"]
    return found
