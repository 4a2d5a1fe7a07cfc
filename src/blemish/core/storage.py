"""Safe storage: files appear whole or not at all, and nothing is ever unpickled."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from blemish.core.errors import BlemishError
from blemish.core.file_names import shown


@contextmanager
def atomic_file(path: Path, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for binary writing; on success sync it and rename it to `path`.

    On any error the temporary file is removed and an older file at `path` is left untouched. A private file is its
    owner's alone, from the first byte on.

    Raises:
        BlemishError: the folder cannot be written or the disk is full, said in one sentence.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the whole name: there are at most 255 bytes, and the last character of a part may be cut.
        name = os.fsencode(path.name)[:200].decode(errors="ignore")
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.", suffix=".part")
    except OSError as error:
        raise write_error(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if not private:  # it is made so
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically (see `atomic_file`)."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically, for its owner alone: mode 600."""
    with atomic_file(path, private=True) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically; what is no character, as in odd names of files, is replaced."""
    write_bytes(path, shown(text).encode("utf-8"))


def write_table(path: Path, text: str) -> None:
    """Write CSV to `path` atomically: UTF-8, but names of files as the bytes that they are."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, document: Any) -> None:
    """Write `document` as indented JSON to `path` atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return stream_digest(stream)


def stream_digest(stream: IO[bytes]) -> str:
    """SHA-256 of what is left to read of an open file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while piece := stream.read(2**20):
        digest.update(piece)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make a rename durable; a no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_error(path: Path, error: OSError) -> BlemishError:
    """One sentence for what kept `path` from being written."""
    if error.errno == errno.ENOSPC:
        return BlemishError(
            f"{path} was not written because the disk is full: free some space and run again."
        )
    reason = (error.strerror or str(error)).lower()
    return BlemishError(f"{path} cannot be written ({reason}): choose another place with --out.")
