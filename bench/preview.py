"""Time of asking what a decision would have made of the past, with 100,000 inspections of one inspector in the log.

python bench/preview.py [--url postgresql://...] [--rows 100000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import case

from blemish.core.types import Region, Verdict
from blemish.line.decision import Decision, PixelDecision
from blemish.station.database import Database
from blemish.station.decision_history import DecisionHistory
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection
from blemish.station.schema import INSPECTIONS

START = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = (1, 2, 3)
CORRECTED_EVERY, TIMES, AT_ONCE = 10, 9, 5000


def fill(database: Database, rows: int) -> None:
    """Log so many inspections by three versions; people have corrected every tenth of them."""
    scores = np.random.default_rng(0).gamma(4, 1, rows)
    log = InspectionLog(database)
    for start in range(0, rows, AT_ONCE):
        log.add(
            [
                make_inspection(number, float(scores[number]))
                for number in range(start, min(rows, start + AT_ONCE))
            ]
        )
    corrected = INSPECTIONS.update().where(INSPECTIONS.c.id % CORRECTED_EVERY == 0)
    found = case((INSPECTIONS.c.score > 7, "bad"), else_="good")
    with database.transaction() as session:  # as feedback leaves it there, without a transaction for each
        session.execute(corrected.values(truth=found))


def make_inspection(number: int, score: float) -> NewInspection:
    """One of the inspections that are logged."""
    return NewInspection(
        time=START + timedelta(seconds=number), inspector="part", version=VERSIONS[number % 3],
        verdict=Verdict.REJECT if score > 10 else Verdict.PASS, score=score, threshold=10.0, p_value=0.3,
        percentile=70.0, regions=(Region(1, 2, 3, 4, 5.0),) * 3, width=1024, height=1024,
        image_digest=f"{number:064d}", image_suffix=None, file_name=f"{number:08d}.png",
    )  # fmt: skip


def median_ms(work: Callable[[], object]) -> float:
    """Median of the milliseconds that a call takes."""
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(times))


def measure(url: str, rows: int) -> dict[str, object]:
    """Fill a database and ask."""
    database = Database(url)
    database.upgrade()
    fill(database, rows)
    history = DecisionHistory(database, "part", VERSIONS)
    decision = Decision(
        threshold=9.0, review_threshold=7.5, expected=0.02, at_most=0.03, review_expected=0.05,
        pixels=PixelDecision(threshold=1.0), made=START,
    )  # fmt: skip
    found: dict[str, object] = {
        "rows": rows,
        "preview of 1,000, ms": median_ms(lambda: history.preview(decision, 1000)),
        f"preview of {rows:,}, ms": median_ms(lambda: history.preview(decision, rows)),
        "scores of corrected photographs, ms": median_ms(history.corrected),
    }
    database.close()
    return found


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = measure(arguments.url or f"sqlite:///{folder}/blemish.db", arguments.rows)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
