"""What is told of one inspection to whoever waits for verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from blemish.core.file_names import shown
from blemish.core.json_values import number_or_none
from blemish.core.types import Verdict
from blemish.station.records import InspectionRecord

FORMAT = 1
"""Version of the JSON document; it grows when a field goes or changes its meaning, not when one is added."""

VERDICT_CODES = {Verdict.PASS: 1, Verdict.REVIEW: 2, Verdict.REJECT: 3, Verdict.NOT_JUDGED: 4}
"""Verdicts for those who read numbers; 0 is none yet."""

_SAME = (
    "inspector",
    "version",
    "p_value",
    "reason",
    "type",
    "serial_number",
    "batch",
    "shift",
    "camera",
    "image_digest",
    "width",
    "height",
    "repeat_of",
)


@dataclass(frozen=True)
class Signal:
    """One inspection on its way to a sink.

    Attributes:
        id: `STATION:NUMBER`, the same whenever it is sent again: who has seen it has nothing more to do.
        record: the inspection, as the log holds it.
        station: the station's own name.
        origin: the file that the photograph came from; None where it came from none.
        repeated: whether it may have been sent before.
    """

    id: str
    record: InspectionRecord
    station: str
    origin: Path | None = None
    repeated: bool = False

    @classmethod
    def of(
        cls, record: InspectionRecord, station: str, origin: Path | None = None, repeated: bool = False
    ) -> Signal:
        """The signal of an inspection, with its id."""
        return cls(f"{station}:{record.id}", record, station, origin, repeated)

    def to_json(self) -> dict[str, Any]:
        """The document that JSON lines, webhooks and MQTT carry; null for what is not known, times in UTC."""
        record = self.record
        return {
            "format": FORMAT,
            "id": self.id,
            "station": self.station,
            "inspection": record.id,
            "time": record.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "verdict": str(record.verdict),
            "verdict_code": VERDICT_CODES[record.verdict],
            "score": number_or_none(record.score),
            "threshold": number_or_none(record.threshold),
            "review_threshold": record.review_threshold,
            **{name: getattr(record, name) for name in _SAME},
            "file_name": shown(record.file_name),
            "origin": None if self.origin is None else shown(self.origin),
            "regions": [region.to_json() for region in record.regions],
            "repeated": self.repeated,
        }

    def to_bytes(self) -> bytes:
        """The document on one line, as UTF-8 without a line's end."""
        document = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return shown(document).encode()
