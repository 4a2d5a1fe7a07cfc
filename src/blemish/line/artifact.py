"""The artifact `NAME.blemish`: one file that holds all that a line needs, and that a stranger may have sent.

It is a zip of uncompressed members: `manifest.json` first, then networks as `.onnx` and arrays as `.npy`. The
manifest holds the SHA-256 of every member, and the zip's comment that of the manifest, so no byte that means
anything can change unnoticed. Digests guard against damage, not against forgery; against a forger stands that
nothing is unpickled, unpacked or written to disk, and that sizes are checked before anything is read.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3), and
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from blemish.core.conformal import Calibration
from blemish.core.errors import ArtifactError, ImageError
from blemish.core.image_files import open_regular
from blemish.core.storage import atomic_file, stream_digest
from blemish.core.types import FloatArray
from blemish.line.manifest import FORMAT_VERSION, MEMBER_NAME_PATTERN, FormatVersion, Manifest, Member
from blemish.line.suitability import are_known_photographs

MANIFEST = "manifest.json"
MODEL = "model.onnx"
SCORING = "scoring.onnx"
"""From the map that the tiles give together to the outputs; where there are no tiles, the model does all."""

FEATURES = "features.onnx"
NORMAL_SCORES = "normal_scores.npy"
NORMAL_GROUPS = "normal_groups.npy"
"""Which of the normal scores are of one part, where that was said."""

NORMAL_POOLED = "normal_pooled.npy"
"""Of each of the normal scores' photographs the mean of its patches, weighed by their distances, float32 N x D, where
the detector says it: what known defects are told from, see `blemish.making.known_defect_head`."""

NORMAL_BANK_SCORES = "normal_bank_scores.npy"
"""The normal scores by the memory bank alone, in the same order, where a head of known defects stands beside it."""

KNOWN_DEFECTS = "known_defects.npy"
"""Of each defect that people have shown the mean of its patches farthest from the bank, float32 M x D."""

KNOWN_PHOTOGRAPHS = "known_photographs.npy"
"""Measures of photographs learnt from, which others are compared with; see `blemish.line.suitability`."""

HISTORY = "history.json"

NEAREST = "nearest"
"""Output of a graph with a memory bank, which no inspection computes: of each patch its distance to the bank and the
number of the nearest vector."""

_START = b"PK\x03\x04"
_COMMENT = b"blemish-manifest-sha256:"
_END = struct.Struct("<4s4H2LH")  # the end record of a zip
_LARGE_ZIP_LOCATOR, _LARGE_ZIP_LOCATOR_SIZE = b"PK\x06\x07", 20
_COMMENT_SIZE = len(_COMMENT) + 64
_TAIL_SIZE = _END.size + _COMMENT_SIZE
_MOST_TABLE_BYTES = 2**16
_COPY_AGAIN = "copy it again or fit it anew"
_NOT_OURS = "name a file that blemish fit has written"

_CANNOT_OPEN = {
    "missing": "does not exist: check the path, or make it with blemish fit",
    "unreadable": "cannot be read: allow it, for example with chmod +r, or copy it again",
    "empty": f"is empty (0 bytes): {_COPY_AGAIN}",
    "not-an-image": f"is a folder or a device, not an inspector: {_NOT_OURS}",
}

# Whatever the standard library raises on a zip that lies about itself.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    struct.error,
    OSError,
)

_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?s:..)"  # two bytes for the header's length
    rb"\{'descr': '(?P<dtype>[<>|][biuf]\d{1,2})', 'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>|\d{1,18},|\d{1,18}(?:, \d{1,18}){1,31})\), \} *\n"
)


@dataclass(frozen=True)
class ArtifactLimits:
    """What an artifact may ask for before it is read.

    Attributes:
        max_bytes: largest file, in bytes.
        max_members: largest number of members besides the manifest.
        max_manifest_bytes: largest manifest, in bytes.
    """

    max_bytes: int = 2**31
    max_members: int = 64
    max_manifest_bytes: int = 2 * 2**20


DEFAULT_LIMITS = ArtifactLimits()


@dataclass(frozen=True)
class Artifact:
    """A checked artifact in memory.

    Attributes:
        path: where it came from, for messages.
        manifest: what it says of itself.
        members: content of each member by name, without the manifest.
    """

    path: Path
    manifest: Manifest
    members: dict[str, bytes] = field(repr=False)

    def content(self, name: str) -> bytes:
        """Bytes of a member.

        Raises:
            ArtifactError: there is no such member.
        """
        if name not in self.members:
            raise ArtifactError(f"{self.path} holds no {name}: fit it anew with this version of Blemish.")
        return self.members[name]

    def array(self, name: str) -> npt.NDArray[Any]:
        """A member `NAME.npy` as a read-only array of numbers that shares the artifact's memory.

        Raises:
            ArtifactError: there is no such member, or it is not an array of numbers; objects are refused, as
                unpickling them could run code.
        """
        try:
            return _array_of(self.content(name))
        except (ValueError, TypeError) as error:
            raise ArtifactError(
                f"{self.path} cannot be used ({name} is not a plain array of numbers): fit it anew."
            ) from error

    def history(self) -> list[dict[str, float]]:
        """Number, losses, learning rate and seconds of each epoch of the training; empty where there was none.

        Raises:
            ArtifactError: the member is not such a list.
        """
        if HISTORY not in self.members:
            return []
        try:
            rows = json.loads(self.members[HISTORY])
            return [{str(key): float(value) for key, value in row.items()} for row in rows]
        except (ValueError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"{self.path} cannot be used ({HISTORY} is not a list of epochs): fit it anew."
            ) from error

    def normal_scores(self) -> FloatArray:
        """Scores of normal images that the calibration rests on: float32, sorted upwards, read-only.

        Raises:
            ArtifactError: they are absent, or not what the manifest says.
        """
        scores = self.array(NORMAL_SCORES)
        n_scores = self.manifest.calibration.n_scores
        kind = (scores.dtype, scores.shape) == (np.dtype("<f4"), (n_scores,))
        if not (kind and np.isfinite(scores).all() and (np.diff(scores) >= 0).all()):
            raise ArtifactError(
                f"{self.path} cannot be used ({NORMAL_SCORES} is not {n_scores} sorted scores): fit it anew."
            )
        return scores

    def calibration(self) -> Calibration:
        """The normal scores, and which of them belong together.

        Raises:
            ArtifactError: they are absent, or not what the manifest says.
        """
        scores = self.normal_scores()
        if NORMAL_GROUPS not in self.members:  # older artifacts only count the groups
            return Calibration(scores)
        groups = self.array(NORMAL_GROUPS)
        if (groups.dtype, groups.shape) != (np.dtype("<i4"), scores.shape):
            raise ArtifactError(
                f"{self.path} cannot be used ({NORMAL_GROUPS} is not a group for each score): fit it anew."
            )
        return Calibration(scores, groups)

    def known_photographs(self) -> FloatArray | None:
        """Measures of photographs learnt from, float32 N x `COLUMNS`; None where photographs are not checked.

        Raises:
            ArtifactError: they are absent although they are to be compared with, or no such measures.
        """
        if self.manifest.suitability is None:
            return None
        known = self.array(KNOWN_PHOTOGRAPHS)
        if not are_known_photographs(known):
            raise ArtifactError(
                f"{self.path} cannot be used ({KNOWN_PHOTOGRAPHS} holds no measures of photographs): fit it anew."
            )
        return known


def array_content(array: npt.NDArray[Any]) -> bytes:
    """An array of numbers as the content of an `.npy` member.

    Raises:
        ArtifactError: the array holds anything but booleans, integers or floats.
    """
    if array.dtype.kind not in "biuf":
        raise ArtifactError(f"An array of {array.dtype} cannot be stored: convert it to numbers first.")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


def write_artifact(path: Path | str, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Write an artifact; it appears at `path` whole or not at all, and equal input gives equal bytes.

    Args:
        path: the file, usually `NAME.blemish`; an older one is replaced.
        manifest: what the artifact says of itself; its `members` are replaced by those given here.
        members: content by name: `NAME.onnx`, `NAME.npy` or `NAME.json`, lower case, no folders.

    Raises:
        ArtifactError: a name is not allowed, or the content is more than `DEFAULT_LIMITS` would let in.
        BlemishError: the file cannot be written.
    """
    for name in members:
        if name == MANIFEST or not re.fullmatch(MEMBER_NAME_PATTERN, name):
            raise ArtifactError(f"{path} cannot hold {name!r}: name it like model.onnx or memory_bank.npy.")
    records = [
        Member(name=name, sha256=hashlib.sha256(members[name]).hexdigest(), size=len(members[name]))
        for name in sorted(members)
    ]
    described = Manifest.model_validate({**manifest.model_dump(), "members": records})
    text = described.model_dump_json(indent=2).encode() + b"\n"
    limits, total = DEFAULT_LIMITS, len(text) + sum(record.size for record in records) + _MOST_TABLE_BYTES
    if len(text) > limits.max_manifest_bytes or len(records) > limits.max_members or total > limits.max_bytes:
        raise ArtifactError(
            f"{path} was not written because {total:,} bytes in {len(records)} members with a manifest of "
            f"{len(text):,} bytes are more than can be read back: choose a smaller memory bank or network."
        )
    with atomic_file(Path(path)) as stream, zipfile.ZipFile(stream, "w", allowZip64=False) as archive:
        archive.comment = _COMMENT + hashlib.sha256(text).hexdigest().encode()
        archive.writestr(_entry(MANIFEST), text)
        for record in records:
            archive.writestr(_entry(record.name), members[record.name])


