"""What the line pays before the first verdict: little time, and nothing of the laboratory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from blemish.cli.verbs import VERBS

LABORATORY = (
    "torch",
    "torchvision",
    "timm",
    "pandas",
    "sklearn",
    "scipy",
    "skimage",
    "plotly",
    "onnx",
    "jinja2",
)

# Refuses the laboratory's packages as if they were not installed, and notes who asked.
WITHOUT_LABORATORY = f"""
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    asked = []

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {LABORATORY!r}:
            self.asked.append(name)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

sys.meta_path.insert(0, Absent())
from blemish.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("asked for:", *Absent.asked, file=sys.stderr)
"""


def run(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    start = ["-c", code] if code else ["-m", "blemish"]
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def processor_seconds(*arguments: object) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Processor time that the command line takes, and what it did.

    On a quiet machine the wall time is no longer, as it waits for nothing; other work must not fail a test.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def test_help_answers_within_300_ms() -> None:
    times = []
    for _ in range(7):
        seconds, done = processor_seconds("--help")
        assert done.returncode == 0
        times.append(seconds)
    assert statistics.median(times) < 0.3, times


def test_help_loads_no_verb() -> None:
    done = run(
        "--help",
        code="import sys\nfrom blemish.cli.main import main\ntry:\n    main(['--help'])\n"
        "finally:\n    print(*(name for name in sys.modules if name.startswith('blemish.cli.')), file=sys.stderr)",
    )
    assert set(done.stderr.split()) == {"blemish.cli.main", "blemish.cli.output", "blemish.cli.verbs"}
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)


def test_cycles_are_looked_for_seldom_in_a_process_that_is_the_command_line_s_own() -> None:
    code = (
        "import gc, blemish\nusual = gc.get_threshold()\nfrom blemish.cli.main import main\n"
        "print(usual == gc.get_threshold())\ntry:\n    main(['--version'])\n"
        "finally:\n    print(gc.get_threshold()[0] > 10 * usual[0])"
    )
    assert run(code=code).stdout.splitlines()[::2] == ["True", "True"], "not in a notebook's"


def test_the_verbs_load_neither_numpy_nor_rich_before_they_run() -> None:
    heavy = {"numpy", "cv2", "rich", "torch"}
    code = f"import sys; from blemish.cli.verbs import Verbs; dict(Verbs()); print(sorted({heavy} & set(sys.modules)))"
    assert run(code=code).stdout == "[]\n"


def test_inspect_never_asks_for_the_laboratory(washers: Path, fitted: Path, tmp_path: Path) -> None:
    done = run("inspect", fitted, washers / "test", "--out", tmp_path, "--json", code=WITHOUT_LABORATORY)
    assert done.returncode == 1, done.stderr
    assert done.stderr.endswith("asked for:\n"), done.stderr
    assert sum("verdict" in entry for entry in json.loads(done.stdout)) == 18


def test_features_too_are_computed_without_the_laboratory(washers: Path, tmp_path: Path) -> None:
    from blemish.data.catalog import open_catalog
    from blemish.detectors.registry import create_detector
    from blemish.making.build import build_inspector

    out = tmp_path / "direct.blemish"
    build_inspector(open_catalog(washers), out, create_detector("one-class-svm", features="direct-pixels"))
    done = run("inspect", out, washers / "test/good/000.png", "--json", code=WITHOUT_LABORATORY)
    assert done.stderr.endswith("asked for:\n"), done.stderr
    assert "verdict" in json.loads(done.stdout)[0]


@pytest.mark.parametrize("verb", ["fit", "evaluate", "check", "detectors"])
def test_the_other_verbs_name_the_extra_they_need(
    verb: str, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "fit": (washers, "--out", tmp_path / "x.blemish"),
        "evaluate": (fitted, washers),
        "check": (washers,),
        "detectors": (),
    }
    done = run(verb, *arguments[verb], code=WITHOUT_LABORATORY)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"blemish {verb} needs the extra [train]: pip install 'blemish[train]'." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_verdict_comes_within_two_seconds(washers: Path, fitted: Path) -> None:
    photograph = washers / "test" / "good" / "000.png"
    times = []
    for _ in range(3):
        seconds, done = processor_seconds("inspect", fitted, photograph, "--json")
        assert "verdict" in json.loads(done.stdout)[0]
        times.append(seconds)
    assert min(times) < 2, times


def test_a_reader_that_stops_early_gets_no_traceback(washers: Path, fitted: Path) -> None:
    command = f"'{sys.executable}' -m blemish inspect '{fitted}' '{washers / 'test'}' | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "score" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_names_that_are_not_text_are_inspected_and_written(
    washers: Path, fitted: Path, tmp_path: Path
) -> None:
    folder = os.fsencode(tmp_path) + b"/new"
    os.mkdir(folder)  # noqa: PTH102 (bytes are what a disk stores)
    shutil.copy(washers / "test" / "good" / "000.png", os.fsdecode(folder + b"/caf\xe9 [1].png"))
    done = run("inspect", fitted, tmp_path / "new", "--out", tmp_path / "out")
    assert "Traceback" not in done.stderr
    assert "[1].png" in done.stdout
    assert b"caf\xe9 [1].png" in (tmp_path / "out" / "results.csv").read_bytes()
    assert "verdict" in json.loads((tmp_path / "out" / "results.json").read_text())[0]
