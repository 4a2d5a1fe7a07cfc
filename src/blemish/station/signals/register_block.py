"""A verdict as Modbus registers: pure functions from signals to numbers of 16 bits."""

from __future__ import annotations

import struct
from typing import Literal

from blemish.core.types import Verdict
from blemish.station.signals.signal import VERDICT_CODES, Signal

BLOCK_LENGTH = 16
HEARTBEAT, SEQUENCE = 0, 2
"""Places in the block."""

Words = Literal["big", "little"]
_LARGEST_FLOAT = 3.4028234663852886e38


def sequence_of(signal: Signal) -> int:
    """Number from 1 to 65535 that changes with each inspection, and is the same when a signal is sent again."""
    return signal.record.id % 65535 + 1


def block_of(signal: Signal, heartbeat: int, counts: dict[Verdict, int], words: Words) -> list[int]:
    """The 16 registers of a signal; docs/signals.md has the table.

    Args:
        signal: what is told.
        heartbeat: counts up while the station lives.
        counts: signals by verdict since the sink was opened first.
        words: order of the two registers of a long number.
    """
    record = signal.record
    others = counts[Verdict.REVIEW] + counts[Verdict.NOT_JUDGED]
    return [
        heartbeat % 65536,
        VERDICT_CODES[record.verdict],
        sequence_of(signal),
        int(signal.repeated),
        *_float(record.score, words),
        *_float(record.threshold, words),
        *_long(record.id, words),
        *_long(counts[Verdict.PASS], words),
        *_long(counts[Verdict.REJECT], words),
        *_long(others, words),
    ]


def _long(number: int, words: Words) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">I", number % 2**32))
    return (high, low) if words == "big" else (low, high)


def _float(number: float, words: Words) -> tuple[int, int]:
    content = struct.pack(">f", max(-_LARGEST_FLOAT, min(_LARGEST_FLOAT, number)))
    high, low = struct.unpack(">HH", content)
    return (high, low) if words == "big" else (low, high)
