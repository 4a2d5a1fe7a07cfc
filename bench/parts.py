"""Time of asking for all parts at a glance, with 20 parts and 100,000 inspections in the log.

python bench/parts.py [--url postgresql://...] [--rows 100000] [--parts 20] [--inspector NAME.blemish]

With an inspector a server answers besides: it is put on the shelf once for each part.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from preview import AT_ONCE, median_ms

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.part_counts import PartCounts
from blemish.station.records import NewInspection
from blemish.station.review_queue import ReviewQueue
from blemish.station.shelf import InspectorShelf
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


def measure(url: str, home: Home, rows: int, parts: int, days: int) -> dict[str, object]:
    """Fill a database and ask; `home` is an empty one."""
    database = Database(url)
    database.upgrade()
    day = fill(database, rows, parts, days)
    counts, names = PartCounts(database), [f"part-{number:02d}" for number in range(parts)]
    month = day - timedelta(days=30)
    queue = ReviewQueue(database, DriftWatch(database, InspectorShelf(home, database)))
    found: dict[str, object] = {
        "rows": rows,
        "parts": parts,
        "days": days,
        "verdicts of the day, ms": median_ms(lambda: counts.verdicts(names, day)),
        "verdicts of the month before, ms": median_ms(lambda: counts.verdicts(names, month, day)),
        "waiting for a person, ms": median_ms(queue.for_review),
        "latest of each, ms": median_ms(lambda: counts.latest(names)),
        "by version of one part, ms": median_ms(lambda: VersionCounts(database).of(names[0])),
    }
    database.close()
    return found


def measure_served(inspector: Path, home: Path, rows: int, parts: int, days: int) -> dict[str, object]:
    """Ask a server that has so many parts and so long a history."""
    from fastapi.testclient import TestClient

    from blemish.server.app import create_app
    from blemish.server.service import Service
    from blemish.server.settings import ServerSettings

    service = Service(ServerSettings(home=home, page=True))
    for number in range(parts):
        service.shelf.add(inspector, f"part-{number:02d}")
        service.shelf.activate(f"part-{number:02d}", 1)
    fill(service.database, rows, parts, days)
    names = [f"part-{number:02d}" for number in range(parts)]
    started = time.perf_counter()
    for name in names:
        service.drift.drift(name)
    found: dict[str, object] = {
        "drift read the first time, ms": round(1000 * (time.perf_counter() - started))
    }
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        page = client.get("/")
        asked = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
        found |= {
            "GET /v1/parts, ms": median_ms(lambda: client.get("/v1/parts").raise_for_status()),
            "GET /, ms": median_ms(lambda: client.get("/").raise_for_status()),
            "bytes of the first view": len(page.content) + sum(len(client.get(one).content) for one in asked),
            "GET /parts/NAME/versions, ms": median_ms(
                lambda: client.get(f"/parts/{names[0]}/versions").raise_for_status()
            ),
            "drift of all, read on, ms": median_ms(lambda: [service.drift.drift(name) for name in names]),
        }
    return found


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--inspector", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = arguments.url or f"sqlite:///{folder}/blemish.db"
        how = arguments.rows, arguments.parts, arguments.days
        found = measure(url, Home(Path(folder) / "empty"), *how)
        if arguments.inspector:
            found |= measure_served(arguments.inspector, Path(folder) / "home", *how)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
