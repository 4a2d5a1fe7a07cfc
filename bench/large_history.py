"""A history of ten million inspections: what the station and the page ask, and how long the slowest of a hundred takes.

    python bench/large_history.py [--rows 10000000] [--kind sqlite] [--folder FOLDER] [--asked 100] [--write]

PostgreSQL is Debian's, in a temporary folder; `--folder` keeps it filled for the next time. 10,000 inspections are
logged as a station logs them, then repeated by the database itself with other numbers, times, serial numbers, batches
and digests: 20 parts, one inspection a second. Filling ten million takes about ten minutes, asking three.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from history import make_inspection, timed
from measuring.pages import ROOT, origin, table, write_block
from measuring.postgresql import SETTINGS, postgresql
from measuring.scale_figures import remember
from sqlalchemy import Engine, create_engine, event, func, select, text

from blemish.core.errors import DatabaseError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS
from blemish.station.statistics import HistoryStatistics

PARTS, SEED_ROWS, PIECE = 20, 10_000, 500_000
SLOW_SECONDS = 20.0
"""A question is asked no more often than so long, so that a slow one does not take the evening."""

_SHIFTED = {
    "id": "id + :step",
    "time": "time + :microseconds",
    "serial_number": "'SN-' || (id + :step)",
    "batch": "'LOT-' || ((id + :step) / 500)",
    "file_name": "(id + :step) || '.png'",
}


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """A database of a kind in a folder, with all tables."""
    if kind == "postgresql":
        with postgresql(folder) as url:
            database = Database(url)
            database.upgrade()
            yield database
            database.close()
    else:
        database = Database(f"sqlite:///{folder}/blemish.db")
        database.upgrade()
        event.listen(database.engine, "connect", _with_digests)
        database.engine.dispose()
        yield database
        database.close()


def _with_digests(connection: object, record: object) -> None:
    digest = lambda number: hashlib.sha256(str(number).encode()).hexdigest()  # noqa: E731
    connection.create_function("digest_of", 1, digest, deterministic=True)  # type: ignore[attr-defined]


def fill(database: Database, rows: int) -> float:
    """Fill up to so many inspections, if there are fewer; the seconds that it took."""
    log, started = InspectionLog(database), time.perf_counter()
    there = log.count()
    if there >= rows:
        return 0.0
    start = datetime.now(UTC) - timedelta(seconds=rows)
    for first in range(there, SEED_ROWS, 1000):
        log.add(
            [
                replace(make_inspection(number, PARTS), time=start + timedelta(seconds=number))
                for number in range(first, first + 1000)
            ]
        )
    # The product gives up after 20 seconds, which is right for a line and not for this.
    patient = database.engine if database.is_sqlite else create_engine(database.engine.url)
    for index in INSPECTIONS.indexes:  # made anew at the end, in a tenth of the time
        index.drop(patient, checkfirst=True)
    digest = (
        "digest_of(id + :step)" if database.is_sqlite else "encode(sha256((id + :step)::text::bytea), 'hex')"
    )
    shifted = _SHIFTED | {"image_digest": digest}
    names = [column.name for column in INSPECTIONS.c]
    repeat = text(
        f"INSERT INTO inspections ({', '.join(names)}) "
        f"SELECT {', '.join(shifted.get(name, name) for name in names)} FROM inspections WHERE id <= :up_to"
    )
    done = max(there, SEED_ROWS)
    while done < rows:
        up_to = min(done, PIECE, rows - done)
        with patient.begin() as connection:
            connection.execute(repeat, {"step": done, "microseconds": done * 1_000_000, "up_to": up_to})
        done += up_to
        print(f"{done:,} rows, {time.perf_counter() - started:.0f} s", flush=True)
    for index in INSPECTIONS.indexes:
        index.create(patient)
    _settle(patient, database.is_sqlite)
    return time.perf_counter() - started


def _settle(engine: Engine, is_sqlite: bool) -> None:
    """Do what the database does by itself within minutes, and let numbers go on after the last."""
    connection = engine.raw_connection()
    try:
        if not is_sqlite:
            connection.driver_connection.autocommit = True  # type: ignore[union-attr]
            numbers = "SELECT setval(pg_get_serial_sequence('inspections', 'id'), (SELECT max(id) FROM inspections))"
            connection.cursor().execute(numbers)
            connection.cursor().execute("VACUUM inspections")
        connection.cursor().execute("ANALYZE")
    finally:
        connection.close()


def bytes_of(database: Database, folder: Path) -> tuple[int, int]:
    """Bytes of the table's rows, and of its indexes; of SQLite's file and nothing."""
    if database.is_sqlite:
        return (folder / "blemish.db").stat().st_size, 0
    with database.session() as session:
        rows = session.scalar(select(func.pg_table_size("inspections")))
        return int(rows or 0), int(session.scalar(select(func.pg_indexes_size("inspections"))) or 0)


def questions(database: Database, rows: int) -> dict[str, Callable[[], object]]:
    """What a station, the page and the API do with a history, by name."""
    log, numbers = InspectionLog(database), HistoryStatistics(database)
    part = InspectionFilter(inspector="part-7")
    now = datetime.now(UTC)
    day, week = (replace(part.scope, since=now - timedelta(days=days)) for days in (1, 7))
    deep = _deep(log, rows)
    fresh = iter(range(2 * rows, 3 * rows))

    def add(count: int) -> object:
        return log.add([make_inspection(number, PARTS) for number in islice(fresh, count)])

    return {
        "log one inspection, committed": lambda: add(1),
        "log eight in one commit": lambda: add(8),
        "one inspection by its number": lambda: log.get(rows // 2),
        "newest page": lambda: log.page(),
        "newest page of a part": lambda: log.page(part),
        "newest rejects of a part": lambda: log.page(replace(part, verdict=Verdict.REJECT)),
        "page in the middle of the history": lambda: log.page(cursor=deep),
        "page of a part in the middle": lambda: log.page(part, cursor=deep),
        "page of a batch": lambda: log.page(replace(part, batch=f"LOT-{rows // 1000}")),
        "page of a shift": lambda: log.page(replace(part, shift="night")),
        "a serial number": lambda: log.page(InspectionFilter(serial_number=f"SN-{rows // 2}")),
        "search for what the newest hold": lambda: log.page(replace(part, search=".png")),
        "search in vain, in a part": lambda: log.page(replace(part, search="no such file")),
        "count of a part": lambda: log.count(part),
        "count of all": lambda: log.count(),
        "summary of a part, a day": lambda: numbers.summary(day),
        "summary of a part, a week": lambda: numbers.summary(week),
        "summary of a part, all of it": lambda: numbers.summary(part.scope),
        "reject rates of a part, a week by hour": lambda: numbers.reject_rates(week, "hour"),
        "reject rates of a part, all by day": lambda: numbers.reject_rates(part.scope, "day"),
        "scores of a part, a week by hour": lambda: numbers.score_trend(week, "hour"),
        "first pass of a part, a day": lambda: numbers.first_pass(day),
        "CSV: 10,000 rows of a part": lambda: sum(1 for _ in islice(log.records(part), 10_000)),
    }


def _deep(log: InspectionLog, rows: int) -> str:
    """The cursor of a page that begins in the middle of the history, which an offset would have to walk to."""
    middle = log.get(rows // 2)
    cursor = log.page(InspectionFilter(until=middle.time), 1).next_cursor
    assert cursor is not None
    return cursor


def asked(ask: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each call, the first left out; fewer than `times` where they are slow."""
    ask()
    found: list[float] = []
    started = time.perf_counter()
    while len(found) < times and (len(found) < 3 or time.perf_counter() - started < SLOW_SECONDS):
        found.append(timed(ask))
    return sorted(found)


