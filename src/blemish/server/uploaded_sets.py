"""Uploaded sets: photographs that arrive file by file, kept until jobs have been started with them.

A set is a folder in the home. Each file is written beside it first, decoded within limits, and only then moved in, so
that a set holds whole photographs alone; what is refused is told by its own name and leaves nothing behind. A set
outlives a restart, and is removed a day after its last file. Jobs get links to its files: a set serves several.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from blemish.core.errors import ImageError, NotFoundError
from blemish.core.image_files import is_litter, read_content
from blemish.core.images import DecodeLimits, decode_photograph
from blemish.core.storage import file_digest
from blemish.server.uploaded_set import KeptSet, LeftOut, found_set
from blemish.server.uploads import ARCHIVE_SUFFIXES, DEFAULT_LIMITS, UploadError, UploadLimits, unpack_images

KEPT_SECONDS = 24 * 3600.0
"""How long a set is kept after its last file."""

MOST_SETS = 50
MOST_LISTED = 1000
"""Files left out that are listed by name; the others are counted."""

RESERVED_BYTES = 256 * 2**20
"""Room on the disk that uploads leave to the history."""

_LEAST = (64, 64)  # enough to know that a photograph can be read; JPEG is decoded at an eighth for it
_DECODED_AT_ONCE = 2
_MOST_NAME_BYTES = 200
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Received:
    """What became of a file.

    Attributes:
        name: under which it is kept: another than was sent where that one is another photograph's.
        photographs: that it has added; 1, or those of a zip, or 0 where it is known already or left out.
        left_out: itself, or files of a zip.
    """

    name: str
    photographs: int
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class UploadedSet:
    """A set as it stands.

    Attributes:
        id: its name.
        by: who began it, and `created`, when, and `expires`, when it is removed, in UTC.
        photographs, bytes: how many, and how large in sum.
        folders: photographs by the first folder of their names; "" has those that lie in none.
        left_out: files that are not used, those latest sent last; `left_out_count` counts them where they are many.
    """

    id: str
    by: str
    created: datetime
    expires: datetime
    photographs: int
    bytes: int
    folders: dict[str, int]
    left_out: tuple[LeftOut, ...]
    left_out_count: int


class UploadedSets:
    """All sets of a server.

    Args:
        folder: where they are; made if need be.
        decoding: what a photograph may ask for.
        limits: how many files and bytes, of a set and of a zip.
    """

    def __init__(self, folder: Path, decoding: DecodeLimits, limits: UploadLimits = DEFAULT_LIMITS) -> None:
        self._folder, self._decoding, self._limits = folder, decoding, limits
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_DECODED_AT_ONCE)
        self._sets = {path.name: found for path in sorted(folder.iterdir()) if (found := found_set(path))}
        self.prune()

    def create(self, by: str = "local") -> UploadedSet:
        """Begin a set.

        Raises:
            UploadError: too many are kept already.
        """
        self.prune()
        with self._lock:
            if len(self._sets) >= MOST_SETS:
                said = f"{MOST_SETS} uploads are kept already: remove one, or start jobs with fewer."
                raise UploadError(said, 503)
            now = datetime.now(UTC)
            identity = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(6)}"
            made = KeptSet(self._folder / identity, by, now)
            made.make()
            self._sets[identity] = made
        return self.get(identity)

    def get(self, identity: str) -> UploadedSet:
        """A set as it stands.

        Raises:
            NotFoundError: there is none of that name, or not any more.
        """
        found = self._set(identity)
        with found.lock:
            latest = list(found.left_out.items())[-MOST_LISTED:]
            return UploadedSet(
                id=identity,
                by=found.by,
                created=found.created,
                expires=datetime.fromtimestamp(found.touched + KEPT_SECONDS, UTC),
                photographs=len(found.sizes),
                bytes=found.bytes,
                folders=dict(Counter(name.partition("/")[0] if "/" in name else "" for name in found.sizes)),
                left_out=tuple(LeftOut(name, reason) for name, reason in latest),
                left_out_count=len(found.left_out),
            )

    def most_bytes(self, name: str) -> int:
        """Bytes that a file of this name may have: a zip more than a photograph."""
        if PurePosixPath(name).suffix.lower() == ".zip":
            return self._limits.archive_bytes
        return min(self._decoding.max_bytes, self._limits.file_bytes)

    def check_room(self, identity: str, size: int) -> None:
        """Refuse a file before it arrives.

        Raises:
            NotFoundError: there is no such set.
            UploadError: the set would have too many files or bytes, or the disk too little room.
        """
        found = self._set(identity)
        limits = self._limits
        if len(found.sizes) >= limits.entries or found.bytes + size > limits.total_bytes:
            raise UploadError(
                f"The upload has {len(found.sizes):,} photographs of {found.bytes:,} bytes, and may have "
                f"{limits.entries:,} of {limits.total_bytes:,}: start a job with these, or name a folder on the "
                "server.",
                413,
            )
        if shutil.disk_usage(self._folder).free < size + RESERVED_BYTES:
            raise UploadError("The server's disk is full: free some space on it, and send this again.", 507)

    @contextmanager
    def incoming(self, identity: str) -> Iterator[IO[bytes]]:
        """A file to write what arrives to, for `add`; it is removed at the end if it still is there.

        Raises:
            NotFoundError: there is no such set.
        """
        folder = self._set(identity).incoming
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                yield file.file
            finally:
                Path(file.name).unlink(missing_ok=True)

    def add(self, identity: str, name: str, file: Path) -> Received:
        """Take a file into a set if it is a photograph, or a zip of some.

        A name that another photograph has gets a number; the same photograph under the same name again changes nothing.

        Args:
            identity: of the set.
            name: as it was sent, with folders before it.
            file: its content, which is moved.

        Raises:
            NotFoundError: there is no such set.
            UploadError: the name cannot be kept, or the set or the disk is full.
        """
        found, place = self._set(identity), checked_name(name, self._limits.depth)
        self.check_room(identity, file.stat().st_size)
        if place.suffix.lower() == ".zip":
            received = self._add_zip(found, place, file)
        elif reason := self._refusal(place, file):
            received = Received(str(place), 0, (LeftOut(str(place), reason),))
        else:
            kept, is_new = self._keep(found, place, file)
            received = Received(kept, int(is_new))
        with found.lock:
            if not received.left_out:
                found.take_in(str(place))
            for one in received.left_out:
                found.leave_out(one)
            found.touch()
        return received

    def remove(self, identity: str) -> None:
        """Forget a set with its files; jobs that were started with it keep theirs.

        Raises:
            NotFoundError: there is no such set.
        """
        found = self._set(identity)
        with self._lock:
            self._sets.pop(identity, None)
        shutil.rmtree(found.folder, ignore_errors=True)

    def hand_out(self, identity: str, folder: Path) -> UploadedSet:
        """Link all photographs of a set into `folder`, which must not exist.

        Raises:
            NotFoundError: there is no such set.
            UploadError: it has no photograph, or there is no room for them.
        """
        found = self._set(identity)
        with found.lock:
            if not found.sizes:
                raise UploadError("There is no photograph in this upload: send some, then start the job.")
            shutil.copytree(found.photographs, folder, copy_function=_linked)
            return self.get(identity)

    def prune(self) -> None:
        """Remove the sets that no file has come to for a day."""
        now = time.time()
        for identity, found in list(self._sets.items()):
            if now - found.touched > KEPT_SECONDS:
                with suppress(NotFoundError):
                    self.remove(identity)

    def _set(self, identity: str) -> KeptSet:
        with self._lock:
            if identity not in self._sets:
                raise NotFoundError(
                    f"There is no upload {identity[:40]!r}: it was removed, or a day has passed; send the photographs "
                    "again."
                )
            return self._sets[identity]

    def _refusal(self, place: PurePosixPath, file: Path) -> str | None:
        """Why a file is not used, in one sentence; None if it is a photograph that can be read."""
        if any(map(is_litter, place.parts)):
            return "systems keep such files beside photographs; it is none."
        if place.suffix.lower() in ARCHIVE_SUFFIXES:
            return "it is an archive; unpack it, or send a zip."
        with self._turns:
            try:
                content = read_content(file, self._decoding.max_bytes)
                decode_photograph(content, str(place), self._decoding, least=_LEAST)
            except ImageError as error:
                return error.detail
        return None

    def _keep(self, found: KeptSet, place: PurePosixPath, file: Path) -> tuple[str, bool]:
        """Move a photograph into a set; its name there, and whether it was not there before."""
        digest = file_digest(file)
        with found.lock:
            name, number = str(place), 1
            while other := found.known.get(name.casefold()):
                if other == name and file_digest(found.photographs / other) == digest:
                    return name, False
                number += 1
                name = str(place.with_name(f"{place.stem} ({number}){place.suffix}"))
            target = found.photographs / name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
            target.chmod(0o600)
            found.note(name, target.stat().st_size)
            return name, True

    def _add_zip(self, found: KeptSet, place: PurePosixPath, file: Path) -> Received:
        """Take the photographs of a zip, into the folder that the zip itself was sent in."""
        left_out: list[LeftOut] = []
        count = 0
        with tempfile.TemporaryDirectory(dir=found.incoming) as temporary:
            inside = Path(temporary) / "unpacked"
            try:
                unpacked = unpack_images(file, inside, self._limits)
            except UploadError as error:
                if error.status == 507:
                    raise
                return Received(str(place), 0, (LeftOut(str(place), str(error)),))
            said = "it does not hold an image."
            left_out += [LeftOut(str(place.parent / name), said) for name in unpacked.left_out]
            for path in sorted(path for path in inside.rglob("*") if path.is_file()):
                inner = PurePosixPath(path.relative_to(inside).as_posix())
                self.check_room(found.folder.name, path.stat().st_size)
                if reason := self._refusal(inner, path):
                    left_out.append(LeftOut(str(place.parent / inner), reason))
                else:
                    count += self._keep(found, place.parent / inner, path)[1]
        return Received(str(place), count, tuple(left_out))


def checked_name(name: str, depth: int = DEFAULT_LIMITS.depth) -> PurePosixPath:
    """A file's name as it was sent, with folders before it, if it can be kept below a folder.

    Raises:
        UploadError: it leads elsewhere, or is none that a disk takes.
    """
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)[:80]
    plain = name.replace("\\", "/")
    place = PurePosixPath(plain)
    if place.is_absolute() or ".." in place.parts or _DRIVE.match(plain) or not place.parts:
        raise UploadError(
            f"The name {shown!r} leads elsewhere: send the file's name, with folders before it."
        )
    if any(ord(letter) < 32 or ord(letter) == 127 or "\ud800" <= letter <= "\udfff" for letter in name):
        raise UploadError(f"The name {shown!r} holds control characters: rename that file.")
    if len(place.parts) > depth:
        raise UploadError(f"The name {shown!r} lies in more than {depth - 1} folders: send it with fewer.")
    place = PurePosixPath(*map(_shortened, place.parts))
    if os.name == "nt":
        place = PurePosixPath(*(re.sub(r'[<>:"|?*]', "_", part) for part in place.parts))
    return place


def _shortened(part: str) -> str:
    """A file's or folder's name, if need be as long as every disk takes it, with a number added; not two the same."""
    if len(part.encode()) <= _MOST_NAME_BYTES:
        return part
    suffix = PurePosixPath(part).suffix[:16]
    start = part.encode()[: _MOST_NAME_BYTES - 64].decode("utf-8", "ignore")
    return f"{start}~{hashlib.sha256(part.encode()).hexdigest()[:16]}{suffix}"


def _linked(source: str, target: str) -> str:
    """Link a file, or copy it where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
