"""Whether this checkout gives what another gave: keys, scores and documents, after a change that should move nothing.

    git worktree add ../before COMMIT
    python bench/same_as.py ../before

Both checkouts fit every detector on the same generated parts, by the command line alone, so their insides may differ as
they like. Compared are the keys of cells and checkpoints, the scores of ten photographs, the validation figures of a
search and a study; and the inspectors of the other checkout are opened and asked by this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6

# Runs in a checkout: prints what it gave as one JSON document on the last line.
DRIVER = r"""
import contextlib, io, json, shutil, sqlite3, sys
from pathlib import Path
import blemish
blemish.__version__ = "compared"  # a part of the keys, and the only one that may differ
import safetensors

out, parts, others = Path(sys.argv[1]), Path(sys.argv[2]), [Path(one) for one in sys.argv[3:]]
checkpoints = {}
remove = shutil.rmtree

def watched(path, *given, **more):
    for kept in Path(path).glob("**/*.safetensors"):
        with safetensors.safe_open(kept, "pt") as stored:
            of = Path(path).parent.name if "-seed" in str(path) else "fit"
            checkpoints[f"{of}/{kept.name}"] = json.loads(stored.metadata()["training"])["identity"]
    return remove(path, *given, **more)

shutil.rmtree = watched

def blemish_says(*arguments):
    from blemish.cli.main import main
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            main([*map(str, arguments), "--json"])
        except SystemExit:
            pass
    return json.loads(said.getvalue())

names = [one["name"] for one in blemish_says("detectors")]
labels = ",".join(names)
benchmark = blemish_says("benchmark", parts, "--detectors", labels, "--quick", "--workers", 1, "--out", out / "all")
photographs = sorted(path for path in parts.glob("test/*/00[01].png"))[:10]
cells = {}
for folder in sorted((out / "all" / "cells").iterdir()):
    cell = json.loads((folder / "cell.json").read_text())
    cells[cell["detector"]] = {"key": cell["key"], "error": cell["error"], "metrics": cell["metrics"]}

def scores(inspector):
    return {Path(one["path"]).parent.name + Path(one["path"]).name: one.get("score")
            for one in blemish_says("inspect", inspector, *photographs)}

asked = {folder.name.rsplit("-seed", 1)[0]: scores(folder / "inspector.blemish")
         for folder in sorted((out / "all" / "cells").iterdir()) if (folder / "inspector.blemish").exists()}
fitted = {}
for name in ("patchcore", "cae", "isolation-forest"):
    blemish_says("fit", parts, "--detector", name, "--quick", "--out", out / f"{name}.blemish")
    fitted[name] = scores(out / f"{name}.blemish")
opened = {one.name.rsplit("-seed", 1)[0]: scores(one / "inspector.blemish") for one in others
          if (one / "inspector.blemish").exists()}
search = blemish_says("search", parts, "--detector", "isolation-forest", "--set", "size=64", "--trials", 2,
                      "--out", out / "search")
keys = [row[0] for row in sqlite3.connect(out / "search" / "study.sqlite3").execute("select study_name from studies")]
study = blemish_says("study", parts, "--models", "isolation-forest", "--set", "size=64", "--out", out / "study")
print(json.dumps({
    "cells": cells, "checkpoints": checkpoints, "scores": asked, "fitted": fitted, "opened": opened,
    "search keys": sorted(keys), "search trials": search.get("trials"),
    "study keys": sorted(cell["key"] for cell in study.get("cells", [])), "study": study.get("summary"),
}), file=sys.stderr)
"""


def main() -> None:
    """Compare, print a table, and end with status 1 where something has moved."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--work", type=Path, help="folder to keep; a temporary one if absent")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        parts = work / "parts" / "washer"
        if not parts.exists():
            sample = ["sample", str(work / "parts"), "--category", "washer"]
            subprocess.run([sys.executable, "-m", "blemish", *sample], env=_in(given.other), check=True)
        before = _given(given.other, work / "before", parts, ())
        after = _given(HERE, work / "after", parts, sorted((work / "before" / "all" / "cells").iterdir()))
        moved = _print_comparison(before, after)
    sys.exit(moved)


def _in(checkout: Path) -> dict[str, str]:
    """The environment in which `import blemish` means that checkout's."""
    return {**os.environ, "PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": "1"}


def _given(checkout: Path, out: Path, parts: Path, others: Any) -> dict[str, Any]:
    """What a checkout gave; what it gave before is read where `out` has it."""
    kept = out / "given.json"
    if not kept.exists():
        out.mkdir(parents=True, exist_ok=True)
        environment = _in(checkout) | {"BLEMISH_CACHE": str(out / "cache")}
        arguments = [sys.executable, "-c", DRIVER, str(out), str(parts), *map(str, others)]
        done = subprocess.run(arguments, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        kept.write_text(done.stderr.strip().splitlines()[-1], "utf-8")
    found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    return found


def _print_comparison(before: dict[str, Any], after: dict[str, Any]) -> int:
    """A line for each kind of thing; 1 if anything has moved."""
    rows = [
        ("cell keys", *_equal(_keys(before), _keys(after))),
        ("cell metrics", *_close(_metrics(before), _metrics(after))),
        ("checkpoint keys", *_equal(before["checkpoints"], after["checkpoints"])),
        ("scores by benchmark's inspectors", *_close(before["scores"], after["scores"])),
        ("scores by fit's inspectors", *_close(before["fitted"], after["fitted"])),
        ("scores by the other's inspectors", *_close(before["scores"], after["opened"])),
        ("search keys", *_equal(before["search keys"], after["search keys"])),
        ("search trials", *_close(before["search trials"], after["search trials"])),
        ("study keys", *_equal(before["study keys"], after["study keys"])),
        ("study figures", *_close(before["study"], after["study"])),
    ]
    print(f"{'compared':<34} {'things':>6}  {'largest relative difference'}")
    for name, count, difference in rows:
        print(f"{name:<34} {count:>6}  {'the same' if difference == 0 else f'{difference:.1e}'}")
    return int(any(not count or not difference <= TOLERANCE for _, count, difference in rows))


def _keys(given: dict[str, Any]) -> dict[str, str]:
    return {name: cell["key"] for name, cell in given["cells"].items()}


def _metrics(given: dict[str, Any]) -> dict[str, Any]:
    """Figures and error of each cell; not its size, for the manifest in it names the seconds that the fit took."""
    return {
        name: [{key: figure for key, figure in cell["metrics"].items() if key != "megabytes"}, cell["error"]]
        for name, cell in given["cells"].items()
    }


def _equal(one: Any, other: Any) -> tuple[int, float]:
    """How many things there are, and infinity where they are not the same."""
    return len(one), 0.0 if one == other else float("inf")


def _close(one: Any, other: Any) -> tuple[int, float]:
    """How many numbers there are, and their largest relative difference; infinity where the rest is not the same."""
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, dict | list | float | int):
        return 0, 0.0 if one == other else float("inf")
    if isinstance(one, dict | list):
        if type(one) is not type(other) or len(one) != len(other):
            return 1, float("inf")
        if isinstance(one, dict) and set(one) != set(other):
            return 1, float("inf")
        places = one if isinstance(one, dict) else range(len(one))
        found = [_close(one[place], other[place]) for place in places]
        return sum(count for count, _ in found), max((far for _, far in found), default=0.0)
    if not isinstance(other, float | int):
        return 1, float("inf")
    return 1, abs(one - other) / max(abs(one), abs(other), 1e-12)


if __name__ == "__main__":
    main()
