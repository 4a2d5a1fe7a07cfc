"""Image files on disk: which there are in a folder, and their bytes, without hanging and within a limit."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_formats import IMAGE_SUFFIXES, image_format

_LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}
    | {"$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx", "__pycache__"}
    | {"@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "@snapshot", "@__thumb"}
    | {"#recycle", "#snapshot", "#recyclebin", "network trash folder", "temporary items"}
)
"""Names, in lower case, of what Windows, macOS, network storage and disks leave beside photographs."""

_LITTER_STARTS = (".", "~$", "thumbs.db:")
"""How names of litter begin: hidden files, an office's locks, streams of Windows."""

_OWN_SUFFIX = ".blemish"
OVERLAY_MARK = b"Blemish overlay"
"""A comment at the beginning of every overlay, by which it is known and never judged or learnt."""

WHY_SUFFIX = "_why.png"
"""How the picture of an explanation is called beside the overlay; it has the same comment."""

RESULTS, TABLE, JOURNAL = "results.json", "results.csv", ".results.jsonl"
"""Names of what `blemish inspect` writes beside its overlays; each begins as below."""

_RESULTS_OF_INSPECT = "results of blemish inspect"
_RESULTS_STARTS = {RESULTS: b'[\n  {\n    "path": ', TABLE: b"path,verdict,score,"}

