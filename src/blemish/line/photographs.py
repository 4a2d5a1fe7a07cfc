"""Which photographs `blemish inspect` looks at, and where the overlay of each goes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import IMAGE_SUFFIXES, list_images


@dataclass(frozen=True)
class Photograph:
    """A file to inspect.

    Attributes:
        path: the file; or a folder that has none to offer.
        place: of its overlay, relative to the folder for overlays.
        error: why there is nothing to inspect; None for any file, which is read later.
    """

    path: Path
    place: Path
    error: ImageError | None = None


def find_photographs(paths: Iterable[Path], out: Path | None = None) -> list[Photograph]:
    """Every photograph to inspect, once each, in the order of `paths`; folders are searched for images.

    Files named by themselves are taken whatever their suffix. What lies in `out` is no photograph but an
    overlay of an earlier run. The places of overlays mirror the folders searched (each in a folder of its
    name, where several paths were named), and are never those of a photograph or of each other.

    Args:
        paths: files and folders.
        out: folder for overlays, if any are to be written.

    Raises:
        UsageError: `out` is one of the folders to search.
    """
    paths = list(paths)
    found: dict[Path, Photograph] = {}
    for given in paths:
        if not _is_folder(given):
            found.setdefault(given, Photograph(given, Path(given.name)))
            continue
        above = Path(given.resolve().name) if len(paths) > 1 else Path()
        try:
            images = _search(given, out)
        except ImageError as error:
            found.setdefault(given, Photograph(given, above, error))
            continue
        for path in images:
            found.setdefault(path, Photograph(path, above / path.relative_to(given)))
    return _placed(list(found.values()), out) if out else list(found.values())


def _search(folder: Path, out: Path | None) -> list[Path]:
    """Images in a folder but not in `out`."""
    try:
        images = list_images(folder)
    except UsageError as error:
        raise ImageError(folder, "unreadable", str(error)) from error
    results = out.resolve() if out else None
    if results == folder.resolve():
        raise UsageError(f"--out {out} is a folder to inspect: choose another, for overlays alone.")
    if results and results.is_relative_to(folder.resolve()):
        images = [path for path in images if not path.parent.resolve().is_relative_to(results)]
    if not images:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ImageError(folder, "empty", f"the folder holds no images ({kinds}); name one that does.")
    return images


def _placed(photographs: list[Photograph], out: Path) -> list[Photograph]:
    """The photographs, with a place of its own for the overlay of each: a JPEG named like the photograph."""
    # In lower case: many disks do not tell a.jpg from A.JPG.
    taken = {str(photograph.path.absolute()).lower() for photograph in photographs}
    placed = []
    for photograph in photographs:
        if photograph.error:
            placed.append(photograph)
            continue
        place, number = photograph.place.with_suffix(".jpg"), 1
        while str((out / place).absolute()).lower() in taken:
            number += 1
            place = photograph.place.with_name(f"{photograph.place.stem}-{number}.jpg")
        taken.add(str((out / place).absolute()).lower())
        placed.append(Photograph(photograph.path, place))
    return placed


def _is_folder(path: Path) -> bool:
    """As `Path.is_dir`, but what cannot be asked is none: reading it will say why."""
    with suppress(OSError):
        return path.is_dir()
    return False
