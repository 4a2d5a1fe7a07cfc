"""Measure what the service adds to the bare runtime: one client, one photograph after another, JPEG and PNG.

    python bench/round_trip.py [--inspector NAME.blemish --photographs FOLDER] [--against CHECKOUT] [--write]

Each photograph is judged by the bare runtime (all cores, the same bytes) and sent to `blemish serve` with its default
settings, in turns, over one connection that is kept; its history is on. No photograph is sent twice, so those that
are kept are written. With --against the server of another checkout gets the same photographs in the same turns, and
both get 80 % of the load that the other one can carry, in turns. Takes about five minutes, with --against nine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter, thread_time

import cv2
import numpy as np
from latency import fitted_washer
from measuring.pages import PERFORMANCE, origin, table, write_block
from measuring.service import Answer, Client, ServerProcess, send_all, send_at_rate
from python_multipart.multipart import MultipartParser

from blemish.core.images import list_images
from blemish.core.pictures import png_with_comment, with_comment
from blemish.core.types import Verdict
from blemish.line.photograph_statistics import photograph_statistics
from blemish.line.runtime import Inspector
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.image_store import ImageStore
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection

CORES, CLIENTS, BLOCK = 2, 6, 20
BAR_MS = 8.0
NO_LIMIT = ("--rate-per-minute", "0")
JPEG, PNG = "JPEG", "PNG"


@dataclass
class Served:
    """One server, its client, and what its answers took."""

    name: str
    process: ServerProcess
    client: Client
    answers: dict[str, list[Answer]] = field(default_factory=lambda: {JPEG: [], PNG: []})


def fresh(kind: str, paths: Sequence[Path]) -> Iterator[bytes]:
    """Photographs as files of a kind, without end: each time with another comment, so that none is a repeat."""
    files = []
    for path in paths:
        pixels = cv2.imread(str(path))
        suffix, quality = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]) if kind == JPEG else (".png", [])
        files.append(cv2.imencode(suffix, pixels, quality)[1].tobytes())
    commented = with_comment if kind == JPEG else png_with_comment
    for number in count():
        yield commented(files[number % len(files)], str(number).encode())


def wait_until_idle(servers: Sequence[Served]) -> None:
    """Return once no server has anything left to do: rejected parts enter the gallery after they are answered.

    Else whoever has the next turn shares the cores with what another has put off.
    """
    for server in servers:
        server.process.wait_until_idle()


def one_after_another(
    runtime: Inspector, servers: Sequence[Served], paths: Sequence[Path], number: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of the bare runtime by the kind of file, and of questions without work; answers go to the servers."""
    bare: dict[str, list[float]] = {JPEG: [], PNG: []}
    asked: list[float] = []
    coming = {kind: fresh(kind, paths) for kind in bare}
    for block in range(-1, -(-number // BLOCK)):  # the first one is thrown away
        for kind in bare:
            contents = [next(coming[kind]) for _ in range(BLOCK)]
            seconds = []
            wait_until_idle(servers)
            for content in contents:
                started = perf_counter()
                runtime.inspect(content)
                seconds.append(perf_counter() - started)
            turn = servers if block % 2 else servers[::-1]
            for server in turn:
                wait_until_idle(servers)
                server.client.connect()
                answers = [server.client.send(content, f"part.{kind.lower()}") for content in contents]
                assert {answer.status for answer in answers} == {200}
                if block >= 0:
                    server.answers[kind] += answers
            if block >= 0:
                bare[kind] += seconds
                asked += [servers[0].client.ask("/healthz") for _ in range(5)]
    return bare, asked


def piece_rows(runtime: Inspector, paths: Sequence[Path], folder: Path) -> list[list[str]]:
    """What of an answer is not of the runtime, each by itself in this process: CPU time, and all of it."""
    home = Home(folder)
    database = Database(home.database_url)
    database.upgrade()
    log, images = InspectionLog(database, home.station), ImageStore(home.images, buffer=home.buffer)
    coming = fresh(PNG, paths)
    content = next(coming)
    photograph = runtime.open_photograph(content, "part.png")
    given, inspection = runtime.input_of(photograph.pixels), runtime.inspect(content)
    new = NewInspection.of(
        inspection,
        time=datetime.now(UTC),
        inspector=runtime.name,
        version=1,
        percentile=50.0,
        image_digest="",
        image_suffix=None,
        file_name="part.png",
        milliseconds={},
        by="local",
    )
    boundary = "-" * 24 + "1234567890abcdef"  # as curl makes them

    def parsed() -> None:
        ended = f"\r\n--{boundary}--\r\n".encode()
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'.encode()
        parser = MultipartParser(boundary, {})
        body = head + content + ended
        for place in range(0, len(body), 2**16):
            parser.write(body[place : place + 2**16])

    pieces: dict[str, Callable[[], object]] = {
        "the record, committed": lambda: log.logged([replace(new, image_digest=secrets.token_hex(32))]),
        "a pass held": lambda: images.keep(next(coming), ".png", Verdict.PASS),
        "a reject kept": lambda: images.keep(next(coming), ".png", Verdict.REJECT),
        "statistics for drift": lambda: photograph_statistics(given, photograph.pixels),
        "digest": lambda: hashlib.sha256(content).hexdigest(),
        "form": parsed,
    }
    rows = []
    for name, piece in pieces.items():
        found = []
        for _ in range(60):
            clocks = thread_time(), perf_counter()
            piece()
            found.append((thread_time() - clocks[0], perf_counter() - clocks[1]))
        cpu, whole = 1e3 * np.median(found, 0)
        rows.append([name, f"{cpu:.2f}", f"{whole:.2f}"])
    database.close()
    return rows


def under_load(
    servers: Sequence[Served], paths: Sequence[Path], seconds: float, rounds: int
) -> tuple[float, dict[str, list[list[float]]]]:
    """The rate, 80 % of what the last server carries, and the waiting times of each server in each round."""
    coming = fresh(PNG, paths)
    contents = [next(coming) for _ in range(300)]
    reference = servers[-1]
    send_all(reference.client, contents, 2 * CLIENTS, CLIENTS)
    started = perf_counter()
    send_all(reference.client, contents, 150, CLIENTS)
    rate = 0.8 * 150 / (perf_counter() - started)
    found: dict[str, list[list[float]]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers if number % 2 else servers[::-1]:
            wait_until_idle(servers)
            answers = send_at_rate(server.client, contents, rate, seconds, at_random=False)
            found[server.name].append([answer.seconds for answer in answers if answer.status == 200])
    return rate, found


def added_rows(bare: dict[str, list[float]], servers: Sequence[Served]) -> list[list[str]]:
    """A row for each kind of file and server; what is added is the median of the pairs."""
    rows = []
    for kind, seconds in bare.items():
        own = 1e3 * np.array(seconds)
        for server in servers:
            answered = 1e3 * np.array([answer.seconds for answer in server.answers[kind]])
            added = answered - own
            middle, p90 = np.median(added), np.percentile(added, 90)
            judged = f"under {BAR_MS:.0f}: {'reached' if middle < BAR_MS else 'missed'}"
            figures = (np.median(own), np.median(answered), middle, p90)
            rows.append([f"{kind}, {server.name}", str(len(own)), *(f"{one:.1f}" for one in figures), judged])
    return rows


def step_rows(servers: Sequence[Served]) -> list[list[str]]:
    """Where the time of an answer goes, by what the server says of it; the rest is HTTP, keeping and logging."""
    rows = []
    for server in servers:
        answers = [answer for kind in server.answers.values() for answer in kind]
        names = list(answers[0].steps)
        steps = np.array([[answer.steps[name] for name in names] for answer in answers])
        rest = np.array([1e3 * answer.seconds for answer in answers]) - steps.sum(1)
        rows.append([server.name, *(f"{one:.1f}" for one in (*np.median(steps, 0), np.median(rest)))])
    return [["", *names, "rest"], *rows]


def load_rows(found: dict[str, list[list[float]]]) -> list[list[str]]:
    """A row for each server: median and 99th percentile, each the median of the rounds, and the paired ratio."""
    tails = {name: [1e3 * np.percentile(one, 99) for one in rounds] for name, rounds in found.items()}
    last = list(tails.values())[-1]
    rows = []
    for name, rounds in found.items():
        p50 = np.median([1e3 * np.median(one) for one in rounds])
        ratio = np.median([own / other for own, other in zip(tails[name], last, strict=True)])
        counted = str(sum(map(len, rounds)))
        rows.append([name, counted, f"{p50:.0f}", f"{np.median(tails[name]):.0f}", f"{ratio:.2f}"])
    return rows


def main() -> None:
    """Measure, print, and with --write put the tables into the page."""
    parser = argparse.ArgumentParser(description="What the service adds to the bare runtime, as Markdown.")
    parser.add_argument("--inspector", type=Path, help="fitted already; needs --photographs")
    parser.add_argument("--photographs", type=Path, help="folder of photographs of that part")
    parser.add_argument("--against", type=Path, help="another checkout, whose server is measured beside")
    parser.add_argument("--count", type=int, default=200, help="photographs of each kind")
    parser.add_argument("--seconds", type=float, default=15, help="length of a round under load; 0: none")
    parser.add_argument("--rounds", type=int, default=5, help="rounds under load")
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    options = parser.parse_args()
    if (options.inspector is None) != (options.photographs is None):
        parser.error("--inspector and --photographs belong together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        inspector, folder = options.inspector, options.photographs
        if inspector is None:
            inspector, folder = fitted_washer(Path(temporary))
        paths = [path for path in list_images(folder) if path.suffix == ".png"]
        sources = {"this Blemish": None} | (
            {"the other checkout": options.against / "src"} if options.against else {}
        )
        runtime = Inspector.load(inspector)
        servers = []
        for number, (name, source) in enumerate(sources.items()):
            home = Path(temporary) / f"home-{number}"
            process = stack.enter_context(ServerProcess(home, inspector, *NO_LIMIT, page=True, source=source))
            servers.append(Served(name, process, Client(process.address, runtime.name)))
        bare, asked = one_after_another(runtime, servers, paths, options.count)
        head = (
            "one after another",
            "photographs",
            "bare, ms",
            "answer, ms",
            "added, ms",
            "9 of 10, ms",
            "bar",
        )
        parts = [table(head, added_rows(bare, servers))]
        steps = step_rows(servers)
        parts.append(table(("median, ms", *steps[0][1:]), steps[1:]))
        parts.append(
            f"A question without work (`/healthz`) takes {1e3 * np.median(asked):.1f} ms on the same connection."
        )
        head = (f"piece of an answer ({paths[0].stat().st_size / 1e3:.0f} kB)", "CPU, ms", "in all, ms")
        parts.append(table(head, piece_rows(runtime, paths, Path(temporary) / "pieces")))
        if options.seconds:
            rate, found = under_load(servers, paths, options.seconds, options.rounds)
            head = (f"at {rate:.0f} a second (80 %)", "answers", "median, ms", "p99, ms", "p99, ratio")
            parts.append(table(head, load_rows(found)))
    text = "\n\n".join([*parts, origin()])
    print(text)
    if options.write:
        write_block(PERFORMANCE, "round-trip", text)


if __name__ == "__main__":
    main()
