"""How fast an inspector is on the machine that it is asked on: stages, throughput, memory, energy."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Final

import numpy as np

from blemish.core.energy import EnergyMeter
from blemish.core.execution import Execution
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.line.artifact import read_artifact
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
        no_joules: why not, in one sentence.
    """

    milliseconds: dict[str, list[float]]
    cpu_milliseconds: float
    joules: float | None
    no_joules: str | None

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
            "no_joules": self.no_joules,
        }


@dataclass(frozen=True)
class Speed:
    """How fast an inspector is.

    Attributes:
        times: of the stages.
        one_stream, all_streams: photographs a second, by one inspector and by `streams` of them.
        streams: as many as cores, each on one thread.
        memory: the process's peak with all of them, in bytes; None where the system does not say it.
    """

    times: StageTimes
    one_stream: float
    all_streams: float
    streams: int
    memory: int | None

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            **self.times.to_json(),
            "photographs_per_second": {"1": self.one_stream, str(self.streams): self.all_streams},
            "memory_bytes": self.memory,
        }


def measured_speed(path: Path, execution: Execution, photographs: Sequence[Path], count: int) -> Speed:
    """Time `count` photographs three times: stage by stage, in one stream, and in as many as cores.

    Raises:
        ArtifactError, UsageError: the inspector cannot be run so.
        ImageError: a photograph cannot be used.
    """
    artifact = read_artifact(path)
    inspector = Inspector(artifact, execution)
    times = stage_times(inspector, photographs, count)
    one = throughput([inspector], photographs, count)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    single = replace(execution, threads=1)
    several = [Inspector(artifact, single) for _ in range(cores)]
    return Speed(times, one, throughput(several, photographs, count), cores, peak_memory())


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
    return StageTimes(times, 1e3 * busy / count, None if joules is None else joules / count, meter.trouble)


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


def peak_memory() -> int | None:
    """Most memory that this process has held, in bytes; None where the system does not say it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
