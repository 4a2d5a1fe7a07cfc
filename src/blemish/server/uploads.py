"""Safe unpacking of an uploaded zip of photographs: everything is checked before the first byte is written.

A zip is a stranger's claim about itself. What it says of counts and sizes is held against limits first; names that lead
out of the folder, links, devices, encrypted members and archives in the archive are refused; what is written is counted
again; and whatever goes wrong, nothing is left behind.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.
"""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from blemish.core.errors import UsageError
from blemish.core.image_formats import IMAGE_SUFFIXES, image_format

_END = struct.Struct("<4s4H2LH")  # the end record of a zip
_LARGE_ZIP_LOCATOR, _LARGE_ZIP_LOCATOR_SIZE = b"PK\x06\x07", 20
_ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".jar"})
_CHUNK = 2**20
_SNIFFED = 64

# Whatever the standard library raises on a zip that lies about itself.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    struct.error,
)


class UploadError(UsageError):
    """An upload is refused.

    Attributes:
        status: the HTTP status that fits: 413 too large, 415 not a zip, 422 not what it should hold.
    """

    def __init__(self, sentence: str, status: int = 422) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class UploadLimits:
    """What a zip may ask for.

    Attributes:
        archive_bytes: size of the zip itself.
        entries: members, folders and other files included.
        file_bytes: one photograph, unpacked.
        total_bytes: all photographs, unpacked.
        ratio: unpacked bytes for each byte of the zip; photographs are compressed already.
        table_bytes: size of the zip's table of contents, which is read as a whole.
        depth: folders in each other.
    """

    archive_bytes: int = 2 * 2**30
    entries: int = 20_000
    file_bytes: int = 256 * 2**20
    total_bytes: int = 8 * 2**30
    ratio: int = 200
    table_bytes: int = 8 * 2**20
    depth: int = 8


DEFAULT_LIMITS = UploadLimits()


@dataclass(frozen=True)
class Unpacked:
    """What came out of a zip: number of photographs, and the names of files that were left out."""

    images: int
    left_out: tuple[str, ...]


def unpack_images(archive: Path, folder: Path, limits: UploadLimits = DEFAULT_LIMITS) -> Unpacked:
    """Unpack the photographs of a zip into `folder`, which must not exist; it appears whole or not at all.

    Files that are not named like photographs, or do not begin like one, are left out and listed.

    Raises:
        UploadError: the zip is refused; nothing was written, or all of it was removed again.
    """
    _check_table(archive, limits)
    try:
        with zipfile.ZipFile(archive) as packed:
            images, left_out = _chosen(packed.infolist(), archive.stat().st_size, limits)
            folder.parent.mkdir(parents=True, exist_ok=True)
            room = shutil.disk_usage(folder.parent).free
            if sum(member.file_size for member, _ in images) > room:
                raise UploadError(
                    f"The disk has only {room:,} bytes free, too few for this zip: free some.", 413
                )
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
                inside = Path(temporary) / "images"
                written = [place for member, place in images if _write(packed, member, inside / place)]
                if not written:
                    raise UploadError(
                        "No file in this zip is a photograph: put PNG, JPEG, BMP, TIFF or WebP in it."
                    )
                inside.rename(folder)
    except _ZIP_ERRORS as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UploadError(f"The zip cannot be unpacked ({reason}): make it anew.") from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise UploadError(f"The zip cannot be unpacked because {reason}.", 413 if full else 422) from error
    began_otherwise = {str(place) for _, place in images} - {str(place) for place in written}
    return Unpacked(len(written), tuple(sorted({*left_out, *began_otherwise})))


def _check_table(archive: Path, limits: UploadLimits) -> None:
    """Count members and bytes by the zip's end record, before its table of contents is read."""
    size = archive.stat().st_size
    if size > limits.archive_bytes:
        raise UploadError(
            f"The zip has {size:,} bytes, more than the limit of {limits.archive_bytes:,}: send fewer photographs, "
            "or name a folder on the server.",
            413,
        )
    with archive.open("rb") as stream:
        start = stream.read(4)
        stream.seek(max(0, size - _END.size - 0xFFFF - _LARGE_ZIP_LOCATOR_SIZE))
        tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if start != b"PK\x03\x04" or place < 0 or len(tail) - place < _END.size:
        raise UploadError("This is not a zip, or it is cut short: send the photographs as a .zip.", 415)
    _, disk, _, _, entries, table, _, _ = _END.unpack(tail[place : place + _END.size])
    locator = tail[place - _LARGE_ZIP_LOCATOR_SIZE : place] if place >= _LARGE_ZIP_LOCATOR_SIZE else b""
    if disk or locator.startswith(_LARGE_ZIP_LOCATOR) or 0xFFFF in (entries, table):
        raise UploadError(
            "A zip in several volumes or in the large format is not read: make several small ones."
        )
    if entries > limits.entries or table > limits.table_bytes:
        raise UploadError(
            f"The zip lists {entries:,} files in {table:,} bytes, more than the limit of {limits.entries:,} files in "
            f"{limits.table_bytes:,} bytes: send fewer photographs.",
            413,
        )


