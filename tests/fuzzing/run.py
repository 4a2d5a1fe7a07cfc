"""Bring damaged files to every door, and report what came through that is no word of the project's own.

    python tests/fuzzing/run.py INSPECTOR --files 300000 [--seed 0] [--workers 2]

Each file follows from the seed and its number alone: `--only NUMBER` brings that one again, and prints its traceback. A
worker that dies (a decoder's fault) is told like an error, and the next one goes on behind it. Exit status 1 if
anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
from doors import DOORS, Door
from mutations import mutated

SECONDS_EACH = 20
MOST_MEGABYTES = 1500
"""Of a worker: a file that claims to be large must not get that memory."""


def bring(number: int, seed: int, doors: dict[str, tuple[Door, list[bytes]]]) -> str:
    """Knock with one file; the name of its door."""
    random = np.random.default_rng((seed, number))
    names, shares = list(doors), np.array([door.share for door, _ in doors.values()])
    name = str(random.choice(names, p=shares / shares.sum()))
    door, seeds = doors[name]
    content = mutated(seeds[random.integers(len(seeds))], seeds, random)
    signal.alarm(SECONDS_EACH)
    try:
        door.knock(content, random)
    finally:
        signal.alarm(0)
    return name


def work(options: argparse.Namespace, folder: Path) -> None:
    """Bring every file of a range, and write down what is found and how far it is."""
    signal.signal(signal.SIGALRM, _too_slow)
    doors = {}
    for kind in DOORS:
        place = folder / kind.name
        place.mkdir(exist_ok=True)
        doors[kind.name] = kind(place)
    ready = {name: (door, list(door.seeds())) for name, door in doors.items()}
    counts: Counter[str] = Counter()
    for number in range(options.start, options.files, options.step):
        (folder / "at").write_text(str(number))
        try:
            counts[bring(number, options.seed, ready)] += 1
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error}"[:200]
            with (folder / "found").open("a") as found:
                found.write(json.dumps([number, f"{where.filename}:{where.lineno}", said]) + "\n")
            if options.only is not None:
                raise
    with (folder / "counts").open("a") as written:
        written.write(json.dumps(counts) + "\n")
    (folder / "memory").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    sys.stdout.flush()
    os._exit(0)  # the threads of a service need not be waited for


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS_EACH} s")


def _worker(options: argparse.Namespace, start: int, folder: Path) -> subprocess.Popen[bytes]:
    given = ["--start", str(start), "--step", str(options.workers), "--folder", str(folder)]
    command = [sys.executable, __file__, str(options.inspector), "--files", str(options.files), *given]
    environment = os.environ | {"BLEMISH_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, "--seed", str(options.seed)], env=environment)


def main() -> int:
    """Share the files among workers, start those that die anew, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inspector", type=Path, help="an inspector, for the doors that need one")
    parser.add_argument("--files", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int)
    for name in ("--start", "--step"):
        parser.add_argument(name, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["BLEMISH_FUZZED_INSPECTOR"] = str(options.inspector.absolute())
    if options.folder:
        work(options, options.folder)
    with tempfile.TemporaryDirectory() as base:
        if options.only is not None:
            options.start, options.step, options.files = options.only, 1, options.only + 1
            work(options, Path(base))
        return _share(options, Path(base))


def _share(options: argparse.Namespace, base: Path) -> int:
    began, found = time.monotonic(), []
    folders = [base / str(number) for number in range(options.workers)]
    for folder in folders:
        folder.mkdir()
    running = {number: _worker(options, number, folder) for number, folder in enumerate(folders)}
    while running:
        for number, process in list(running.items()):
            status = process.poll()
            if status is None:
                continue
            del running[number]
            if status:
                at = int((folders[number] / "at").read_text())
                found.append([at, "the process", f"died with {status}"])
                running[number] = _worker(options, at + options.workers, folders[number])
        time.sleep(0.1)
    counts: Counter[str] = Counter()
    for folder in folders:
        for name, into in (("found", found), ("counts", counts)):
            for line in (folder / name).read_text().splitlines() if (folder / name).exists() else ():
                into.update(json.loads(line)) if isinstance(into, Counter) else into.append(json.loads(line))
    memory = max(int((folder / "memory").read_text()) for folder in folders)
    for number, where, said in sorted(found)[:50]:
        print(f"{number}  {where}  {said}")
    told = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    print(f"{sum(counts.values()):,} files in {time.monotonic() - began:.0f} s, {memory} MB: {told}")
    print(f"{len(found)} came through that are no words of the project's own")
    if memory > MOST_MEGABYTES:
        print(f"A worker took more than {MOST_MEGABYTES} MB.")
    return bool(found) or memory > MOST_MEGABYTES


if __name__ == "__main__":
    sys.exit(main())
