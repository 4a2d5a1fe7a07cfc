"""Time of asking for all parts at a glance, with 20 parts and 100,000 inspections in the log.

python bench/parts.py [--url postgresql://...] [--rows 100000] [--parts 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from preview import AT_ONCE, median_ms

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.part_counts import PartCounts
from blemish.station.records import NewInspection
from blemish.station.version_counts import VersionCounts

REJECTED, REVIEWED = 0.03, 0.07


def fill(database: Database, rows: int, parts: int, days: int) -> datetime:
    """Log so many inspections of parts in turn, evenly over the days up to now; what is returned is their last day."""
    now = datetime.now(UTC)
    drawn, log = np.random.default_rng(0).random(rows), InspectionLog(database)
    step = timedelta(days=days) / rows
    for start in range(0, rows, AT_ONCE):
        numbers = range(start, min(rows, start + AT_ONCE))
        log.add(
            [_made(number, float(drawn[number]), parts, now - (rows - number) * step) for number in numbers]
        )
    return now - timedelta(days=1)


def _made(number: int, drawn: float, parts: int, time: datetime) -> NewInspection:
    verdict = Verdict.REJECT if drawn < REJECTED else Verdict.REVIEW if drawn < REVIEWED else Verdict.PASS
    return NewInspection(
        time=time, inspector=f"part-{number % parts:02d}", version=1 + number % 3, verdict=verdict,
        score=1 - drawn, threshold=1 - REJECTED, p_value=0.3, percentile=70.0,
        regions=(Region(1, 2, 3, 4, 5.0),) * 3, width=1024, height=1024, image_digest=f"{number:064d}",
        image_suffix=None, file_name=f"{number:08d}.png",
    )  # fmt: skip


def measure(url: str, rows: int, parts: int, days: int) -> dict[str, object]:
    """Fill a database and ask."""
    database = Database(url)
    database.upgrade()
    day = fill(database, rows, parts, days)
    counts, names = PartCounts(database), [f"part-{number:02d}" for number in range(parts)]
    month = day - timedelta(days=30)
    found: dict[str, object] = {
        "rows": rows,
        "parts": parts,
        "days": days,
        "verdicts of the day, ms": median_ms(lambda: counts.verdicts(names, day)),
        "verdicts of the month before, ms": median_ms(lambda: counts.verdicts(names, month, day)),
        "waiting for a person, ms": median_ms(lambda: counts.waiting(month)),
        "latest of each, ms": median_ms(lambda: counts.latest(names)),
        "by version of one part, ms": median_ms(lambda: VersionCounts(database).of(names[0])),
    }
    database.close()
    return found


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--days", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = arguments.url or f"sqlite:///{folder}/blemish.db"
        found = measure(url, arguments.rows, arguments.parts, arguments.days)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
