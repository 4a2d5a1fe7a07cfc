"""Safe unpacking of an uploaded zip of photographs: everything is checked before the first byte is written.

A zip is a stranger's claim about itself. What it says of counts and sizes is held against limits first; names that lead
out of the folder, links, devices, encrypted members and archives in the archive are refused; what is written is counted
again; and whatever goes wrong, nothing is left behind.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from blemish.core.errors import UsageError
from blemish.core.image_files import is_litter
from blemish.core.image_formats import image_format

_END = struct.Struct("<4s4H2LH")  # the end record of a zip
_LARGE_END = struct.Struct("<4sQ2H2L4Q")  # the end record of a large zip, before its locator
_LOCATOR = struct.Struct("<4sLQL")
_BEGINNINGS = (b"PK\x03\x04", b"PK\x07\x08PK\x03\x04", b"PK00PK\x03\x04")
"""The latter two: written for several volumes, and then one was enough."""

_METHODS = {
    6: "imploding",
    9: "Deflate64, as Windows does with files of 2 GB",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
}
_READ_BY_US = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_UNICODE_NAME = 0x7075  # an extra field, 4.6.9
_UTF8_FLAG = 0x800
_DRIVE = re.compile(r"[A-Za-z]:")
ARCHIVE_SUFFIXES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".jar"})
_CHUNK = 2**20
_CHUNK_BZIP2 = 2**12  # each 45 bytes may become 900,000
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
        status: the HTTP status that fits: 413 too large, 415 not a zip, 422 not what it should hold, 507 a full disk.
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

    Photographs are told by how they begin, whatever they are called; what else there is, is left out and listed.

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
                    f"The disk has only {room:,} bytes free, too few for this zip: free some.", 507
                )
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
                inside = Path(temporary) / "images"
                written = [place for member, place in images if _write(packed, member, inside / place)]
                if not written:
                    raise UploadError(
                        f"None of the {len(images) + len(left_out)} files in this zip is a photograph: put PNG, JPEG, "
                        "BMP, TIFF or WebP in it."
                    )
                inside.rename(folder)
    except _ZIP_ERRORS as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UploadError(f"The zip cannot be unpacked ({reason}): make it anew.") from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        way_out = "free some space on it" if full else "make it anew"
        raise UploadError(
            f"The zip cannot be unpacked because {reason}: {way_out}.", 507 if full else 422
        ) from error
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
        start = stream.read(8)
        stream.seek(max(0, size - _END.size - 0xFFFF - _LOCATOR.size - _LARGE_END.size))
        tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if start[:4] == b"PK\x05\x06" and size < 2**16:
        raise UploadError("The zip is empty: put photographs in it.")
    if not start.startswith(_BEGINNINGS) or place < 0 or len(tail) - place < _END.size:
        raise UploadError("This is not a zip, or it is cut short: send the photographs as a .zip.", 415)
    _, disk, _, _, entries, table, _, _ = _END.unpack(tail[place : place + _END.size])
    if (large := _large_end(tail[:place])) is not None:
        disk, entries, table = large
    if disk:
        raise UploadError("A zip in several volumes is not read: make one, or several small ones.")
    if entries > limits.entries or table > limits.table_bytes:
        raise UploadError(
            f"The zip lists {entries:,} files in {table:,} bytes, more than the limit of {limits.entries:,} files in "
            f"{limits.table_bytes:,} bytes: send fewer photographs.",
            413,
        )


def _large_end(before: bytes) -> tuple[int, int, int] | None:
    """Volume, members and bytes of the table by a large zip's own end record, at the end of `before`; None without.

    Where the library looks for it: right before its locator.
    """
    at = len(before) - _LOCATOR.size
    if at < _LARGE_END.size or not before.startswith(b"PK\x06\x07", at):
        return None
    record = before[at - _LARGE_END.size : at]
    if not record.startswith(b"PK\x06\x06"):
        raise UploadError("The end of this large zip is damaged: make it anew.")
    _, _, _, _, disk, _, _, entries, table, _ = _LARGE_END.unpack(record)
    return disk, entries, table


def _chosen(
    members: Sequence[zipfile.ZipInfo], archive_bytes: int, limits: UploadLimits
) -> tuple[list[tuple[zipfile.ZipInfo, PurePosixPath]], list[str]]:
    """What may be photographs, with their places, and names of what is left out; all members are checked."""
    if len(members) > limits.entries:
        raise UploadError(f"The zip lists more than {limits.entries:,} files: send fewer photographs.", 413)
    images: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    left_out: list[str] = []
    for member in members:
        place = _place(member, limits)
        if member.is_dir():
            continue
        if place.suffix.lower() in ARCHIVE_SUFFIXES:
            raise UploadError(f"The zip holds another archive ({_shown(member)}): unpack that one first.")
        if any(map(is_litter, place.parts)):
            left_out.append(str(place))
        else:
            images.append((member, place))
    _check_sizes(members, archive_bytes, limits)
    known: dict[str, zipfile.ZipInfo] = {}
    for member, place in images:
        # Two that differ only in upper and lower case are one file on many disks.
        other = known.setdefault(str(place).casefold(), member)
        if other is not member:
            raise UploadError(
                f"The zip holds two files of the same name ({_shown(other)} and {_shown(member)}): rename one."
            )
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
    name = _name(member).replace("\\", "/")
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or _DRIVE.match(name) or not place.parts:
        raise UploadError(
            f"The zip wants to write outside its folder ({_shown(member)}): it is not unpacked."
        )
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise UploadError(f"A name in the zip holds control characters ({_shown(member)}): rename that file.")
    if os.name == "nt":
        place = PurePosixPath(*(re.sub(r'[<>:"|?*]', "_", part) for part in place.parts))
    if len(place.parts) > limits.depth or any(len(part.encode()) > 200 for part in place.parts):
        raise UploadError(f"A name in the zip is too long or too deep ({_shown(member)}): shorten it.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UploadError(f"The zip holds a link or device ({_shown(member)}): it is not unpacked.")
    if member.flag_bits & 0x41:
        raise UploadError("The zip is encrypted: send it without a password.")
    if member.compress_type not in _READ_BY_US:
        method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise UploadError(
            f"The zip is compressed in an unusual way ({method}): make an ordinary one, with Deflate, of "
            "fewer photographs if they are many."
        )
    return place


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name: UTF-8 wherever it is, also where macOS does not say so; else by the rule, code page 437."""
    # `filename` has been cut at a zero byte; the original name tells.
    if member.flag_bits & _UTF8_FLAG:
        return member.orig_filename
    said = member.orig_filename.encode("cp437")
    for kind, value in _extra_fields(member.extra):
        if kind == _UNICODE_NAME and value[1:5] == struct.pack("<L", zlib.crc32(said)):
            said = value[5:]
    try:
        return said.decode("utf-8")
    except UnicodeDecodeError:
        return member.orig_filename


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> bool:
    """Write one photograph; False, and nothing written, if it does not begin like one."""
    chunk = _CHUNK_BZIP2 if member.compress_type == zipfile.ZIP_BZIP2 else _CHUNK
    with packed.open(member) as source:
        start = source.read(_SNIFFED)
        if image_format(start) is None:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            out.write(start)
            _copy(source, out, member.file_size - len(start), chunk)
    return True


def _copy(source: IO[bytes], out: IO[bytes], left: int, at_once: int) -> None:
    while chunk := source.read(at_once):
        left -= len(chunk)
        if left < 0:
            raise UploadError("A file in the zip is larger than the zip says: it is not unpacked.")
        out.write(chunk)


def _shown(member: zipfile.ZipInfo) -> str:
    """A member's name, fit to stand in a sentence."""
    return "".join(letter if letter.isprintable() else "?" for letter in _name(member))[:80]
