"""A workflow in a process of its own: JSON in, JSON lines out, and an end when nobody holds the other side."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import pytest

START = [sys.executable, "-m", "blemish.workflows.process"]


def run(
    workflow: str, start: Sequence[str] = START, **request: object
) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, events and standard error of one workflow."""
    asked = json.dumps({"workflow": workflow, "request": request}, default=str) + "\n"
    with subprocess.Popen(
        start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(asked)
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
        said = process.stderr.read()
        process.stdin.close()
    return process.returncode, events, said


def test_a_training_is_measured_too_and_all_of_it_is_said_in_events(washers: Path, tmp_path: Path) -> None:
    status, events, _ = run(
        "train",
        data=washers,
        out=tmp_path / "ring.blemish",
        category="ring",
        quick=True,
        resume=True,
        report=tmp_path / "report.html",
        evaluation=tmp_path,
    )
    assert status == 0
    *steps, last = events
    assert (
        last["complete"] and last["result"]["category"] == last["result"]["evaluation"]["category"] == "ring"
    )
    assert last["result"]["evaluation"] == json.loads((tmp_path / "metrics.json").read_text())
    assert "There is no checkpoint" in " ".join(step.get("said", "") for step in steps)
    assert all("said" in step or (step["done"] >= 0 and step["seconds"] >= 0) for step in steps)


@pytest.mark.parametrize(
    ("workflow", "request_", "sentence"),
    [
        ("explore", {"data": "/no/such/folder", "out": "x"}, "/no/such/folder does not exist"),
        ("explore", {"data": "/tmp", "colour": "red"}, "colour"),
        ("oracle", {}, "oracle"),
    ],
)
def test_whatever_goes_wrong_is_one_last_event(
    workflow: str, request_: dict[str, object], sentence: str
) -> None:
    status, events, _ = run(workflow, **request_)
    assert status == 1 and len(events) == 1
    assert sentence in events[0]["error"] and events[0]["exit_status"] == 1
    assert "Traceback" not in events[0]["error"] and "\n" not in events[0]["error"]


def test_what_libraries_print_is_no_event() -> None:
    program = (
        "import os, sys, types\n"
        "from blemish.workflows import process, request\n"
        "module = types.ModuleType('blemish.workflows.loud')\n"
        "class LoudRequest(request.Request): pass\n"
        "class Result:\n    complete = True\n    def to_json(self): return {}\n"
        "def loud(asked):\n"
        "    print('printed'); sys.stdout.flush(); os.write(1, b'written\\n'); return Result()\n"
        "module.loud, module.LoudRequest = loud, LoudRequest\n"
        "sys.modules[module.__name__] = module\n"
        "process.main()\n"
    )
    status, events, said = run("loud", start=[sys.executable, "-c", program])
    assert (status, events) == (0, [{"result": {}, "complete": True}])
    assert "printed" in said and "written" in said


def test_it_ends_when_nobody_holds_the_other_side(washers: Path, tmp_path: Path) -> None:
    asked = {"data": str(washers), "out": str(tmp_path / "x.blemish"), "detector": "cae", "size": 256}
    with subprocess.Popen(START, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps({"workflow": "fit", "request": asked}).encode() + b"\n")
        process.stdin.flush()
        time.sleep(2)
        process.stdin.close()
        events = [json.loads(line) for line in process.stdout]
        assert process.wait(20) == 130
    assert not any("result" in event for event in events)


@pytest.mark.parametrize("workflow", ["train", "explore", "evaluate", "stress", "benchmark"])
def test_what_a_job_gives_is_a_document_and_whether_it_is_complete(workflow: str) -> None:
    module = importlib.import_module(f"blemish.workflows.{workflow}")
    assert hasattr(module, f"{workflow.title()}Request")
    result = getattr(module, f"{workflow.title()}Result")
    assert hasattr(result, "complete") and hasattr(result, "to_json")
    assert get_type_hints(result.to_json, {**vars(module), "Any": Any})["return"] == dict[str, Any]
