"""Measure the station on a simulated line: latency, memory, and that nothing is lost or judged twice.

    python bench/station.py [--minutes 5] [--no-faults | --faults N] [--kills N] [--write]

A program writes ten photographs of parts a second into a folder, and a network camera gives one a second more; station,
writer, camera and broker share two cores. A third of the way the MQTT broker is killed for a tenth of the time, half of
the way the camera stalls for as long. With --faults both come N times in the second half, in turn, for up to 8 s,
after which memory must be what it was. With --kills the station is ended by kill -9 so many times under the same load
instead, and started anew each time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, origin, write_block
from measuring.station import Broker, Camera, PartWriter, StationProcess, Watcher
from sqlalchemy import text

from blemish.station.database import Database
from blemish.station.home import Home

CORES, RATE, SIDE = 2, 10.0, 256
LIMIT_MILLISECONDS = 300.0

SETTINGS = """
[station]
name = "line"
inspector = "{inspector}"
workers = 2
buffer_megabytes = 50
keep_gigabytes = 0.1

[[source]]
kind = "folder"
name = "folder"
path = "incoming"

[[source]]
kind = "stream"
name = "camera"
url = "{camera}"
stall_seconds = 3
trigger = {{ kind = "interval", seconds = 1.0 }}

[[sink]]
kind = "json-lines"
name = "lines"
file = "verdicts.jsonl"
daily = false
megabytes = 0

