"""Measure what overlapping is worth: a folder, an evaluation, the service and a station beside one after another.

    python bench/throughput.py [--inspector NAME.blemish --data FOLDER] [--write]

One after another is a plain loop: read, decode, judge and write what that way writes, then the next photograph; once
with the network on all cores, as `Inspector.load` has it, and once on a single core. In each round all take turns, each
in a process of its own, and a ratio is of one round. Takes about twenty minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from latency import fitted_washer
from measuring.pages import PERFORMANCE, origin, table, write_block
from measuring.service import Client, ServerProcess, send_all

from blemish.core.image_files import OVERLAY_MARK
from blemish.core.images import list_images
from blemish.core.pictures import encoded, png_with_comment, with_comment
from blemish.core.storage import write_bytes
from blemish.data.catalog import Catalog
from blemish.data.categories import open_category
from blemish.evaluation.evaluate import evaluate
from blemish.evaluation.unseen import evaluate_inspector
from blemish.line.results import Result, write_results
from blemish.line.runtime import Inspector
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.image_store import ImageStore
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection
from blemish.workflows.inspect import InspectRequest, inspect

CORES, CLIENTS, BAR = 2, 6, 1.7

STATION = """
[station]
name = "line"
inspector = "{inspector}"

[[source]]
kind = "folder"
name = "folder"
path = "incoming"
"""


@dataclass(frozen=True)
class Work:
    """What is measured with, in one round: a folder to write into, and the CPU threads of a plain loop."""

    inspector: Path
    photographs: Path
    data: Path
    out: Path
    threads: int | None

    @property
    def paths(self) -> list[Path]:
        """The photographs."""
        return list_images(self.photographs)


@dataclass(frozen=True)
class Measured:
    """Photographs in a second; what their process has used: CPU milliseconds for each, and MiB at its most."""

    rate: float
    mib: float = float("nan")
    cpu_ms: float = float("nan")


def folder_loop(work: Work) -> Measured:
    """As `blemish inspect --out`, one photograph after another."""
    inspector, results = Inspector.load(work.inspector, work.threads), []
    inspector.warm_up()
    started = _clocks()
    for path in work.paths:
        inspection = inspector.inspect(path)
        place = work.out / f"{path.stem}.jpg"
        write_bytes(place, with_comment(encoded(inspection.overlay_pixels(), ".jpg", 90), OVERLAY_MARK))
        results.append(Result.of(path, inspection, place))
    write_results(work.out, results)
    return _measured(len(results), started)


def folder_overlapped(work: Work) -> Measured:
    """`blemish inspect --out`; it opens the inspector, too, which a loop has done before."""
    Inspector.load(work.inspector, streams=CORES)  # what a process pays once
    started = _clocks()
    done = inspect(InspectRequest(inspector=work.inspector, paths=(work.photographs,), out=work.out))
    return _measured(done.count, started)


def evaluation_loop(work: Work) -> Measured:
    """As `blemish evaluate` without its report, one photograph after another."""
    inspector, catalog = Inspector.load(work.inspector, work.threads), _catalog(work)
    inspector.warm_up()
    started = _clocks()
    done = evaluate(
        inspector.inspect,
        catalog,
        inspector.threshold,
        pixel_threshold=inspector.pixel_threshold,
        map_scale=inspector.map_scale,
    )
    return _measured(len(done.images), started)


def evaluation_overlapped(work: Work) -> Measured:
    """`blemish evaluate` without its report; it compiles the network that judges several at once, too."""
    inspector, catalog = Inspector.load(work.inspector), _catalog(work)
    inspector.warm_up()
    started = _clocks()
    return _measured(len(evaluate_inspector(inspector, catalog).images), started)


def logged_loop(work: Work) -> Measured:
    """As service and station: judged, kept by the usual policy, and each logged before the next is looked at."""
    inspector, home = Inspector.load(work.inspector, work.threads), Home(work.out / "home")
    inspector.warm_up()
    database = Database(home.database_url)
    database.upgrade()
    log, images = InspectionLog(database, home.station), ImageStore(home.images, buffer=home.buffer)
    started, paths = _clocks(), work.paths
    for path in paths:
        content = path.read_bytes()
        inspection = inspector.inspect(content)
        kept = images.keep(content, path.suffix, inspection.verdict)
        new = NewInspection.of(
            inspection,
            time=datetime.now(UTC),
            inspector=inspector.name,
            version=1,
            percentile=inspector.percentile(inspection.score),
            image_digest=hashlib.sha256(content).hexdigest(),
            image_suffix=kept,
            file_name=path.name,
            milliseconds={},
            by="local",
        )
        log.add([new])
    measured = _measured(len(paths), started)
    database.close()
    return measured


def service_overlapped(work: Work) -> Measured:
    """`blemish serve` and clients that share its cores."""
    contents = [path.read_bytes() for path in work.paths]
    home = work.out / "served"
    with ServerProcess(home, work.inspector, "--rate-per-minute", "0") as server:
        client = Client(server.address, Inspector.load(work.inspector).name)
        first = [_renamed(content, f"first {n}".encode()) for n, content in enumerate(contents[:CLIENTS])]
        send_all(client, first, CLIENTS, CLIENTS)
        server.wait_until_idle()
        started = time.perf_counter()
        answers = send_all(client, contents, len(contents), CLIENTS)
        rate = len(answers) / (time.perf_counter() - started)
        assert {answer.status for answer in answers} == {200}
        return Measured(rate)


def station_overlapped(work: Work) -> Measured:
    """`blemish station --once` on a folder of photographs, from its first record to its last."""
    shutil.copytree(work.photographs, work.out / "incoming")
    config, home = work.out / "line.toml", work.out / "home"
    config.write_text(STATION.format(inspector=work.inspector), encoding="utf-8")
    command = [sys.executable, "-m", "blemish", "station", str(config), "--once", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        process.wait()
    database = Database(Home(home).database_url)
    times = [record.time for record in InspectionLog(database).records()]
    database.close()
    assert len(times) == len(work.paths), "the station did not judge all"
    return Measured((len(times) - 1) / (max(times) - min(times)).total_seconds())


WAYS: dict[str, tuple[Callable[[Work], Measured], Callable[[Work], Measured]]] = {
    "`blemish inspect` of a folder": (folder_loop, folder_overlapped),
    "`blemish evaluate`, without its report": (evaluation_loop, evaluation_overlapped),
    "the service, six clients": (logged_loop, service_overlapped),
    "a station, a folder": (logged_loop, station_overlapped),
}


def measured_in_turns(work: Work, rounds: int) -> dict[str, list[tuple[Measured, Measured, Measured]]]:
    """For each way and round: a loop on all cores, a loop on one, and overlapped."""
    found: dict[str, list[tuple[Measured, Measured, Measured]]] = {name: [] for name in WAYS}
    for number in range(rounds):
        for name, (loop, overlapped) in WAYS.items():
            turns = [(loop, None), (loop, 1), (overlapped, None)]
            order = [0, 1, 2] if number % 2 else [2, 1, 0]
            done = {place: _alone(turns[place][0], work, turns[place][1]) for place in order}
            found[name].append((done[0], done[1], done[2]))
    return found


def rows(found: dict[str, list[tuple[Measured, Measured, Measured]]]) -> list[list[str]]:
    """A row for each way: medians of the rounds, and of their ratios."""
    shown = []
    for name, rounds in found.items():
        rates = np.array([[one.rate for one in turn] for turn in rounds])
        all_cores, one_core = (np.median(rates[:, 2] / rates[:, place]) for place in (0, 1))
        grown = np.median([turn[2].mib - turn[0].mib for turn in rounds])
        said = f"{BAR}: {'reached' if all_cores >= BAR else 'missed'}"
        in_process = "`blemish" in name  # service and station are other programs than the loop
        figures = [f"{one:.1f}" for one in np.median(rates, 0)]
        memory = f"{grown:+.0f}" if in_process else "-"
        cpu = np.median([[one.cpu_ms for one in turn] for turn in rounds], 0)
        used = " / ".join(f"{one:.0f}" for one in (cpu if in_process else cpu[:2]))
        shown.append([name, *figures, f"{all_cores:.2f}", f"{one_core:.2f}", said, used, memory])
    return shown


def many(source: Path, folder: Path, number: int) -> Path:
    """A folder of so many PNG photographs, none the same file as another."""
    folder.mkdir()
    paths = [path for path in list_images(source) if path.suffix == ".png"]
    for place in range(number):
        content = _renamed(paths[place % len(paths)].read_bytes(), str(place).encode())
        (folder / f"{place:05d}.png").write_bytes(content)
    return folder


def labelled(source: Path, folder: Path, number: int) -> Path:
    """The same as test photographs of a data set, with their labels and masks."""
    copies = -(-number // len(list((source / "test").rglob("*.png"))))
    shutil.copytree(source, folder)
    for below in ("test", "ground_truth"):
        for path in sorted((source / below).rglob("*.png")):
            for copy in range(1, copies):
                stem = re.sub(r"^(\d+)", rf"\g<1>{copy:03d}", path.stem)
                place = folder / path.relative_to(source).with_name(f"{stem}{path.suffix}")
                place.write_bytes(_renamed(path.read_bytes(), f"copy {copy}".encode()))
    return folder


def _catalog(work: Work) -> Catalog:
    return open_category(work.data, None, None)


def _renamed(png: bytes, comment: bytes) -> bytes:
    return png_with_comment(png, comment)


def _measured(number: int, started: tuple[float, float]) -> Measured:
    seconds, cpu = (now - before for now, before in zip(_clocks(), started, strict=True))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    mib = int(peak[1]) / 1024 if peak else float("nan")
    return Measured(number / seconds, mib, 1e3 * cpu / number)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _alone(way: Callable[[Work], Measured], work: Work, threads: int | None) -> Measured:
    """Run a way in a new process, with an empty folder."""
    with tempfile.TemporaryDirectory(dir=work.out) as out:
        given = Work(work.inspector, work.photographs, work.data, Path(out), threads)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            return process.submit(way, given).result()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with --write put the table into the page."""
    parser = argparse.ArgumentParser(description="What overlapping is worth, as Markdown.")
    parser.add_argument("--inspector", type=Path, help="fitted already; needs --data")
    parser.add_argument("--data", type=Path, help="data set of that part, as `blemish sample` makes it")
    parser.add_argument("--count", type=int, default=160, help="photographs in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    options = parser.parse_args(arguments)
    if (options.inspector is None) != (options.data is None):
        parser.error("--inspector and --data belong together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inspector, data = options.inspector, options.data
        if inspector is None:
            inspector, data = fitted_washer(folder)[0], folder / "washer"
        photographs = many(data / "test", folder / "photographs", options.count)
        copies = labelled(data, folder / "labelled" / data.name, options.count)
        work = Work(inspector.absolute(), photographs, copies, folder, None)
        found = measured_in_turns(work, options.rounds)
    head = (
        "photographs in a second",
        "loop, all cores",
        "loop, one core",
        "overlapped",
        "ratio to all cores",
        "ratio to one core",
        "bar, to all cores",
        "CPU, ms each",
        "memory, MiB",
    )
    text = f"{table(head, rows(found))}\n\n{origin()}"
    print(text)
    if options.write:
        write_block(PERFORMANCE, "throughput", text)


if __name__ == "__main__":
    main()
