"""How long each stage of an inspection takes, on the machine that it is asked on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np

from blemish.core.energy import EnergyMeter
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.line.runtime import Inspector

STAGES: Final = ("read", "decode", "preprocess", "network", "judge")
ALL: Final = "all stages"
_WARM = 5


@dataclass(frozen=True)
class StageTimes:
    """Times of photographs that were inspected one after another.

    Attributes:
        milliseconds: of each photograph, by stage and for `ALL`.
        cpu_milliseconds: of all cores, the mean for one photograph.
        joules: the mean for one photograph, of the whole processor; None where it cannot be read.
    """

    milliseconds: dict[str, list[float]]
    cpu_milliseconds: float
    joules: float | None

    def percentiles(self, stage: str) -> tuple[float, float]:
        """Median and 99th percentile of a stage, in milliseconds."""
        median, high = np.percentile(self.milliseconds[stage], [50, 99])
        return float(median), float(high)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        named = {stage: self.percentiles(stage) for stage in self.milliseconds}
        return {
            "photographs": len(self.milliseconds[ALL]),
            "stages_ms": {name: {"median": p50, "p99": p99} for name, (p50, p99) in named.items()},
            "cpu_ms": self.cpu_milliseconds,
            "joules": self.joules,
        }


def stage_times(inspector: Inspector, paths: Sequence[Path], count: int) -> StageTimes:
    """Inspect `count` photographs one after another, after a few to warm up; `paths` are gone through again and again.

    Raises:
        ImageError: a photograph cannot be used.
    """
    for path in _around(paths, _WARM):
        _staged(inspector, path)
    meter, started = EnergyMeter(), time.process_time()
    rows = [_staged(inspector, path) for path in _around(paths, count)]
    busy, joules = time.process_time() - started, meter.joules()
    columns = [[1e3 * value for value in column] for column in zip(*rows, strict=True)]
    times = dict(zip(STAGES, columns, strict=True)) | {ALL: [1e3 * sum(row) for row in rows]}
    return StageTimes(times, 1e3 * busy / count, None if joules is None else joules / count)


def _staged(inspector: Inspector, path: Path) -> tuple[float, ...]:
    """Seconds of each of `STAGES` for a photograph."""
    moments = [time.perf_counter()]
    content = read_content(path, DEFAULT_LIMITS.max_bytes)
    moments.append(time.perf_counter())
    photograph = inspector.open_photograph(content, str(path))
    moments.append(time.perf_counter())
    given = inspector.input_of(photograph.pixels, str(path))
    reason = inspector.unlike(photograph, given)
    moments.append(time.perf_counter())
    prediction = inspector.predict_input(given)
    moments.append(time.perf_counter())
    inspector.judge(prediction, photograph.width, photograph.height, photograph.pixels, reason)
    moments.append(time.perf_counter())
    return tuple(np.diff(moments).tolist())


def throughput(inspectors: Sequence[Inspector], paths: Sequence[Path], count: int) -> float:
    """Photographs a second, each inspector in a thread of its own on its share of `count` photographs.

    Raises:
        ImageError: a photograph cannot be used.
    """

    def work(inspector: Inspector, share: int) -> None:
        for path in _around(paths, share):
            inspector.inspect(path)

    with ThreadPoolExecutor(len(inspectors)) as threads:
        list(threads.map(work, inspectors, repeat(1)))
        share = -(-count // len(inspectors))
        started = time.perf_counter()
        list(threads.map(work, inspectors, repeat(share)))
        return share * len(inspectors) / (time.perf_counter() - started)


def _around(paths: Sequence[Path], count: int) -> list[Path]:
    return list(islice(chain.from_iterable(repeat(paths)), count))
