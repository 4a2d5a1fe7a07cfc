"""All metadata of one photograph, by where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, DecodeLimits, decode_image
from blemish.core.types import ByteArray
from blemish.station.metadata.codes import CodeReader
from blemish.station.metadata.payload import LatestPayload
from blemish.station.metadata.settings import CodeSettings, MetadataSettings
from blemish.station.metadata.shifts import Shifts
from blemish.station.metadata.text_pattern import TextPattern
from blemish.station.photograph import PartMetadata, Photograph


@dataclass(frozen=True)
class MetadataState:
    """How reading goes.

    Attributes:
        read: photographs.
        names_unlike: of them, whose file name did not fit the template.
        without_code: of them, on which no code that fits was found; late: of these, where there was no time to.
        trouble: what is wrong with the broker, in one sentence; None while all is well.
    """

    read: int
    names_unlike: int
    without_code: int
    late: int
    trouble: str | None


class MetadataReader:
    """Reads what is known of each part; used by one thread.

    Where several say something of one field, the first of these counts: what was sent with the photograph (or is fixed
    at its source), a code on the photograph, the latest MQTT message, the file's name, the clock.

    Args:
        settings: where metadata come from.
        limits: of photographs that have to be decoded for their codes.

    Raises:
        MissingExtraError, UsageError: as `LatestPayload`.
    """

    def __init__(self, settings: MetadataSettings, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._name = None if settings.file_name is None else TextPattern(settings.file_name)
        self._codes = None if settings.codes is None else _Codes(settings.codes)
        self._payload = None if settings.mqtt is None else LatestPayload(settings.mqtt)
        self._shifts = Shifts(settings.shifts, settings.time_zone)
        self._read = self._names_unlike = self._without_code = 0

    def start(self) -> None:
        """Begin to listen to the broker, where there is one."""
        if self._payload is not None:
            self._payload.start()

    def stop(self) -> None:
        """End."""
        if self._payload is not None:
            self._payload.stop()
        if self._codes is not None:
            self._codes.reader.close()

    def read(self, photograph: Photograph, taken: datetime, pixels: ByteArray | None = None) -> PartMetadata:
        """All that is known of the part on a photograph.

        Args:
            photograph: as it came, with what its sender said.
            taken: when, aware.
            pixels: of the photograph, uint8 RGB, where somebody has decoded it; else it is, if codes are looked for.
        """
        self._read += 1
        found = photograph.metadata
        if self._codes is not None:
            found = found.or_else(self._of_codes(self._codes, photograph, pixels))
        if self._payload is not None:
            age = (datetime.now(UTC) - taken).total_seconds()
            found = found.or_else(self._payload.latest(max(0.0, age)))
        if self._name is not None:
            named = self._name.read_file_name(photograph.file_name)
            self._names_unlike += named is None
            found = found.or_else(named or PartMetadata())
        return found.or_else(PartMetadata(shift=self._shifts.of(taken)))

    def state(self) -> MetadataState:
        """How reading goes."""
        late = 0 if self._codes is None else self._codes.reader.late
        trouble = None if self._payload is None else self._payload.trouble
        return MetadataState(self._read, self._names_unlike, self._without_code, late, trouble)

    def _of_codes(self, codes: _Codes, photograph: Photograph, pixels: ByteArray | None) -> PartMetadata:
        try:
            if pixels is None:
                pixels = decode_image(photograph.content, photograph.file_name, self._limits)
        except ImageError:  # whoever judges it says so
            return PartMetadata()
        found = codes.read(pixels)
        self._without_code += found == PartMetadata()
        return found


class _Codes:
    """Codes whose texts fit one of several templates."""

    def __init__(self, settings: CodeSettings) -> None:
        self.reader = CodeReader(settings.kinds, settings.seconds, settings.region)
        self._patterns = [TextPattern(one, barrier="") for one in settings.pattern]

    def read(self, pixels: ByteArray) -> PartMetadata:
        """What the codes say; of two that say something of one field, that which was found first."""
        return self._of(self.reader.texts(pixels, self._all_found))

    def _of(self, texts: tuple[str, ...]) -> PartMetadata:
        found = PartMetadata()
        for text in texts:
            said = [one for pattern in self._patterns if (one := pattern.read(text)) is not None]
            found = found.or_else(said[0] if said else PartMetadata())
        return found

    def _all_found(self, texts: Sequence[str]) -> bool:
        """Whether a code fits each of the templates."""
        return all(any(pattern.read(text) for text in texts) for pattern in self._patterns)
