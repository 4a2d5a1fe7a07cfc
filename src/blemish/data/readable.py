"""Which photographs can be read at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_files import list_folder, litter_in_words
from blemish.core.images import read_image
from blemish.core.progress import say, track
from blemish.data.entries import named


def photographs_in(folder: Path) -> list[Path]:
    """The photographs under a folder, sorted; what else lies there, or cannot be listed, is said.

    Raises:
        UsageError: the folder itself cannot be listed.
    """
    listing = list_folder(folder)
    for error in listing.unlistable:
        if error.path == folder:
            raise UsageError(str(error))
        say(str(error))
    if listing.others:
        names = named([path.relative_to(folder).as_posix() for path in listing.others])
        say(f"Left out, {len(listing.others)} files that are no photographs: {names}.")
    if listing.litter:
        say(f"Left out, as no photographs: {litter_in_words(listing.litter)}.")
    return list(listing.images)


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