def main() -> None:
    """Fill, ask, print, and with --write put the tables into docs/scale.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--kind", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--asked", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        if given.folder is None:
            folder.chmod(0o755)  # another user runs the server
        folder.mkdir(parents=True, exist_ok=True)
        with opened(given.kind, folder) as database:
            seconds = fill(database, given.rows)
            size, indexes = bytes_of(database, folder)
            rows = []
            for name, ask in questions(database, given.rows).items():
                try:
                    times = asked(ask, given.asked)
                except DatabaseError:  # it says so after 20 seconds, and so does the page
                    rows.append([name, "given up", "after 20 s", "1"])
                    continue
                p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(0.99 * len(times)))]
                rows.append([name, f"{p50:.1f}", f"{p99:.1f}", str(len(times))])
                print(*rows[-1], sep="  ", flush=True)
    filled = f", filled in {seconds:.0f} s" if seconds else ""
    stored = f"{size / given.rows:.0f} bytes a row" + (
        f" and {indexes / given.rows:.0f} of indexes" if indexes else ""
    )
    set_so = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    server = f"PostgreSQL with {set_so}" if given.kind == "postgresql" else "SQLite"
    text_ = "\n\n".join(
        (
            table((f"{given.rows:,} inspections of {PARTS} parts", "median, ms", "p99, ms", "asked"), rows),
            f"{server}; {stored}{filled}.",
            origin(),
        )
    )
    print(text_)
    if given.write:
        name = "large-history" if given.kind == "postgresql" else "large-history-sqlite"
        write_block(ROOT / "docs" / "scale.md", name, text_)
        if given.kind == "postgresql":
            eight = next(float(row[1]) for row in rows if row[0].startswith("log eight"))
            each = {"row_bytes": size / given.rows, "index_bytes": indexes / given.rows}
            remember("history", **each, rows_a_second=8000 / eight)


if __name__ == "__main__":
    main()
