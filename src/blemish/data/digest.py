"""The digest of a catalog: what a result on it depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog

_UNREADABLE = "unreadable"


def catalog_digest(catalog: Catalog) -> str:
    """SHA-256 over place, split, label, type, group and content of every file; each file is read, none is decoded."""
    digest = hashlib.sha256(catalog.category.encode())
    rows = list(catalog.table.itertuples(index=False))
    for row in track(rows, f"Looking at {catalog.category}"):
        path = Path(str(row.path))
        name = path.relative_to(catalog.root) if path.is_relative_to(catalog.root) else path
        mask = _content(Path(row.mask)) if isinstance(row.mask, str) and row.mask else ""
        group = (row.group,) if "group" in catalog.table else ()
        line = (name.as_posix(), row.split, row.label, row.defect_type, _content(path), mask, *group)
        digest.update("\0".join(map(str, line)).encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def _content(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return _UNREADABLE
