"""A run of `inspect` that ends too early: what was judged is kept, and the next run goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.image_files import JOURNAL
from blemish.line.results import Result
from blemish.workflows import inspect as workflow
from blemish.workflows.inspect import InspectRequest, Save, inspect

Call = Callable[..., Any]


@pytest.fixture
def photographs(washers: Path, tmp_path: Path) -> Path:
    return shutil.copytree(washers / "test", tmp_path / "photographs")


def stopping_after(number: int) -> Callable[[Result], None]:
    """Ctrl-C after so many results."""
    left = iter(range(number - 1))

    def tell(result: Result) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return tell


def rows(out: Path) -> list[dict[str, Any]]:
    return list(json.loads((out / "results.json").read_text()))


def without_overlay(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "overlay"} for row in documents]


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_the_results_are_those_of_one_run_wherever_it_was_stopped(
    data: st.DataObject, washers: Path, fitted: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stopped")
    photographs = shutil.copytree(washers / "test", folder / "photographs")
    shutil.copy(photographs / "good" / "000.png", photographs / "none.txt")
    files = sorted(path for path in photographs.rglob("*.png"))
    save = data.draw(st.sampled_from(list(Save)))
    request = InspectRequest(inspector=fitted, paths=(photographs,), out=folder / "out", save=save)
    for _ in range(data.draw(st.integers(1, 3))):
        stopped = inspect(request, stopping_after(data.draw(st.integers(1, 18))))
        assert stopped.stopped and stopped.exit_status == 130
        assert rows(folder / "out") == stopped.to_json()
        match data.draw(st.sampled_from(["nothing", "changed", "gone", "overlay", "torn"])):
            case "changed":
                path = data.draw(st.sampled_from(files))
                times = path.stat()
                shutil.copyfile(data.draw(st.sampled_from(files)), folder / "other")
                (folder / "other").replace(path)
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if it were the same
            case "gone":
                data.draw(st.sampled_from(files)).write_bytes(b"no photograph")
            case "overlay":
                for overlay in list((folder / "out").rglob("*.jpg"))[:1]:
                    overlay.unlink()
            case "torn":
                with (folder / "out" / JOURNAL).open("r+b") as journal:
                    journal.truncate(max(0, journal.seek(0, 2) - data.draw(st.integers(1, 300))))
        request = request.model_copy(update={"resume": True})
    resumed = inspect(request).to_json()
    whole = inspect(InspectRequest(inspector=fitted, paths=(photographs,), out=folder / "whole", save=save))
    assert without_overlay(resumed) == without_overlay(whole.to_json())
    overlays = [Path(row["overlay"]).relative_to(folder / "out") for row in resumed if "overlay" in row]
    assert overlays == [
        result.overlay.relative_to(folder / "whole") for result in whole.results if result.overlay
    ]
    for overlay in overlays:
        assert (folder / "out" / overlay).read_bytes() == (folder / "whole" / overlay).read_bytes()
    assert rows(folder / "out") == resumed
    table = (folder / "out" / "results.csv").read_text().replace(str(folder / "out"), str(folder / "whole"))
    assert table == (folder / "whole" / "results.csv").read_text()


def judged(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The photographs that are judged from now on."""
    looked: list[Path] = []
    judge = workflow.judged
    monkeypatch.setattr(workflow, "judged", lambda i, p, r: looked.append(p.path) or judge(i, p, r))
    return looked


def test_only_what_is_new_or_changed_or_failed_is_judged_again(
    blemish: Call, photographs: Path, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photographs / "broken.png").write_bytes(b"none")
    call = ("inspect", fitted, photographs, "--out", tmp_path / "out", "--resume", "--json")
    first = blemish(*call)
    assert "no results" in first.stderr
    looked = judged(monkeypatch)
    assert blemish(*call).document == first.document
    assert looked == [photographs / "broken.png"]
    shutil.copy(photographs / "good" / "001.png", photographs / "new.png")
    shutil.copy(photographs / "good" / "001.png", photographs / "broken.png")
    looked.clear()
    assert len(blemish(*call).document) == 20
    assert sorted(looked) == [photographs / "broken.png", photographs / "new.png"]


def test_another_inspector_judges_all_anew_and_says_so(
    blemish: Call,
    photographs: Path,
    fitted: Path,
    washers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    blemish("inspect", fitted, photographs, "--out", out)
    other = tmp_path / "washer.blemish"
    fit = ("fit", washers, "--out", other, "--size", 96, "--set", "coreset_size=50", "--set", "copies=none")
    assert blemish(*fit).status == 0
    looked = judged(monkeypatch)
    again = blemish("inspect", other, photographs, "--out", out, "--resume")
    assert "another inspector" in again.stderr and len(looked) == 18
    looked.clear()
    blemish("inspect", other, photographs, "--out", out, "--resume")
    assert not looked


def test_there_is_nothing_to_go_on_with_without_a_folder(
    blemish: Call, photographs: Path, fitted: Path
) -> None:
    refused = blemish("inspect", fitted, photographs, "--resume")
    assert refused.status == 2 and "--out" in refused.stderr


@pytest.fixture
def many(photographs: Path, tmp_path: Path) -> Path:
    """Photographs that take a while."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(250):
        os.link(photographs / "good" / "000.png", folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def running(many: Path, fitted: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`blemish inspect` of these, with some judged."""
    command = ["inspect", str(fitted), str(many), "--out", str(tmp_path / "out"), "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-m", "blemish", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    journal, patience = tmp_path / "out" / JOURNAL, time.monotonic() + 60
    while time.monotonic() < patience and not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_prints_and_keeps_what_was_judged(
    blemish: Call, running: subprocess.Popen[str], many: Path, fitted: Path, tmp_path: Path
) -> None:
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    documents = json.loads(stdout)
    assert 0 < len(documents) < 250
    assert rows(tmp_path / "out") == documents
    assert (tmp_path / "out" / "results.csv").read_text().count("\n") == len(documents) + 1
    assert "--resume" in stderr and str(many) in stderr and "Traceback" not in stderr
    resumed = blemish("inspect", fitted, many, "--out", tmp_path / "out", "--resume", "--json").document
    assert len(resumed) == 250 and resumed[: len(documents)] == documents


def test_kill_9_loses_no_result_that_was_there(
    blemish: Call,
    running: subprocess.Popen[str],
    many: Path,
    fitted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = (tmp_path / "out" / JOURNAL).read_bytes().count(b"\n") - 1
    looked = judged(monkeypatch)
    resumed = blemish("inspect", fitted, many, "--out", tmp_path / "out", "--resume", "--json").document
    assert kept > 4 and len(looked) == 250 - kept and len(resumed) == 250