def read_artifact(
    path: Path | str, limits: ArtifactLimits = DEFAULT_LIMITS, digest: str | None = None
) -> Artifact:
    """Read an artifact into memory and check every byte that means anything.

    Args:
        path: the file.
        limits: sizes beyond which it is refused unread.
        digest: SHA-256 that the file is known by, where it is; another file in its place is refused.

    Returns:
        The manifest and the content of all members; arrays are decoded on request.

    Raises:
        ArtifactError: the file is missing, damaged, cut short, of a newer format, too large, no artifact, or not the
            one that was meant.
    """
    path = Path(path)
    with _opened(path, limits, digest) as (archive, manifest):
        _check_table(archive.infolist(), manifest, path, limits)
        members = {
            member.name: _read_checked(archive, archive.getinfo(member.name), member.sha256, path)
            for member in manifest.members
        }
    return Artifact(path, manifest, members)


def read_manifest(path: Path | str, limits: ArtifactLimits = DEFAULT_LIMITS) -> Manifest:
    """What an artifact says of itself, checked; its members are neither read nor checked, so it must not be run.

    Args:
        path: the file.
        limits: sizes beyond which it is refused unread.

    Raises:
        ArtifactError: as `read_artifact`, as far as the manifest tells.
    """
    with _opened(Path(path), limits) as (_, manifest):
        return manifest


