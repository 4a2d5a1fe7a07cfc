"""Measure the service: throughput beside the bare runtime, waiting times, overload, memory, and kill -9 under load.

    python bench/service.py [--inspector NAME.blemish --photographs FOLDER] [--write]

Server, clients and the bare runtime share two cores. Without arguments an inspector of drawn washers is fitted first,
at the default size, on 512 x 512 photographs.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from latency import fitted_washer
from measuring.pages import MEASUREMENTS, origin, table, write_block
from measuring.service import Answer, Client, ServerProcess, send_all, send_at_rate, send_until

from blemish.core.images import list_images
from blemish.line.runtime import Inspector
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog

CORES = 2
CLIENTS = 6
NO_LIMIT = ("--rate-per-minute", "0")


@dataclass(frozen=True)
class Work:
    """What is measured with: an inspector, photographs as files and as bytes, and a folder for homes."""

    inspector: Path
    paths: list[Path]
    contents: list[bytes]
    folder: Path

    @property
    def name(self) -> str:
        """The inspector's name."""
        return Inspector.load(self.inspector).name


def throughput(work: Work, count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Photographs in a second by the bare runtime and by the service, taking turns."""
    bare, served = [], []
    runtime = Inspector.load(work.inspector)
    with ServerProcess(work.folder / "throughput", work.inspector, *NO_LIMIT) as server:
        client = Client(server.address, work.name)
        send_all(client, work.contents, 2 * CLIENTS, CLIENTS)
        for path in work.paths[:5]:
            runtime.inspect(path)
        for _ in range(rounds):
            server.wait_until_idle()  # the gallery takes rejected parts in when nothing else is to be done
            started = time.perf_counter()
            for number in range(count):
                runtime.inspect(work.paths[number % len(work.paths)])
            bare.append(count / (time.perf_counter() - started))
            started = time.perf_counter()
            answers = send_all(client, work.contents, count, CLIENTS)
            served.append(count / (time.perf_counter() - started))
            assert {answer.status for answer in answers} == {200}
    return bare, served


def waiting(work: Work, rate: float, seconds: float) -> dict[str, list[float]]:
    """Seconds from the moment that a photograph was due to its answer, at a rate, by how they come."""
    found = {"regularly, to the bare runtime": bare_waiting(work, rate, seconds)}
    with ServerProcess(work.folder / "waiting", work.inspector, *NO_LIMIT) as server:
        client = Client(server.address, work.name)
        send_all(client, work.contents, 2 * CLIENTS, CLIENTS)
        for name, at_random in (("regularly", False), ("at random", True)):
            answers = send_at_rate(client, work.contents, rate, seconds, at_random)
            found[name] = [answer.seconds for answer in answers if answer.status == 200]
    return found


def bare_waiting(work: Work, rate: float, seconds: float) -> list[float]:
    """The same without a server: a thread for each core with a network of its own. What is left is the machine's."""
    photographs: queue.SimpleQueue[tuple[float, Path] | None] = queue.SimpleQueue()
    found: list[float] = []
    compiled = threading.Barrier(CORES + 1)

    def judge() -> None:
        runtime = Inspector.load(work.inspector, 1)
        runtime.inspect(work.paths[0])
        compiled.wait()
        while (photograph := photographs.get()) is not None:
            runtime.inspect(photograph[1])
            found.append(time.perf_counter() - photograph[0])

    threads = [threading.Thread(target=judge) for _ in range(CORES)]
    for thread in threads:
        thread.start()
    compiled.wait()
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        photographs.put((due, work.paths[number % len(work.paths)]))
    for _ in threads:
        photographs.put(None)
    for thread in threads:
        thread.join()
    return found


def overload(work: Work, rate: float, seconds: float) -> tuple[Counter[int], int, int]:
    """Answers by status, 503 without Retry-After, and 200 that are not in the log."""
    home = work.folder / "overload"
    with ServerProcess(home, work.inspector, *NO_LIMIT) as server:
        answers = send_at_rate(Client(server.address, work.name), work.contents, rate, seconds, True)
    without = sum(answer.status == 503 and not answer.retry_after for answer in answers)
    return Counter(answer.status for answer in answers), without, len(_lost(home, answers)[0])


def memory(work: Work, count: int, steps: int = 10) -> list[tuple[int, float]]:
    """Requests so far, and resident memory of the server in MiB."""
    found = []
    with ServerProcess(work.folder / "memory", work.inspector, *NO_LIMIT) as server:
        client = Client(server.address, work.name)
        for step in range(1, steps + 1):
            send_all(client, work.contents, count // steps, CLIENTS)
            found.append((step * (count // steps), server.resident_mib))
    return found


def kills(work: Work, count: int) -> tuple[int, int, int, list[str]]:
    """Acknowledged inspections over `count` kills, those not in the log, those twice in it, and what is unsound."""
    home, draw, answers = work.folder / "kills", random.Random(0), []
    unsound: list[str] = []
    for kill in range(count):
        server = ServerProcess(home, work.inspector if kill == 0 else None, *NO_LIMIT)
        stopped = threading.Event()
        client = Client(server.address, work.name)
        with ThreadPoolExecutor(CLIENTS) as pool:
            senders = [
                pool.submit(send_until, stopped.is_set, client, work.contents, f"{kill}-{number}")
                for number in range(CLIENTS)
            ]
            time.sleep(draw.uniform(0.2, 1.5))
            server.kill()
            stopped.set()
            for sender in senders:
                answers += sender.result()
        server.__exit__()
    with ServerProcess(home, None):  # it comes up again
        pass
    lost, twice = _lost(home, answers)
    database = Database(Home(home).database_url)
    unsound += database.check_integrity()
    database.close()
    return sum(answer.status == 200 for answer in answers), len(lost), len(twice), unsound


def _lost(home: Path, answers: Sequence[Answer]) -> tuple[list[Answer], list[str]]:
    """Acknowledged answers whose record is not in the log under their number, and names that are in it twice."""
    database = Database(Home(home).database_url)
    logged = {record.id: record.file_name for record in InspectionLog(database).records()}
    database.close()
    lost = [
        answer for answer in answers if answer.status == 200 and logged.get(answer.number or 0) != answer.name
    ]
    return lost, [name for name, number in Counter(logged.values()).items() if number > 1]


def main() -> None:
    """Measure, print, and with --write put the tables into the page."""
    parser = argparse.ArgumentParser(description="The service under load, as Markdown.")
    parser.add_argument("--inspector", type=Path, help="fitted already; needs --photographs")
    parser.add_argument("--photographs", type=Path, help="folder of photographs of that part")
    parser.add_argument("--count", type=int, default=300, help="photographs in a round of throughput")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of throughput")
    parser.add_argument("--seconds", type=float, default=30, help="length of the load at a rate")
    parser.add_argument(
        "--requests", type=int, default=10_000, help="requests while memory is watched; 0: not"
    )
    parser.add_argument("--kills", type=int, default=50, help="kill -9 under load; 0: none")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    if (options.inspector is None) != (options.photographs is None):
        parser.error("--inspector and --photographs belong together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as temporary:
        inspector, folder = options.inspector, options.photographs
        if inspector is None:
            inspector, folder = fitted_washer(Path(temporary))
        paths = list_images(folder)
        work = Work(inspector, paths, [path.read_bytes() for path in paths], Path(temporary))
        for block, parts in (
            ("service", _speed(work, options)),
            ("service-endurance", _endurance(work, options)),
        ):
            if not parts:
                continue
            text = "\n\n".join([*parts, origin()])
            print(text)
            if options.write:
                write_block(MEASUREMENTS, block, text)


def _speed(work: Work, options: argparse.Namespace) -> list[str]:
    bare, served = throughput(work, options.count, options.rounds)
    rate = statistics.median(served)
    ratios = [one / other for one, other in zip(served, bare, strict=True)]
    rows = [
        [name, f"{statistics.median(values):.1f}", f"{min(values):.1f}", f"{max(values):.1f}"]
        for name, values in (("bare runtime, in a loop", bare), ("service", served))
    ]
    rows.append(["service / bare", *(f"{f(ratios):.2f}" for f in (statistics.median, min, max))])
    parts = [table(("photographs in a second", f"median of {options.rounds}", "lowest", "highest"), rows)]
    rows = []
    for name, seconds in waiting(work, 0.8 * rate, options.seconds).items():
        p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
        rows.append([name, str(len(seconds)), f"{p50:.0f}", f"{p99:.0f}", f"{p99 / p50:.1f}"])
    head = ("at 80 % load, photographs come", "answers", "median, ms", "99th percentile, ms", "ratio")
    parts.append(table(head, rows))
    statuses, without, lost = overload(work, 3 * rate, options.seconds)
    said = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    parts.append(f"At 3 x the load: {said}; 503 without Retry-After: {without}; 200 not in the log: {lost}.")
    return parts


def _endurance(work: Work, options: argparse.Namespace) -> list[str]:
    parts = []
    if options.requests:
        rows = [[f"{count:,}", f"{mib:.0f}"] for count, mib in memory(work, options.requests)]
        parts.append(table(("requests", "resident memory, MiB"), rows))
    if options.kills:
        acknowledged, lost, twice, unsound = kills(work, options.kills)
        parts.append(
            f"{options.kills} x kill -9 under load: {acknowledged:,} inspections acknowledged, {lost} of them not in "
            f"the log, {twice} twice in it; integrity of the database: {'; '.join(unsound) or 'sound'}."
        )
    return parts


if __name__ == "__main__":
    main()
