"""Which photographs can be read at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blemish.core.errors import ImageError
from blemish.core.images import read_image
from blemish.core.progress import track


def readable_paths(paths: Sequence[Path], bit_depth: int = 16) -> tuple[list[Path], list[dict[str, str]]]:
    """Decode every photograph once: those that can be read, and of the others path, kind and detail."""
    kept, skipped = [], []
    for path in track(paths, "Checking photographs"):
        try:
            read_image(path, bit_depth=bit_depth)
            kept.append(path)
        except ImageError as error:
            skipped.append({"path": str(path), "kind": error.kind, "detail": error.detail})
    return kept, skipped