@contextmanager
def _opened(
    path: Path, limits: ArtifactLimits, digest: str | None = None
) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The archive of an artifact, whose frame and manifest are checked, and what is wrong with it as one sentence.

    Raises:
        ArtifactError: as `read_artifact`.
    """
    try:
        stream = open_regular(path)
    except ImageError as error:
        raise ArtifactError(f"{path} {_CANNOT_OPEN[error.kind]}.") from error
    with stream:
        try:
            manifest_digest = _check_frame(stream, path, limits)
            if digest is not None:
                _check_digest(stream, digest, path)
            with zipfile.ZipFile(stream) as archive:
                yield archive, _read_manifest(archive, manifest_digest, path, limits)
        except _ZIP_ERRORS as error:
            raise _damaged(path, "its table of contents cannot be read") from error
        except MemoryError as error:
            raise ArtifactError(
                f"{path} needs more memory than is free: close other programs, or use a smaller inspector."
            ) from error


def _entry(name: str) -> zipfile.ZipInfo:
    """A zip entry that says nothing of when and where it was written."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _damaged(path: Path, cause: str) -> ArtifactError:
    return ArtifactError(f"{path} is damaged ({cause}): {_COPY_AGAIN}.")


def _too_large(path: Path, what: str, limit: int) -> ArtifactError:
    return ArtifactError(f"{path} is refused unread ({what}, more than the limit of {limit:,}): {_NOT_OURS}.")


def _check_frame(stream: IO[bytes], path: Path, limits: ArtifactLimits) -> str:
    """Check first and last bytes before any zip code sees the file; return the manifest's SHA-256.

    The comment has one length, so the end record has one place: no search for it, nothing in front of the
    archive or behind it, and no table of contents larger than `_MOST_TABLE_BYTES`.
    """
    size = os.fstat(stream.fileno()).st_size
    if size > limits.max_bytes:
        raise _too_large(path, f"{size:,} bytes", limits.max_bytes)
    head = stream.read(30 + len(MANIFEST))
    stream.seek(max(0, size - _TAIL_SIZE - _LARGE_ZIP_LOCATOR_SIZE))
    tail = stream.read()
    comment = re.search(re.escape(_COMMENT) + b"([0-9a-f]{64})$", tail[-_COMMENT_SIZE:])
    if not (head.startswith(_START) and MANIFEST.encode().startswith(head[30:])):
        if comment:
            raise _damaged(path, "its beginning is missing or changed")
        kind = "a ZIP archive but not" if head.startswith(_START) else "not"
        raise ArtifactError(f"{path} is {kind} a Blemish inspector: {_NOT_OURS}.")
    if not comment or len(tail) < _TAIL_SIZE + _LARGE_ZIP_LOCATOR_SIZE:
        raise _damaged(path, "its end is missing or changed")
    signature, *_, table_size, table_start, comment_size = _END.unpack_from(tail, _LARGE_ZIP_LOCATOR_SIZE)
    # The larger kind of zip keeps its table elsewhere, out of the reach of the checks that follow.
    if (signature, comment_size) != (b"PK\x05\x06", _COMMENT_SIZE) or tail.startswith(_LARGE_ZIP_LOCATOR):
        raise _damaged(path, "its end record is changed")
    if table_start + table_size != size - _TAIL_SIZE or table_size > _MOST_TABLE_BYTES:
        raise _damaged(path, "its table of contents is not where it should be")
    return comment[1].decode()


