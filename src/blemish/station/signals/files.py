"""Photographs copied or moved to a folder for each verdict; the same file twice is no error.

Every step can be repeated after a crash: a file appears under its name whole or not at all, and one that came from
elsewhere goes only once its copy is on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.file_names import shown
from blemish.core.storage import atomic_file, file_digest
from blemish.station.records import InspectionRecord
from blemish.station.signals.settings import FilesSink
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import SinkError

KeptPhotograph = Callable[[str, str | None], bytes]
"""Bytes of a photograph by its digest and its record's suffix; NotFoundError where it is not kept."""

_FIELDS = (
    "verdict",
    "file_name",
    "stem",
    "suffix",
    "inspector",
    "version",
    "inspection",
    "date",
    "hour",
    "serial_number",
    "batch",
    "shift",
    "camera",
    "type",
    "digest",
)
_MOST_NAME_BYTES = 200
_MOST_NAMES = 10_000
# What no file system between here and a share in Windows has trouble with.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


class Files:
    """The sink; see `FilesSink` for its settings.

    Args:
        settings: folder, action and template.
        kept: where photographs are found that came from no file, or whose file has gone.

    Raises:
        UsageError: the template has a field that is not known, or leads out of the folder.
    """

    def __init__(self, settings: FilesSink, kept: KeptPhotograph) -> None:
        self.name = settings.name
        self._settings, self._kept = settings, kept
        self._folder = Path(settings.folder).expanduser().absolute()
        _check_template(settings.template)

    def open(self) -> None:
        """Make the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(self._folder, error, 0) from error
        if not os.access(self._folder, os.W_OK):
            raise SinkError(
                f"{self._folder} cannot be written: allow it, or give {self.name} another folder."
            )

    def send(self, signals: Sequence[Signal]) -> None:
        """Put each photograph into its folder."""
        for arrived, signal in enumerate(signals):
            try:
                self._put(signal)
            except OSError as error:
                raise self._error(self._folder, error, arrived) from error
            except NotFoundError as error:
                raise SinkError(
                    f"The photograph of inspection {signal.record.id} is not there any more, so {self.name} has not "
                    "got it: keep all photographs, or take them from a folder.",
                    arrived,
                    for_good=True,
                ) from error
            except SinkError as error:
                raise SinkError(str(error), arrived, error.for_good) from error
            except BlemishError as error:  # of `atomic_file`, whose way out is not ours
                if isinstance(error.__cause__, OSError):
                    raise self._error(self._folder, error.__cause__, arrived) from error
                raise SinkError(str(error), arrived) from error

    def check(self) -> None:
        """Notice that the folder has gone, as a share does."""
        if not self._folder.is_dir():
            raise SinkError(f"{self._folder} is not there: mount it, or make it.")

    def close(self) -> None:
        """Nothing is held."""

    def _put(self, signal: Signal) -> None:
        record, origin = signal.record, signal.origin
        target = self._folder / place_of(record, self._settings.template)
        content = self._content(record, origin)
        is_origin_there = content is not None
        if content is None:
            if _placed(target, record.image_digest, None) is not None:
                return  # moved before, or copied and then cleared away
            content = self._kept(record.image_digest, record.image_suffix)
        placed = _placed(target, record.image_digest, len(content)) or self._write(target, content)
        if self._settings.action == "move" and is_origin_there and origin is not None:
            self._remove(origin, placed)

    def _content(self, record: InspectionRecord, origin: Path | None) -> bytes | None:
        """Bytes of the file that was judged; None if it is not there, or another one by now."""
        if origin is None:
            return None
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            content = origin.read_bytes()
            if hashlib.sha256(content).hexdigest() == record.image_digest:
                return content
        return None

    def _write(self, target: Path, content: bytes) -> Path:
        """Write a photograph under the first name that is free."""
        for candidate in _names(target):
            if candidate.exists():
                continue
            with atomic_file(candidate) as stream:
                stream.write(content)
            return candidate
        raise SinkError(
            f"{target} and {_MOST_NAMES:,} names with numbers are taken: use a template with {{inspection}}.",
            for_good=True,
        )

    def _remove(self, origin: Path, placed: Path) -> None:
        """Remove what is copied, unless both are one file."""
        with suppress(FileNotFoundError):
            if not origin.samefile(placed):
                origin.unlink()

    def _error(self, path: Path, error: OSError, arrived: int) -> SinkError:
        path = Path(error.filename) if isinstance(error.filename, str) else path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return SinkError(
                f"{shown(path)} cannot be written because the disk is full: free some space.", arrived
            )
        reason = (error.strerror or str(error)).lower()
        return SinkError(
            f"{shown(path)} cannot be used ({reason}): check the folders of the sink {self.name}.", arrived
        )


def place_of(record: InspectionRecord, template: str) -> PurePath:
    """Where a photograph belongs below the folder; what is not known of it is called `unknown`.

    Example:
        With the template `{date}/{verdict}/{serial_number}{suffix}` the photograph of a part goes to
        `2026-05-04/reject/4711.png`.
    """
    name = PurePath(record.file_name.replace("\\", "/")).name or f"{record.id}"
    if not PurePath(name).suffix and record.image_suffix:
        name += record.image_suffix
    fields = {
        "verdict": str(record.verdict).replace(" ", "-"),
        "file_name": name,
        "stem": PurePath(name).stem,
        "suffix": PurePath(name).suffix,
        "inspection": f"{record.id}",
        "version": f"{record.version}",
        "date": f"{record.time.astimezone():%Y-%m-%d}",
        "hour": f"{record.time.astimezone():%H}",
        "digest": record.image_digest,
    }
    for one in ("inspector", "serial_number", "batch", "shift", "camera", "type"):
        fields[one] = getattr(record, one) or "unknown"
    # A value stays within its level of the path, whatever it holds.
    safe = {name: _NOT_IN_NAMES.sub("_", value) for name, value in fields.items()}
    levels = [_level(level.format_map(safe)) for level in template.split("/")]
    return PurePath(*levels)


def _level(name: str) -> str:
    """A name of a file or folder that is not too long, and neither hidden nor another folder."""
    if name.strip(". ") == "":
        name = "unknown"
    if name.startswith("."):
        name = "_" + name[1:]
    name = name.rstrip(". ")
    content = os.fsencode(name)
    if len(content) <= _MOST_NAME_BYTES:
        return name
    suffix = PurePath(name).suffix[:20]
    digest = hashlib.sha256(content).hexdigest()[:8]  # two long names that begin alike stay two
    start = content[: _MOST_NAME_BYTES - 30 - len(os.fsencode(suffix))].decode(errors="ignore")
    return f"{start}-{digest}{suffix}"


def _placed(target: Path, digest: str, size: int | None) -> Path | None:
    """Where a photograph lies already, under its name or one with a number; None if nowhere."""
    for candidate in _names(target):
        try:
            if size is not None and candidate.stat().st_size != size:
                continue
            if file_digest(candidate) == digest:
                return candidate
        except FileNotFoundError:
            return None
    return None


def _names(target: Path) -> Iterator[Path]:
    """A place, and those that a photograph of the same name goes to."""
    yield target
    for number in range(2, _MOST_NAMES + 1):
        yield target.with_name(f"{target.stem}-{number}{target.suffix}")


def _check_template(template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(
            f"The template {template[:80]!a} cannot be read: write fields in braces, as {{verdict}}."
        ) from error
    for _, field, form, conversion in parts:
        if field is not None and (field not in _FIELDS or form or conversion):
            raise UsageError(f"The template has no field {field[:40]!a}: use {', '.join(_FIELDS)}.")
    levels = template.split("/")
    if not all(levels) or any(level.strip(". ") == "" for level in levels) or "\\" in template:
        raise UsageError(
            f"The template {template[:80]!a} leads out of the folder: write names and fields with single "
            "slashes between."
        )
    if not any(field for _, field, _, _ in parts):
        raise UsageError(
            f"The template {template[:80]!a} has no field: every photograph would have one name."
        )
