"""Which photographs `blemish inspect` looks at, what it leaves out, and where the overlay of each goes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_files import (
    WHY_SUFFIX,
    Listing,
    is_litter,
    list_folder,
    litter_in_words,
    open_regular,
)
from blemish.core.image_formats import foreign_format
from blemish.core.images import decode_image
from blemish.core.progress import say

LEFT_OUT = "left-out"
"""The kind of a file that is no photograph."""

LONGEST_NAME = 255
"""Bytes that a file's name may have on any common disk."""

_NO_PHOTOGRAPHS = ("a video", "a PDF", "a PostScript", "a NumPy", "a ZIP", "a gzip")
"""How the names of formats begin that hold no photograph."""


@dataclass(frozen=True)
class Photograph:
    """A file to inspect.

    Attributes:
        path: the file; or a folder that has none to offer.
        place: of its overlay, relative to the folder for overlays.
        error: why there is nothing to inspect; None for any file that may be a photograph, which is read later.
    """

    path: Path
    place: Path
    error: ImageError | None = None


def find_photographs(
    paths: Iterable[Path], out: Path | None = None, ignore: Sequence[str] = ()
) -> list[Photograph]:
    """Every photograph to inspect, once each, in the order of `paths`; folders are searched for images.

    Files named by themselves are taken whatever they hold, but litter that a shell has put among others. In a folder
    photographs are told by their content; every other file, and a folder that cannot be listed, stands among them with
    its error, and litter is said in a sentence. What lies in `out` is no photograph but an overlay of an earlier run.
    The places of overlays mirror the folders searched (each in a folder of its name, where several paths were named),
    and are never those of a photograph or of each other.

    Args:
        paths: files and folders.
        out: folder for overlays, if any are to be written.
        ignore: patterns of names, and of paths below the folders searched, to leave out.

    Raises:
        UsageError: `out` is one of the folders to search.
    """
    paths = list(paths)
    several = len(paths) > 1
    found: dict[Path, Photograph] = {}
    litter: list[Path] = []
    for given in paths:
        if several and is_litter(given.name) and not given.name.startswith("."):
            litter.append(given)
        elif not _is_folder(given):
            if not any(fnmatch(given.name, pattern) for pattern in ignore):
                found.setdefault(given, Photograph(given, Path(given.name)))
        else:
            above = Path(given.resolve().name) if several else Path()
            listing = _search(given, out).without(given, ignore)
            litter += listing.litter
            for photograph in _of_folder(given, listing, above):
                found.setdefault(photograph.path, photograph)
    if litter:
        say(f"Left out, as no photographs: {litter_in_words(litter)}.")
    return placed(list(found.values()), out) if out else list(found.values())


def _search(folder: Path, out: Path | None) -> Listing:
    """What a folder holds, but not in `out`."""
    results = os.path.realpath(out) if out else None
    if results == os.path.realpath(folder):
        raise UsageError(f"--out {out} is a folder to inspect: choose another, for overlays alone.")
    return list_folder(folder, without=results)


def _of_folder(folder: Path, listing: Listing, above: Path) -> list[Photograph]:
    """The photographs of a folder, and in their order what is none."""
    if any(error.path == folder for error in listing.unlistable):
        return [Photograph(folder, above, listing.unlistable[0])]
    found = [Photograph(path, above / path.relative_to(folder)) for path in listing.images]
    wrong = [*map(_left_out, listing.others), *listing.unlistable]
    if not found and all(error.kind == LEFT_OUT for error in wrong):
        return [Photograph(folder, above, _empty(folder, listing))]
    found += [Photograph(error.path, above, error) for error in wrong]
    return sorted(found, key=lambda photograph: photograph.path) if wrong else found


def _empty(folder: Path, listing: Listing) -> ImageError:
    """Why a folder without photographs has none to offer."""
    names = [path.relative_to(folder).as_posix() for path in listing.others[:5]]
    further = f" and {len(listing.others) - 5} more" if len(listing.others) > 5 else ""
    others = f", only {', '.join(names)}{further}" if names else ""
    return ImageError(folder, "empty", f"the folder holds no photographs{others}; name one that does.")


def _left_out(path: Path) -> ImageError:
    """Why a file among photographs is none."""
    try:
        with open_regular(path) as stream:
            start = stream.read(4096)
    except ImageError as error:
        return error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return ImageError(
            path, "unreadable", f"it cannot be read ({reason}); check the disk, or copy it again."
        )
    foreign = foreign_format(start)
    if foreign is not None and not foreign.startswith(_NO_PHOTOGRAPHS):
        try:
            decode_image(start, str(path))
        except ImageError as error:  # of the format, of which no more than the start is looked at
            return error
    ignore = f"""leave it out with --ignore '*{path.suffix or path.name}'"""
    return ImageError(path, LEFT_OUT, f"it is {foreign or 'no image'} and was left out; {ignore}.")


def placed(photographs: Sequence[Photograph], out: Path) -> list[Photograph]:
    """The photographs, with a place of its own for the overlay of each: a JPEG named like the photograph."""
    # In lower case: many disks do not tell a.jpg from A.JPG.
    taken = {str(photograph.path.absolute()).lower() for photograph in photographs}
    placed = []
    for photograph in photographs:
        if photograph.error:
            placed.append(photograph)
            continue
        stem, number = _short(photograph.place.stem), 1
        place = photograph.place.with_name(f"{stem}.jpg")
        while not taken.isdisjoint(own := _lower(out, place)):
            number += 1
            place = photograph.place.with_name(f"{stem}-{number}.jpg")
        taken.update(own)
        placed.append(Photograph(photograph.path, place))
    return placed


def why_place(place: Path) -> Path:
    """Where the picture of an explanation lies, by the place of the overlay."""
    return place.with_name(f"{place.stem}{WHY_SUFFIX}")


def _lower(out: Path, place: Path) -> set[str]:
    """The files that are written of a photograph, in lower case."""
    return {str((out / one).absolute()).lower() for one in (place, why_place(place))}


def _short(stem: str) -> str:
    """A name that leaves room for a number and `.jpg`; of a longer one its beginning and a digest."""
    name = os.fsencode(stem)
    room = LONGEST_NAME - len(f"-1000000{WHY_SUFFIX}")
    if len(name) <= room:
        return stem
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[: room - 17].decode(errors='ignore')}-{digest}"


def _is_folder(path: Path) -> bool:
    """As `Path.is_dir`, but what cannot be asked is none: reading it will say why."""
    with suppress(OSError):
        return path.is_dir()
    return False
