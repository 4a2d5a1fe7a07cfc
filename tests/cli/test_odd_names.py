"""Names of files are bytes: not UTF-8, very long, with quotes and line ends; every verb works with them all the same."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
SMALL = ("--size", 64, "--set", "coreset_size=50")


def renamed(folder: Path, name: Callable[[str], bytes]) -> None:
    """Give every file below a folder the name that `name` makes of its stem, and keep the suffix."""
    for path in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
        stem, suffix = path.stem.removesuffix("_mask"), path.suffix
        mask = b"_mask" if path.stem.endswith("_mask") else b""
        os.rename(path, os.path.join(os.fsencode(path.parent), name(stem) + mask + suffix.encode()))


@pytest.fixture(scope="module")
def odd(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A category in a folder of a Latin-1 name, with photographs of Latin-1 names."""
    folder = tmp_path_factory.mktemp("odd") / os.fsdecode(b"Gr\xf6\xdfe 5")
    shutil.copytree(washers, folder)
    renamed(folder, lambda stem: b"Pr\xfcfling " + stem.encode())
    return folder


VERBS: dict[str, tuple[Any, ...]] = {
    "check": ("check", "{data}"),
    "fit": ("fit", "{data}", "--out", "{out}/x.blemish", *SMALL, "--report", "{out}/x.html"),
    "fit a loose folder": ("fit", "{data}/train/good", "--out", "{out}/x.blemish", *SMALL),
    "fit a detector that trains": (
        *("fit", "{data}", "--out", "{out}/x.blemish", "--detector", "cae", "--quick", "--set", "epochs=1"),
    ),
    "fit a classifier": (
        *("fit", "{data}", "--out", "{out}/x.blemish", "--detector", "classifier", "--quick", "--set", "epochs=1"),
    ),
    "evaluate": ("evaluate", "{inspector}", "{data}", "--out", "{out}/evaluation"),
    "explore": ("explore", "{data}", "--out", "{out}/exploration", "--backbone", "none", "--no-handcrafted"),
    "benchmark": (
        *("benchmark", "{data}", "--detectors", "one-class-svm", "--size", 64, "--out", "{out}/cells"),
        *("--set", "features=direct", "--set", "explained=0"),
    ),
    "study": (
        *("study", "{data}", "--out", "{out}/study", "--models", "one-class-svm", "--features", "direct"),
    ),
    "search": (
        *("search", "{data}", "--detector", "one-class-svm", "--out", "{out}/search", "--trials", 2),
        *("--set", "features=direct"),
    ),
    "features as CSV": ("features", "{data}", "--out", "{out}/features.csv"),
    "features as Parquet": ("features", "{data}", "--out", "{out}/features.parquet"),
    "gallery index": ("gallery", "index", "{data}", "--inspector", "{inspector}", "--gallery", "{out}/gallery"),
    "similar": ("similar", "{photograph}", "--inspector", "{inspector}", "--gallery", "{gallery}"),
    "inspect": ("inspect", "{inspector}", "{data}", "--out", "{out}/verdicts"),
    "compare-image": ("compare-image", "{photograph}", "--inspectors", "{inspector}", "{inspector}", "--out", "{out}"),
    "synthesize": ("synthesize", "{data}/train/good", "--out", "{out}/painted"),
    "distil": (
        *("distil", "{data}/train", "--out", "{out}/t.safetensors", "--size", 64, "--steps", 2),
        *("--batch-size", 2, "--channels", 8),
    ),
}


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_works(
    blemish: Call, odd: Path, fitted: Path, tmp_path: Path, verb: str, as_json: bool
) -> None:
    photograph = next(path for path in sorted((odd / "test").rglob("*.png")) if path.parent.name != "good")
    places = {"data": odd, "inspector": fitted, "photograph": photograph, "out": tmp_path / os.fsdecode(b"\xfcber")}
    if "{gallery}" in VERBS[verb]:
        places["gallery"] = tmp_path / "gallery"
        blemish("gallery", "index", odd, "--inspector", fitted, "--gallery", tmp_path / "gallery")
    given = [part.format(**places) if isinstance(part, str) else part for part in VERBS[verb]]
    outcome = blemish(*given, *(["--json"] if as_json else []), "--debug")
    assert outcome.status in ((0, 1) if verb == "inspect" else (0,)), outcome.stderr
    assert "unexpected" not in outcome.stderr
    assert not as_json or outcome.document
    for path in places["out"].rglob("*.html") if places["out"].exists() else ():
        path.read_text("utf-8")
