"""What an experiment keeps: cells on disk, found again by a key over all that their results depend on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from blemish.core.storage import file_digest, write_json

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One thing that is measured and kept.

    Attributes:
        key: SHA-256 over everything that the result depends on, see `key_of`.
        folder: where it is kept.
    """

    key: str
    folder: Path

    def keep(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON document of the cell, whole or not at all.

        Raises:
            BlemishError: the file cannot be written.
        """
        write_json(self.folder / name, {"key": self.key, **document})

    def kept(self, name: str, parse: Callable[[dict[str, Any]], T | None]) -> T | None:
        """A document of the cell, parsed; None if there is none, or it is not what was written for this cell."""
        try:
            document = json.loads((self.folder / name).read_text("utf-8"))
            return parse(document) if document["key"] == self.key else None
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            return None


def key_of(depends_on: Any) -> str:
    """SHA-256 over plain values, the same for the same values; the version of Blemish should be among them."""
    return hashlib.sha256(json.dumps(depends_on, default=str, sort_keys=True).encode()).hexdigest()


def by_content(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a key has them, JSON-ready: what is a file, as of weights, is its digest, whatever its name."""
    plain = json.loads(json.dumps(parameters, default=str))
    return {name: _content(value) for name, value in plain.items()}


def file_digests(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files that parameters name, as weights."""
    return {
        name: file_digest(Path(str(value))) for name, value in sorted(parameters.items()) if _is_file(value)
    }


def _content(value: Any) -> Any:
    """A value, or the digest of the file that it names; of several, each as NAME=FILE."""
    if isinstance(value, list):
        return [_content(one) for one in value]
    if _is_file(value):
        return file_digest(Path(value))
    if isinstance(value, str) and _is_file(value.partition("=")[2]):
        name, _, file = value.partition("=")
        return f"{name}={file_digest(Path(file))}"
    return value


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and Path(value).is_file()


def cell_folder(out: Path, key: str, *words: str) -> Path:
    """The folder of a cell in that of its experiment: it can be told by its name, and is found by its key."""
    return out / "cells" / f"{file_name(*words)}-{key[:12]}"


def file_name(*words: str) -> str:
    """A name that every file system takes; names that differ may come to the same."""
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:40] for word in words)
