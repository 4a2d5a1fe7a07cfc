"""Broken files among good ones: each is named with its cause, and the others are inspected all the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broken_files import BrokenFile, make_broken_files

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, BrokenFile]]:
    """A folder of broken and odd files, and what must happen to each."""
    folder = tmp_path_factory.mktemp("broken") / "photographs"
    return folder, make_broken_files(folder)


def test_there_are_at_least_30_kinds_of_refused_files(broken: tuple[Path, dict[str, BrokenFile]]) -> None:
    assert sum(file.refused for file in broken[1].values()) >= 30


def test_every_refused_file_is_explained_and_every_other_one_inspected(
    blemish: Call, fitted: Path, broken: tuple[Path, dict[str, BrokenFile]], tmp_path: Path
) -> None:
    folder, expected = broken
    outcome = blemish("inspect", fitted, folder, "--out", tmp_path, "--json")
    entries = {Path(entry["path"]).name: entry for entry in outcome.document}
    assert outcome.status == 1
    assert set(entries) == set(expected)
    assert "Traceback" not in outcome.stderr
    said = outcome.stderr.splitlines()
    for name, file in expected.items():
        entry = entries[name]
        if not file.refused:
            assert entry["verdict"] in ("pass", "review", "reject"), (name, entry)
            assert Path(entry["overlay"]).is_file(), name
            continue
        assert entry["kind"] == file.kind, (name, entry)
        lines = [line for line in said if str(folder / name) + ":" in line]
        assert len(lines) == 1, f"{name} must be explained in one line: {lines}"
        assert lines[0].endswith(entry["error"])
        assert len(entry["error"]) - len(str(folder / name)) > 30, "says the cause and the way out"
    assert json.loads((tmp_path / "results.json").read_text()) == outcome.document


def test_files_named_one_by_one_fare_the_same(
    blemish: Call, fitted: Path, broken: tuple[Path, dict[str, BrokenFile]]
) -> None:
    folder, expected = broken
    paths = [folder / name for name in expected if not (folder / name).is_dir()]
    outcome = blemish("inspect", fitted, *paths)
    for path in paths:
        sayings = outcome.stderr if expected[path.name].refused else outcome.stdout
        assert str(path) in sayings, path.name


def test_a_path_that_is_nothing_to_inspect_does_not_stop_the_others(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no image here")
    good = washers / "test" / "good"
    missing, too_long = tmp_path / "missing.png", tmp_path / ("x" * 300 + ".png")
    outcome = blemish("inspect", fitted, missing, empty, too_long, good, "--out", tmp_path / "out", "--json")
    kinds = {entry["path"]: entry["kind"] for entry in outcome.document if "error" in entry}
    assert outcome.status == 1
    assert kinds == {str(missing): "missing", str(empty): "empty", str(too_long): "missing"}
    assert sum("verdict" in entry for entry in outcome.document) == 6
    assert len(list((tmp_path / "out" / "good").glob("*.jpg"))) == 6


def test_a_file_with_another_suffix_is_inspected_when_it_is_named(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "photograph.bak"
    shutil.copy(washers / "test" / "good" / "000.png", odd)
    (entry,) = blemish("inspect", fitted, odd, "--json").document
    assert "verdict" in entry


def test_learning_skips_what_is_broken_and_lists_it(
    blemish: Call, washers: Path, broken: tuple[Path, dict[str, BrokenFile]], tmp_path: Path
) -> None:
    folder = tmp_path / "parts"
    shutil.copytree(washers / "train" / "good", folder)
    refused = [name for name, file in broken[1].items() if file.refused and (broken[0] / name).is_file()]
    for name in refused[:12]:
        shutil.copy(broken[0] / name, folder / f"broken_{name}")
    options = ("--size", 96, "--set", "coreset_size=100", "--set", "copies=none", "--json")
    outcome = blemish("fit", folder, "--out", tmp_path / "x.blemish", *options)
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["n_train"] == 12
    skipped = {Path(entry["path"]).name for entry in outcome.document["skipped"]}
    assert skipped == {f"broken_{name}" for name in refused[:12]}
    assert all(f"broken_{name}: " in outcome.stderr for name in refused[:12])