def _chosen(
    members: Sequence[zipfile.ZipInfo], archive_bytes: int, limits: UploadLimits
) -> tuple[list[tuple[zipfile.ZipInfo, PurePosixPath]], list[str]]:
    """Photographs with their places, and names of what is left out; all members are checked."""
    if len(members) > limits.entries:
        raise UploadError(f"The zip lists more than {limits.entries:,} files: send fewer photographs.", 413)
    images: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    left_out: list[str] = []
    for member in members:
        place = _place(member, limits)
        if member.is_dir():
            continue
        if place.suffix.lower() in _ARCHIVE_SUFFIXES:
            raise UploadError(f"The zip holds another archive ({_shown(member)}): unpack that one first.")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
        if hidden or place.suffix.lower() not in IMAGE_SUFFIXES:
            left_out.append(str(place))
        else:
            images.append((member, place))
    _check_sizes(members, archive_bytes, limits)
    places = [str(place).lower() for _, place in images]
    if len(set(places)) < len(places):
        raise UploadError("The zip holds two files of the same name: rename one.")
    return images, left_out


def _check_sizes(members: Sequence[zipfile.ZipInfo], archive_bytes: int, limits: UploadLimits) -> None:
    """Hold the sizes that members claim against the limits."""
    total = sum(member.file_size for member in members)
    largest = max((member.file_size for member in members), default=0)
    if largest > limits.file_bytes or total > limits.total_bytes:
        raise UploadError(
            f"The zip unpacks to {total:,} bytes, the largest file to {largest:,}; the limits are "
            f"{limits.total_bytes:,} and {limits.file_bytes:,}: send fewer or smaller photographs.",
            413,
        )
    if total > limits.ratio * archive_bytes:
        raise UploadError(
            f"The zip unpacks to {total / max(archive_bytes, 1):,.0f} times its size, which no photographs do: it is "
            "not unpacked.",
            413,
        )


def _place(member: zipfile.ZipInfo, limits: UploadLimits) -> PurePosixPath:
    """Where a member goes below the folder; refused unless it is a plain file or folder that stays inside."""
    # `filename` has been cut at a zero byte; the original name tells.
    name = member.orig_filename.replace("\\", "/")
    place = PurePosixPath(name)
    outside = place.is_absolute() or ".." in place.parts or ":" in name or not place.parts
    if outside or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise UploadError(
            f"The zip wants to write outside its folder ({_shown(member)}): it is not unpacked."
        )
    if len(place.parts) > limits.depth or any(len(part.encode()) > 200 for part in place.parts):
        raise UploadError(f"A name in the zip is too long or too deep ({_shown(member)}): shorten it.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UploadError(f"The zip holds a link or device ({_shown(member)}): it is not unpacked.")
    if member.flag_bits & 0x41:
        raise UploadError("The zip is encrypted: send it without a password.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UploadError("The zip is compressed in an unusual way: make an ordinary one.")
    return place


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> bool:
    """Write one photograph; False, and nothing written, if it does not begin like one."""
    with packed.open(member) as source:
        start = source.read(_SNIFFED)
        if image_format(start) is None:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            out.write(start)
            _copy(source, out, member.file_size - len(start))
    return True


def _copy(source: IO[bytes], out: IO[bytes], left: int) -> None:
    while chunk := source.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise UploadError("A file in the zip is larger than the zip says: it is not unpacked.")
        out.write(chunk)


def _shown(member: zipfile.ZipInfo) -> str:
    """A member's name, fit to stand in a sentence."""
    return "".join(letter if letter.isprintable() else "?" for letter in member.orig_filename)[:80]
