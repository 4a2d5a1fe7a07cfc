"""Safe extraction of tar archives: nothing outside the folder, no links, no devices, a limit on size."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from blemish.core.errors import DownloadError
from blemish.core.progress import task

MOST_MEMBERS = 100_000


def extract_tar(archive: Path, folder: Path, most_bytes: int) -> None:
    """Unpack the plain files and folders of a tar archive (any compression) into `folder`.

    Every member is looked at before its first byte is written (Python's `tarfile` data filter on top):
    absolute names, "..", links and devices are refused, and so is an archive whose files exceed `most_bytes`
    together.

    Raises:
        DownloadError: the archive is damaged, or holds something that a data set has no business to hold.
    """
    written = members = 0
    try:
        with (
            task(f"Unpacking {archive.name}", total=archive.stat().st_size, unit="bytes") as advance,
            archive.open("rb") as packed,
            tarfile.open(fileobj=packed, mode="r:*") as tar,
        ):
            read = 0
            for member in _checked(tar, archive):
                written, members = written + member.size, members + 1
                if written > most_bytes or members > MOST_MEMBERS:
                    raise DownloadError(
                        f"{archive} unpacks to more than {most_bytes:,} bytes: it was not unpacked further."
                    )
                tar.extract(member, folder, filter="data")
                advance(packed.tell() - read)
                read = packed.tell()
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise DownloadError(
            f"{archive} cannot be unpacked ({reason}): delete it and download it again."
        ) from error


def _checked(tar: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        name = PurePosixPath(member.name.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in (name.parts or ("",))[0]:
            raise DownloadError(
                f"{archive} wants to write outside its folder ({member.name}): it was not unpacked."
            )
        if not (member.isreg() or member.isdir()):
            raise DownloadError(f"{archive} holds a link or device ({member.name}): it was not unpacked.")
        yield member
