"""Compare what commands cost in this tree and in an earlier one: instructions where they can be counted, else CPU time.

    python bench/regression.py [--against COMMIT] [--quick] [--pairs 5]

Exit status 1 if something costs more than the limit. Instructions are counted by Valgrind, which counts no less on a
busy machine. What runs the network cannot be counted so (Valgrind takes minutes for it): there the CPU times of both
trees are taken in turns, and the smallest of each are compared. No wall time decides anything.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring.instructions import can_count, instructions
from measuring.pages import ROOT, table

MOST_INSTRUCTIONS, MOST_TIME = 1.10, 1.25
COUNTED = {
    "`blemish --help`": ["-m", "blemish", "--help"],
    "`blemish inspect --help`": ["-m", "blemish", "inspect", "--help"],
    "import of `blemish.Inspector`": ["-c", "import blemish; blemish.Inspector"],
}
TIMED = {
    "`blemish fit`": ["-m", "blemish", "fit", "washer", "--out", "new.blemish", "--size", "160", "--json"],
    "`blemish inspect`": ["-m", "blemish", "inspect", "washer.blemish", "washer/test", "--json"],
    "`blemish evaluate`": ["-m", "blemish", "evaluate", "washer.blemish", "washer", "--json"],
}


@dataclass(frozen=True)
class Compared:
    """What a command costs: here over there, and the most that it may."""

    what: str
    unit: str
    here: float
    there: float
    most: float

    @property
    def ratio(self) -> float:
        """Here over there."""
        return self.here / self.there

    def row(self) -> list[str]:
        """As a line of the table."""
        said = "more than" if self.ratio > self.most else "within"
        figures = [f"{value:,.0f}" if value > 100 else f"{value:.2f}" for value in (self.there, self.here)]
        return [self.what, self.unit, *figures, f"{self.ratio:.3f}", f"{said} {self.most:.2f}"]


@contextmanager
def earlier_tree(commit: str) -> Iterator[Path]:
    """A commit's files, in a folder that goes when the context ends.

    Raises:
        SystemExit: there is no such commit here.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        added = subprocess.run(
            ["git", "-C", ROOT, "worktree", "add", "--detach", tree, commit],
            capture_output=True,
            text=True,
            check=False,
        )
        if added.returncode:
            raise SystemExit(f"{commit} cannot be compared with: {added.stderr.strip()}")
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)


def environment(tree: Path, work: Path) -> dict[str, str]:
    """Of a command that runs a tree's code, on one thread."""
    return {"PYTHONPATH": str(tree / "src"), "BLEMISH_CACHE": str(work / "cache"), "OMP_NUM_THREADS": "1"}


def counted(trees: tuple[Path, Path], work: Path) -> list[Compared]:
    """Instructions of what runs no network; the second run of two, for the first compiles bytecode."""
    found = []
    for what, arguments in COUNTED.items():
        counts = []
        for tree in trees:
            given = [sys.executable, *arguments]
            subprocess.run(
                given,
                env={**os.environ, **environment(tree, work)},
                cwd=work,
                capture_output=True,
                check=True,
            )
            counts.append(instructions(given, environment(tree, work), work))
        found.append(Compared(what, "instructions", counts[0], counts[1], MOST_INSTRUCTIONS))
    return found


def timed(trees: tuple[Path, Path], work: Path, pairs: int) -> list[Compared]:
    """Least CPU seconds of what runs the network, both trees in turns."""
    sample = [
        sys.executable,
        "-m",
        "blemish",
        "sample",
        ".",
        "--category",
        "washer",
        "--train",
        "16",
        "--size",
        "192",
    ]
    fit = [sys.executable, "-m", "blemish", "fit", "washer", "--out", "washer.blemish", "--size", "160"]
    for given in (sample, fit):
        seconds(given, environment(trees[1], work), work)  # by the earlier one: the later opens its files
    found = []
    for what, arguments in TIMED.items():
        taken: tuple[list[float], list[float]] = ([], [])
        for number in range(pairs):
            order = (0, 1) if number % 2 else (1, 0)
            for place in order:
                given = [sys.executable, *arguments]
                with tempfile.TemporaryDirectory() as cache:
                    apart = environment(trees[place], work) | {"BLEMISH_CACHE": cache}
                    taken[place].append(seconds(given, apart, work))
        found.append(Compared(what, "CPU s", min(taken[0]), min(taken[1]), MOST_TIME))
    return found


def seconds(command: list[str], more: dict[str, str], work: Path) -> float:
    """CPU seconds of a command; its verdicts may be rejects.

    Raises:
        SystemExit: it fails.
    """
    with subprocess.Popen(
        command,
        env={**os.environ, **more},
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}: {said[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Compare, print, and end with 1 where something costs more than it may."""
    parser = argparse.ArgumentParser(description="Costs of this tree beside an earlier one's.")
    parser.add_argument(
        "--against", default="HEAD~1", help="commit to compare with; the one before when absent"
    )
    parser.add_argument("--quick", action="store_true", help="only what can be counted")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each tree where time is taken")
    options = parser.parse_args()
    with earlier_tree(options.against) as earlier, tempfile.TemporaryDirectory() as folder:
        trees, work = (ROOT, earlier), Path(folder)
        found = counted(trees, work) if can_count() else []
        if not found:
            print(
                "There is no valgrind: instructions are not counted. Install it to compare them.",
                file=sys.stderr,
            )
        if not options.quick:
            found += timed(trees, work, options.pairs)
    header = ["", "unit", options.against, "here", "ratio", "limit"]
    print(table(header, [one.row() for one in found]))
    sys.exit(any(one.ratio > one.most for one in found))


if __name__ == "__main__":
    main()
