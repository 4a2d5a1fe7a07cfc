"""Time of logging inspections in batches of 8, of asking for a page, and of what the page of a part asks, on this disk.

python bench/history.py [--url postgresql://...] [--rows 100000] [--parts 5]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter, NewInspection
from blemish.station.review_queue import ReviewQueue
from blemish.station.shelf import InspectorShelf
from blemish.station.statistics import HistoryStatistics

BATCH, BATCHES, PAGES, ASKED = 8, 500, 200, 20


def make_inspection(number: int, parts: int = 5) -> NewInspection:
    """One of the inspections that are logged, of so many parts in turn; every twentieth is a reject."""
    return NewInspection(
        time=datetime.now(UTC),
        inspector=f"part-{number % parts}",
        version=1,
        verdict=Verdict.REJECT if number % 20 == 0 else Verdict.PASS,
        score=1.5,
        threshold=2.0,
        p_value=0.3,
        percentile=70.0,
        regions=(Region(1, 2, 3, 4, 5.0),) * 3,
        width=1024,
        height=1024,
        image_digest=hashlib.sha256(str(number).encode()).hexdigest(),
        image_suffix=".png",
        file_name=f"{number:08d}.png",
        milliseconds={"decode": 8.0, "preprocess": 2.0, "network": 30.0},
        serial_number=f"SN-{number:08d}",
        batch=f"LOT-{number // 500:05d}",
        shift=("early", "late", "night")[number // 700 % 3],
        camera=f"camera-{number % 2}",
    )


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def described(times: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[int(0.99 * len(ordered))], 2),
    }


def measure(url: str, home: Path, rows: int, parts: int) -> dict[str, object]:
    """Fill a database with so many rows and measure on top of them."""
    database = Database(url)
    database.upgrade()
    log = InspectionLog(database)
    for start in range(0, rows, 1000):
        log.add([make_inspection(start + k, parts) for k in range(min(1000, rows - start))])
    adding = [
        timed(
            lambda batch=batch: log.add(
                [make_inspection(rows + batch * BATCH + k, parts) for k in range(BATCH)]
            )
        )
        for batch in range(BATCHES)
    ]
    which = InspectionFilter(inspector="part-0")
    deep: str | None = None
    for _ in range(min(50, rows // 500)):
        deep = log.page(which, 100, deep).next_cursor
    pages = {
        "first": [timed(lambda: log.page(which)) for _ in range(PAGES)],
        "behind 5,000": [timed(lambda: log.page(which, cursor=deep)) for _ in range(PAGES)],
        "rejects": [timed(lambda: log.page(InspectionFilter(verdict=Verdict.REJECT))) for _ in range(PAGES)],
    }
    page = {
        name: described([timed(ask) for _ in range(ASKED)])
        for name, ask in questions(database, log, home, "part-0").items()
    }
    database.close()
    return {
        "rows": rows,
        f"add {BATCH}": described(adding),
        "page of 50": {name: described(times) for name, times in pages.items()},
        "history page": page,
    }


def questions(
    database: Database, log: InspectionLog, home: Path, part: str
) -> dict[str, Callable[[], object]]:
    """What the history of a part asks, of all its inspections."""
    which = InspectionFilter(inspector=part)
    numbers, watch = HistoryStatistics(database), DriftWatch(database, InspectorShelf(Home(home), database))
    queue = ReviewQueue(database, watch)
    scope = which.scope
    return {
        "search that finds": lambda: log.page(replace(which, search="77")),
        "search in vain": lambda: log.page(replace(which, search="no such file")),
        "count of a search": lambda: log.count(replace(which, search="77")),
        "rejects": lambda: log.page(replace(which, verdict=Verdict.REJECT)),
        "page of a batch": lambda: log.page(replace(which, batch="LOT-00040")),
        "page of a shift": lambda: log.page(replace(which, shift="night")),
        "page of a serial number": lambda: log.page(replace(which, serial_number="SN-00020000")),
        "summary of a batch": lambda: numbers.summary(replace(scope, batch="LOT-00040")),
        "summary of a shift": lambda: numbers.summary(replace(scope, shift="night")),
        "reject rates of a shift by day": lambda: numbers.reject_rates(replace(scope, shift="night"), "day"),
        "summary": lambda: numbers.summary(scope),
        "first pass": lambda: numbers.first_pass(scope),
        "reject rates by day": lambda: numbers.reject_rates(scope, "day"),
        "scores by day": lambda: numbers.score_trend(scope, "day"),
        "review queue": lambda: queue.page(part),
    }


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = measure(
            arguments.url or f"sqlite:///{folder}/blemish.db",
            Path(folder, "home"),
            arguments.rows,
            arguments.parts,
        )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