[[sink]]
kind = "files"
name = "sorted"
folder = "sorted"
action = "move"
"""

MQTT = """
[[sink]]
kind = "mqtt"
name = "plant"
port = {port}
"""


class SimulatedLine:
    """All that stands around a station, in a folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.home = folder, folder / "home"
        self.incoming, self.lines = folder / "incoming", folder / "verdicts.jsonl"
        self.incoming.mkdir()
        run_blemish(
            "sample", folder, "--category", "washer", "--train", 24, "--size", SIDE, "--json", cache=folder
        )
        fit = ("fit", folder / "washer", "--out", folder / "washer.blemish", "--size", SIDE, "--json")
        run_blemish(*fit, cache=folder / "cache")
        photographs = sorted((folder / "washer" / "test").rglob("*.png"))
        frames = [cv2.imencode(".jpg", cv2.imread(str(path)))[1].tobytes() for path in photographs[:12]]
        self.camera = stack.enter_context(Camera(frames))
        self.broker = stack.enter_context(Broker(folder)) if Broker.there_is() else None
        more = MQTT.format(port=self.broker.port) if self.broker else ""
        self.config = folder / "line.toml"
        settings = SETTINGS.format(inspector=folder / "washer.blemish", camera=self.camera.url)
        self.config.write_text(settings + more)
        self.writer = PartWriter(photographs, self.incoming, folder / "closed.txt", RATE)

    def station(self) -> StationProcess:
        """Start the station."""
        return StationProcess(self.config, self.home)

    def clear_sorted(self) -> None:
        """Carry away what was sorted, as an archive does: an hour would fill the disk."""
        for folder in (self.folder / "sorted").glob("*"):
            for path in list(folder.glob("part-*")):
                path.unlink(missing_ok=True)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of the history."""
        database = Database(Home(self.home).database_url)
        with database.session() as session:
            found = [tuple(row) for row in session.execute(text(statement))]
        database.close()
        return found

    def finish(self) -> None:
        """Wait until all that was written is judged and told, for two minutes at most."""
        self.camera.stalled.set()  # else something is always on its way
        end = time.monotonic() + 120
        while time.monotonic() < end:
            accounts = self.accounts()
            if not (accounts["lost"] or accounts["still to be told"] or any(self.incoming.iterdir())):
                return
            time.sleep(0.5)

    def accounts(self) -> dict[str, int]:
        """What was written, judged, judged more than once, lost, told and told again."""
        written = self.writer.closed()
        judged = Counter(
            str(name)
            for (name,) in self.query("SELECT file_name FROM inspections")
            if str(name).startswith("part-")
        )
        told = Counter(json.loads(line)["id"] for line in self.lines.read_bytes().splitlines())
        missing, waiting = written.keys() - judged.keys(), {one.name for one in self.incoming.iterdir()}
        identities = {str(number) for (number,) in self.query("SELECT id FROM inspections")}
        return {
            "written": len(written),
            "judged": len(judged),
            "judged twice": sum(count > 1 for count in judged.values()),
            "lost": len(missing - waiting),
            "still to be judged": len(missing & waiting),
            "verdicts": len(identities),
            "never told": len(identities - {one.rpartition(":")[2] for one in told}),
            "told again": sum(count > 1 for count in told.values()),
            "still to be told": int(str(self.query("SELECT count(*) FROM outbox")[0][0])),
        }


Event = tuple[float, Callable[[], object]]
"""Seconds after the start, and what happens then."""


def once(line: SimulatedLine, seconds: float) -> list[Event]:
    """Each fault once, for a tenth of the time."""
    events: list[Event] = [
        (seconds * 0.5, line.camera.stalled.set),
        (seconds * 0.6, line.camera.stalled.clear),
    ]
    if line.broker is not None:
        events += [(seconds / 3, line.broker.kill), (seconds / 3 + seconds / 10, line.broker.start)]
    return sorted(events, key=lambda one: one[0])


def again_and_again(line: SimulatedLine, seconds: float, times: int) -> list[Event]:
    """Each fault so many times, in turn, in the second half of the time but for its last minute."""
    lasts = min(8.0, (seconds / 2 - 60) / (4 * times))
    if lasts < 1:
        sys.exit(
            f"{times} faults of each kind do not fit into {seconds / 60:g} minutes: give more --minutes."
        )
    events: list[Event] = []
    for start in np.linspace(seconds / 2, seconds - 60, times, endpoint=False):
        if line.broker is not None:
            events += [(start, line.broker.kill), (start + lasts, line.broker.start)]
        events += [
            (start + 2 * lasts, line.camera.stalled.set),
            (start + 3 * lasts, line.camera.stalled.clear),
        ]
    return events


def steady(line: SimulatedLine, seconds: float, due: list[Event]) -> str:
    """Run for so long, with a dead broker and a stalled camera in between, and say how it went."""
    with line.station() as station:
        station.wait_until_running()
        with Watcher(line.lines, station) as watcher, line.writer:
            started = time.monotonic()
            while (now := time.monotonic() - started) < seconds:
                while due and due[0][0] <= now:
                    due.pop(0)[1]()
                line.clear_sorted()
                time.sleep(0.5)
            line.writer.stop()
            line.finish()
        dropped = sum(one["dropped"] for one in station.status()["sources"])
    return told_of(line, watcher, dropped, seconds)


def told_of(line: SimulatedLine, watcher: Watcher, dropped: int, seconds: float) -> str:
    """The figures of a steady run, as Markdown."""
    closed = line.writer.closed()
    told = 1e3 * np.array([watcher.told[name] - closed[name] for name in closed if name in watcher.told])
    committed = np.array(list(watcher.committed.values()))
    times, sizes = np.array(
        [one for one in watcher.memory if one[0] <= seconds]
    ).T  # then nothing comes in any more
    # A broker or camera that comes back is connected anew, which takes memory once: what grows on shows in the rest.
    settled = {share: times > share * times[-1] for share in (0.25, 0.65)}
    slopes = [_rise_an_hour(times[one], sizes[one]) for one in settled.values()]
    tenths = [
        sizes[(times > (tenth - 1) * times[-1] / 10) & (times <= tenth * times[-1] / 10)].mean()
        for tenth in range(1, 11)
    ]
    accounts = ", ".join(f"{count:,} {what}" for what, count in line.accounts().items())
    lines = [
        f"{seconds / 60:g} minutes, {RATE:g} parts a second from a folder and one from a camera, {SIDE} px, "
        f"{CORES} cores:",
        "",
        f"- from file closed to verdict committed ({len(committed):,}): median {_at(committed, 50)}, "
        f"p99 {_at(committed, 99)}, most {committed.max():.0f} ms;",
        f"- to the verdict in a file of another program ({len(told):,}): median {_at(told, 50)}, p99 {_at(told, 99)}, "
        f"most {told.max():.0f} ms;",
        f"- memory, MiB, the mean of each tenth of the time: {', '.join(f'{one:.1f}' for one in tenths)} "
        f"({slopes[0]:+.1f} MiB an hour by a line through the last three quarters, "
        f"{slopes[1]:+.1f} through the last third);",
        f"- parts: {accounts}; frames of the camera that gave way: {dropped}.",
    ]
    if watcher.troubles:
        lines += ["", "It said meanwhile:", "", *(f"- {one}" for one in sorted(watcher.troubles))]
    return "\n".join(lines)


def _rise_an_hour(seconds: np.ndarray, sizes: np.ndarray) -> float:
    """The slope of a line through the sizes, an hour."""
    return float(3600 * np.polyfit(seconds, sizes, 1)[0]) if len(seconds) > 10 else float("nan")


def _at(values: np.ndarray, percent: float) -> str:
    return f"{np.percentile(values, percent):.0f} ms"


def killed(line: SimulatedLine, kills: int) -> str:
    """Kill the station so many times under load, and say what became of the parts."""
    moments = random.Random(20)
    with line.writer:
        for _ in range(kills):
            station = line.station()
            station.wait_until_running()
            time.sleep(moments.uniform(0.05, 2.0))
            station.kill()
            line.clear_sorted()
    with line.station() as station:
        station.wait_until_running()
        line.finish()
    accounts = ", ".join(f"{count:,} {what}" for what, count in line.accounts().items())
    return f"{kills} times kill -9 at {RATE:g} parts a second: {accounts}."


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    faults = parser.add_mutually_exclusive_group()
    faults.add_argument("--no-faults", action="store_true", help="let broker and camera be")
    faults.add_argument("--faults", type=int, default=0, metavar="N", help="let each fail N times")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="kill the station N times instead")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/measurements.md")
    given = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = Path(tempfile.mkdtemp(prefix="blemish-station-"))
    try:
        with ExitStack() as stack:
            line = SimulatedLine(folder, stack)
            if given.kills:
                found, block = killed(line, given.kills), "station-kills"
            else:
                seconds, block = 60 * given.minutes, "station-faults" if given.faults else "station"
                if given.faults:
                    due = again_and_again(line, seconds, given.faults)
                else:
                    due = [] if given.no_faults else once(line, seconds)
                found = steady(line, seconds, due)
            bad = {
                what: line.accounts()[what]
                for what in ("judged twice", "lost", "still to be judged", "never told", "still to be told")
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(found)
    if given.write:
        write_block(MEASUREMENTS, block, f"{found}\n\n{origin()}")
    if any(bad.values()):
        sys.exit(f"Parts were lost, left over, or judged or told other than once: {bad}")


if __name__ == "__main__":
    main()
