"""Folders that appear whole or not at all, and that replace only what Blemish made itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blemish.core.errors import BlemishError, UsageError
from blemish.core.storage import write_json

ORIGIN_FILE = "origin.json"


@contextmanager
def made_folder(target: Path, origin: dict[str, Any]) -> Iterator[Path]:
    """Fill a hidden folder beside `target`; when all went well it becomes `target`.

    `origin` says where the content comes from and is kept in it as `origin.json`. A folder made so before is
    replaced; on any error nothing at `target` changes and nothing is left behind.

    Raises:
        UsageError: `target` holds files that Blemish did not make.
        BlemishError: the folder cannot be written.
    """
    refuse_foreign_folder(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    except OSError as error:
        raise _write_error(target, error) from error
    try:
        yield draft
        write_json(draft / ORIGIN_FILE, origin)
        draft.chmod(0o755)
        old = draft.with_suffix(".old")
        if target.exists():
            target.rename(old)
        draft.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def refuse_foreign_folder(target: Path) -> None:
    """Raise UsageError if something stands at `target` that Blemish did not make and may not replace."""
    if target.is_dir() and not (target / ORIGIN_FILE).is_file() and any(target.iterdir()):
        raise UsageError(
            f"{target} already holds files of yours: choose another folder with --out or move them away."
        )
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file, not a folder: choose another place with --out.")


def _write_error(target: Path, error: OSError) -> BlemishError:
    reason = (error.strerror or str(error)).lower()
    return BlemishError(f"{target} cannot be written ({reason}): choose another place with --out.")