def _check_digest(stream: IO[bytes], digest: str, path: Path) -> None:
    """Compare the open file, which nobody can swap any more, with the digest that it is known by."""
    stream.seek(0)
    if stream_digest(stream) != digest:
        raise ArtifactError(
            f"{path} is not the file that was added here: somebody has replaced it; add it anew."
        )


def _read_manifest(archive: zipfile.ZipFile, digest: str, path: Path, limits: ArtifactLimits) -> Manifest:
    """The manifest, before anything else is believed: a newer format may hold what this one does not know."""
    if MANIFEST not in archive.namelist():
        raise _damaged(path, f"{MANIFEST} is missing")
    size = archive.getinfo(MANIFEST).file_size
    if size > limits.max_manifest_bytes:
        raise _too_large(path, f"a manifest of {size:,} bytes", limits.max_manifest_bytes)
    text = _read_checked(archive, archive.getinfo(MANIFEST), digest, path)
    try:
        version = FormatVersion.model_validate_json(text).format_version
        if version > FORMAT_VERSION:
            raise ArtifactError(
                f"{path} was written by a newer Blemish (format {version}): "
                "update with pip install --upgrade blemish."
            )
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field_name = ascii(".".join(map(str, first["loc"])) or "JSON")[1:-1][:80]
        raise ArtifactError(
            f"{path} cannot be used (its manifest is not valid, {field_name}: {first['msg']}): fit it anew."
        ) from error


def _check_table(
    entries: list[zipfile.ZipInfo], manifest: Manifest, path: Path, limits: ArtifactLimits
) -> None:
    """The zip holds what the manifest lists, no more and no less, each once and of the size it says.

    The manifest admits none but plain file names, so no entry can have a path in its name.
    """
    names = Counter(entry.orig_filename for entry in entries)
    sizes = {entry.orig_filename: entry.file_size for entry in entries}
    listed = {MANIFEST: sizes.get(MANIFEST, 0), **{member.name: member.size for member in manifest.members}}
    for name in sorted(names.keys() - listed.keys()):
        raise _damaged(path, f"it holds {name[:80]!a}, which its manifest does not list")
    for name, size in listed.items():
        if names[name] != 1:
            raise _damaged(path, f"{name} is missing" if name not in names else f"it holds {name} twice")
        if sizes[name] != size:
            raise _damaged(path, f"size of {name} differs")
    if len(listed) > limits.max_members + 1:
        raise _too_large(path, f"{len(listed)} members", limits.max_members + 1)
    if sum(listed.values()) > limits.max_bytes:  # overlapping members could be more than the file
        raise _too_large(path, f"{sum(listed.values()):,} bytes in its members", limits.max_bytes)


def _read_checked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, digest: str, path: Path) -> bytes:
    """Content of an entry whose SHA-256 is `digest`; compressed ones are refused, as they may be bombs."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise _damaged(path, f"{entry.filename} is compressed, so something else has packed it")
    try:
        content = archive.read(entry)
    except _ZIP_ERRORS as error:  # the zip's own checksum, mostly
        raise _damaged(path, f"{entry.filename} is not what was written") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _damaged(path, f"SHA-256 of {entry.filename} differs")
    return content


def _array_of(content: bytes) -> npt.NDArray[Any]:
    """View the content of an `.npy` file as an array; nothing is unpickled, evaluated or allocated.

    Only headers as NumPy writes them for plain numbers are read (format 1.0), by a pattern: NumPy's own
    reader tokenizes and evaluates them as Python, and allocates whatever size they claim.
    """
    header = _NPY_HEADER.match(content)
    if not header:
        raise ValueError("the header is not that of a plain array of numbers")
    shape = tuple(int(side) for side in re.findall(rb"\d+", header["shape"]))
    flat = np.frombuffer(content, header["dtype"].decode(), offset=header.end())
    # `reshape` refuses, as `frombuffer` does, what the header promises beyond or short of the content.
    return flat.reshape(shape, order="F" if header["order"] == b"True" else "C")