_REASONS = {
    errno.ENOENT: ("missing", "there is no such file; check the path"),
    errno.ENOTDIR: ("missing", "there is no such file; check the path"),
    errno.ENAMETOOLONG: ("missing", "there is no such file: the name is too long"),
    errno.EISDIR: (
        "not-an-image",
        "it is a folder, not an image file; name the images in it or rename the folder",
    ),
    errno.ENXIO: ("not-an-image", "it is a socket or a device, not an image file; name a file"),
    errno.EACCES: ("unreadable", "permission to read it is denied; allow it, for example with chmod +r"),
    errno.EPERM: ("unreadable", "permission to read it is denied; allow it, for example with chmod +r"),
    errno.ELOOP: ("missing", "it is a link that leads back to itself; link it to a file"),
}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    Attributes:
        images: photographs: what is named like one (`IMAGE_SUFFIXES`, any case) or begins like one, sorted.
        others: other files, sorted, which whoever looked for photographs has to mention.
        litter: what systems, storage and Blemish itself leave beside photographs; files and whole folders, sorted.
        unlistable: folders that cannot be listed, each with the sentence that says why.
    """

    images: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    litter: tuple[Path, ...] = ()
    unlistable: tuple[ImageError, ...] = ()

    def without(self, folder: Path, patterns: Sequence[str]) -> Listing:
        """The same without what fits one of the patterns; see `is_ignored`."""
        if not patterns:
            return self

        def kept(path: Path) -> bool:
            return not is_ignored(path, folder, patterns)

        return Listing(
            tuple(filter(kept, self.images)),
            tuple(filter(kept, self.others)),
            self.litter,
            tuple(error for error in self.unlistable if kept(error.path)),
        )


def list_folder(folder: Path | str, recursive: bool = True, without: str | None = None) -> Listing:
    """Everything under `folder`, told by its content where the name does not say that it is a photograph.

    Links to folders are followed, each folder once. What is named like an image but is none (a folder
    `x.png`, a broken link) counts as an image, so that reading it tells the user. Overlays of an earlier
    `blemish inspect` are litter.

    Args:
        folder: where to begin.
        recursive: whether its sub-folders are searched.
        without: a folder that is not, as `os.path.realpath` writes it.
    """
    images: list[str] = []
    others: list[str] = []
    litter: list[str] = []
    unlistable: list[ImageError] = []

    def note(error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        sentence = f"it cannot be listed ({reason}): allow it, or leave it out."
        unlistable.append(ImageError(error.filename, "unreadable", sentence))

    seen: set[str] = set()
    with_results: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=note, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or real == without:
            folders.clear()
            continue
        seen.add(real)
        start = os.path.join(parent, "")  # noqa: PTH118 (text: a path for each of a million names takes long)
        litter += [start + name for name in (*folders, *files) if is_litter(name)]
        kept = sorted(name for name in folders if not is_litter(name))
        found = [start + name for name in files if not is_litter(name)]
        photographs = [path for path in found if _named_like_an_image(path) or _begins_like_an_image(path)]
        if parent in with_results or _holds_results(start, files, photographs):
            with_results.update(start + name for name in kept)
            own = {path for path in found if _is_written_by_inspect(path)}
            litter += own
            found = [path for path in found if path not in own]
            photographs = [path for path in photographs if path not in own]
        images += photographs
        others += set(found).difference(photographs)
        images += [start + name for name in kept if _named_like_an_image(name)]
        folders[:] = [name for name in kept if not _named_like_an_image(name)] if recursive else []
    return Listing(_sorted(images), _sorted(others), _sorted(litter), tuple(unlistable))


def _sorted(paths: Iterable[str]) -> tuple[Path, ...]:
    return tuple(sorted(map(Path, paths)))


def list_images(folder: Path | str, recursive: bool = True) -> list[Path]:
    """The photographs under `folder`, sorted; see `list_folder`.

    Raises:
        UsageError: `folder` or a folder in it cannot be listed.
    """
    listing = list_folder(folder, recursive)
    for error in listing.unlistable:
        raise UsageError(str(error))
    return list(listing.images)


def is_photograph(path: Path | str) -> bool:
    """Whether a path is a photograph's rather than a folder's or a table's: by its name, or how the file begins."""
    return _named_like_an_image(str(path)) or _begins_like_an_image(str(path))


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is what a system, a storage or an editor leaves beside photographs.

    Hidden files and an inspector of Blemish's are, too.
    """
    lower = name.lower()
    return lower.startswith(_LITTER_STARTS) or lower in _LITTER or lower.endswith(_OWN_SUFFIX)


def litter_in_words(litter: Sequence[Path]) -> str:
    """How much litter there is, of which kinds, for a sentence: `@eaDir, Thumbs.db (3) and hidden files (2)`."""
    kinds = Counter(_kind_of_litter(path.name) for path in litter)
    said = [kind if count == 1 else f"{kind} ({count})" for kind, count in sorted(kinds.items())]
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def is_ignored(path: Path, folder: Path, patterns: Sequence[str]) -> bool:
    """Whether a pattern as `*.bak` or `old/*` fits a path below `folder`, its name, or a folder that it lies in."""
    relative = path.relative_to(folder) if path.is_relative_to(folder) else path
    texts = {relative.as_posix(), *relative.parts, *(above.as_posix() for above in relative.parents)}
    return any(fnmatch(text, pattern) for text in texts for pattern in patterns)


def _kind_of_litter(name: str) -> str:
    """What a piece of litter is called: by its name, unless there are many names for the same."""
    if name.lower().endswith(_OWN_SUFFIX):
        return "inspectors"
    if name.lower() in _LITTER or name in (".DS_Store", ".ipynb_checkpoints"):
        return name.strip()
    if name == JOURNAL:
        return _RESULTS_OF_INSPECT
    if name.startswith("._"):
        return "._* of macOS"
    if name.startswith("."):
        return "hidden files"
    return f"{name[:2]}*" if name.lower().startswith(_LITTER_STARTS) else _RESULTS_OF_INSPECT


def _named_like_an_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 (a path takes ten times as long)


def _begins_like_an_image(path: str) -> bool:
    return image_format(_beginning(path)) is not None


def _holds_results(start: str, files: Sequence[str], photographs: Sequence[str]) -> bool:
    """Whether `blemish inspect` has written into a folder: the results, or an overlay."""
    if JOURNAL in files or (RESULTS in files and _is_written_by_inspect(start + RESULTS)):
        return True
    first = next((path for path in photographs if path.endswith(".jpg")), None)
    return first is not None and _is_written_by_inspect(first)


def _is_written_by_inspect(path: str) -> bool:
    """Whether a file is an overlay, `results.json` or `results.csv` of `blemish inspect`, by how it begins."""
    if path.endswith((".jpg", WHY_SUFFIX)):
        return OVERLAY_MARK in _beginning(path)
    start = _RESULTS_STARTS.get(os.path.basename(path))  # noqa: PTH119 (as above)
    return start is not None and _beginning(path).startswith(start)


def _beginning(path: str) -> bytes:
    """The first bytes of a file, its comment among them; none of what cannot be read."""
    try:
        with open_regular(path) as stream:
            return stream.read(96)
    except (ImageError, OSError):
        return b""


def open_regular(path: Path | str) -> IO[bytes]:
    """Open a regular file for reading; folders, pipes, sockets and devices are refused and never wait.

    Raises:
        ImageError: kind missing, unreadable, empty or not-an-image.
    """
    try:
        stream: IO[bytes] = io.BufferedReader(io.FileIO(str(path), opener=_open_without_waiting))
    except ValueError as error:  # a zero byte in the name
        raise ImageError(path, "missing", "no file can have this name; check the path.") from error
    except OSError as error:
        raise _open_error(path, error) from error
    status = os.fstat(stream.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return stream
    stream.close()
    if stat.S_ISREG(status.st_mode):
        raise ImageError(path, "empty", "the file is empty (0 bytes); copy or take the photograph again.")
    raise ImageError(path, "not-an-image", "it is a pipe or a device, not an image file; name a file.")


def read_content(path: Path | str, max_bytes: int) -> bytes:
    """The bytes of a regular file, refused unread if there are more than `max_bytes`.

    Raises:
        ImageError: kind missing, unreadable, empty, not-an-image or too-large.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > max_bytes:
            raise ImageError(path, "too-large", too_many_bytes(size, max_bytes))
        try:
            # Not `read()`: a file that grows meanwhile must not get past the limit.
            return stream.read(size)
        except OSError as error:
            raise _open_error(path, error) from error
        except MemoryError as error:
            detail = f"there is not enough memory to read its {size:,} bytes; close other programs, or save it smaller."
            raise ImageError(path, "too-large", detail) from error


def too_many_bytes(size: int, max_bytes: int, option: str = "") -> str:
    """The sentence for a file of more than the allowed bytes, which `option` raises if there is one."""
    raised = f", or raise the limit with {option}" if option else ""
    return (
        f"the file has {size:,} bytes, more than the limit of {max_bytes:,}; "
        f"save it smaller (compressed PNG){raised}."
    )


def _open_without_waiting(path: str, flags: int) -> int:
    """Open so that a pipe without a writer returns at once instead of hanging."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_error(path: Path | str, error: OSError) -> ImageError:
    """One sentence for what kept a file from being opened or read."""
    with suppress(OSError, KeyError):
        if error.errno == errno.ENOENT and Path(path).is_symlink():
            target = os.readlink(path)  # noqa: PTH115 (the text of the link, as it stands)
            return ImageError(path, "missing", f"it is a link to {target}, which does not exist; restore it.")
        kind, detail = _REASONS[error.errno or 0]
        return ImageError(path, kind, detail + ".")
    reason = (error.strerror or str(error)).lower()
    return ImageError(path, "unreadable", f"it cannot be read ({reason}); check the disk, or copy it again.")
