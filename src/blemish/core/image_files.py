"""Image files on disk: which there are in a folder, and their bytes, without hanging and within a limit."""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_formats import IMAGE_SUFFIXES, image_format

_LITTER = frozenset(
    {"thumbs.db", "desktop.ini", "@eadir", "#recycle", "$recycle.bin", "system volume information"}
    | {"lost+found", "__macosx"}
)
"""Names, in lower case, of what Windows, macOS, network storage and disks leave beside photographs."""

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


def list_folder(folder: Path | str, recursive: bool = True) -> Listing:
    """Everything under `folder`, told by its content where the name does not say that it is a photograph.

    Links to folders are followed, each folder once. What is named like an image but is none (a folder
    `x.png`, a broken link) counts as an image, so that reading it tells the user.
    """
    images: list[Path] = []
    others: list[Path] = []
    litter: list[Path] = []
    unlistable: list[ImageError] = []

    def note(error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        sentence = f"it cannot be listed ({reason}): allow it, or leave it out."
        unlistable.append(ImageError(error.filename, "unreadable", sentence))

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=note, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        litter += [Path(parent, name) for name in (*folders, *files) if is_litter(name)]
        kept = sorted(name for name in folders if not is_litter(name))
        for name in files:
            if not is_litter(name):
                path = Path(parent, name)
                (images if _named_like_an_image(name) or _begins_like_an_image(path) else others).append(path)
        images += [Path(parent, name) for name in kept if _named_like_an_image(name)]
        folders[:] = [name for name in kept if not _named_like_an_image(name)] if recursive else []
    return Listing(tuple(sorted(images)), tuple(sorted(others)), tuple(sorted(litter)), tuple(unlistable))


def list_images(folder: Path | str, recursive: bool = True) -> list[Path]:
    """The photographs under `folder`, sorted; see `list_folder`.

    Raises:
        UsageError: `folder` or a folder in it cannot be listed.
    """
    listing = list_folder(folder, recursive)
    for error in listing.unlistable:
        raise UsageError(str(error))
    return list(listing.images)


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is what a system, a storage or an editor leaves beside photographs."""
    return name.startswith(".") or name.lower() in _LITTER


def _named_like_an_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def _begins_like_an_image(path: Path) -> bool:
    try:
        with open_regular(path) as stream:
            return image_format(stream.read(64)) is not None
    except ImageError:
        return False


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
