"""What a user says of a folder, at every door; and what every verb says of the data."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import blemish as package
from blemish.cli.verbs import VERBS, Verbs
from blemish.core.errors import CatalogError
from blemish.data.told import Told
from blemish.server import job_requests
from blemish.workflows.data_request import DataRequest

Call = Callable[..., Any]

OF_DATA = (
    "check",
    "fit",
    "evaluate",
    "stress",
    "explore",
    "benchmark",
    "study",
    "search",
    "features",
    "synthesize",
)


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Good parts in 0/, defective ones in 1/: no word says so."""
    root = tmp_path / "part"
    for number in range(16):
        values = np.random.default_rng(number).normal(120, 10, (64, 64, 3))
        if number > 11:
            values[20:40, 20:40] = 250
        path = root / str(int(number > 11)) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)
    return root


@pytest.mark.parametrize("verb", OF_DATA)
def test_every_verb_that_opens_photographs_can_be_told(verb: str) -> None:
    options = {option for parameter in Verbs()[verb].params for option in parameter.opts}
    assert {"--layout", "--good", "--defective", "--ignore"} <= options and verb in VERBS


def test_a_guess_is_refused_by_all_that_learn_or_measure(
    blemish: Call, numbered: Path, fitted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for call in (
        ("fit", numbered, "--out", tmp_path / "a.blemish"),
        ("evaluate", fitted, numbered, "--out", out),
        ("stress", fitted, numbered, "--out", out),
        ("benchmark", numbered, "--detectors", "knn", "--out", out),
        ("study", numbered, "--out", out),
        ("search", numbered, "--detector", "knn", "--out", out),
        ("features", numbered, "--out", tmp_path / "x.csv"),
        ("synthesize", numbered, "--out", out),
    ):
        outcome = blemish(*call)
        assert outcome.status and "--good FOLDER --defective FOLDER" in outcome.stderr, call
        assert "Traceback" not in outcome.stderr and outcome.stderr.count("cannot be learnt from yet") == 1
    assert not (tmp_path / "a.blemish").exists()


def test_check_shows_a_guess_and_what_became_of_every_folder(blemish: Call, numbered: Path) -> None:
    (numbered / ".DS_Store").write_bytes(b"0")
    (numbered / "0/x.mp4").write_bytes(b"0")
    outcome = blemish("check", numbered, "--json")
    (found,) = outcome.document["categories"]
    assert outcome.status == 1 and found["layout"] == "images" and found["reason"]
    assert [one["kind"] for one in found["problems"]] == ["left-out", "unclear"]
    assert {one["folder"] for one in found["folders"]} == {"0", "1"}
    assert [Path(path).name for path in found["litter"] + found["left_out"]] == [".DS_Store", "x.mp4"]
    told = blemish("check", numbered, "--good", 0, "--defective", 1, "--ignore", "*.mp4")
    assert told.status == 0 and "taken for told" in told.stdout
    assert "1/: 4 defective (1), test" in told.stdout and ".DS_Store" in told.stdout


def test_what_comes_next_is_told_too(blemish: Call, numbered: Path, tmp_path: Path) -> None:
    told = ("--good", 0, "--defective", "1", "--ignore", "old *")
    options = ("--out", tmp_path / "out", "--backbone", "none", "--no-handcrafted")
    explored = blemish("explore", numbered, *options, *told)
    assert f"blemish fit {numbered} --good 0 --defective 1 --ignore 'old *' --size" in explored.stdout


def test_explore_opens_a_guess_and_says_it(blemish: Call, numbered: Path, tmp_path: Path) -> None:
    outcome = blemish(
        "explore", numbered, "--out", tmp_path / "out", "--backbone", "none", "--no-handcrafted", "--json"
    )
    assert outcome.status == 0 and "unclear 1" in outcome.stderr
    assert "unclear" in {one["kind"] for one in outcome.document["problems"]}


def test_what_is_told_is_learnt_and_measured(blemish: Call, numbered: Path, tmp_path: Path) -> None:
    shutil.copy(numbered / "0/0.png", numbered / "0/copy.png")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(numbered / "0/drawn_GT.bmp")
    told = ("--good", 0, "--defective", 1, "--ignore", "*_GT.bmp")
    inspector = tmp_path / "part.blemish"
    options = ("--detector", "knn", "--size", 64, "--json")
    learnt = blemish("fit", numbered, "--out", inspector, *told, *options)
    assert learnt.status == 0, learnt.stderr
    (problem,) = learnt.document["problems"]
    assert problem["kind"].startswith("duplicate") and f"{problem['kind']} 1: 0/" in learnt.stderr
    measured = blemish("evaluate", inspector, numbered, "--out", tmp_path / "out", *told, "--json")
    assert measured.status == 0, measured.stderr
    assert measured.document["per_defect_type"]["1"]["n"] == 4
    assert measured.document["problems"] == learnt.document["problems"]


def test_evaluate_says_what_is_wrong_with_masks(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    data = tmp_path / "washer"
    shutil.copytree(washers, data)
    first = next((data / "ground_truth").glob("*/*.png"))
    first.rename(first.with_name("nobody_mask.png"))
    second = next(
        path for path in sorted((data / "ground_truth").glob("*/*.png")) if path.stem != "nobody_mask"
    )
    Image.new("L", (32, 32), 255).save(second)
    outcome = blemish("evaluate", fitted, data, "--out", tmp_path / "out", "--json")
    kinds = {one["kind"] for one in outcome.document["problems"]}
    assert {"mask-missing", "mask-without-image", "mask-size"} <= kinds
    assert "/nobody_mask.png: the mask belongs to no image" in outcome.stderr
    assert outcome.document["per_defect_type"].keys() <= {path.name for path in (data / "test").iterdir()}


def test_a_job_can_be_told(numbered: Path, tmp_path: Path) -> None:
    said = {"layout": "images", "good": ("0",), "defective": ("1",), "ignore": ("*.bmp",)}
    asked = (
        job_requests.TrainRequest(name="part", folder=str(numbered), **said),
        job_requests.ExploreRequest(folder=str(numbered), **said),
        job_requests.BenchmarkRequest(folder=str(numbered), detectors=("knn",), **said),
    )
    for request in asked:
        _, made = job_requests.workflow(request, tmp_path)
        assert isinstance(made, DataRequest) and made.told == Told("images", ("0",), ("1",), ("*.bmp",))


def test_a_notebook_can_tell(numbered: Path) -> None:
    with pytest.raises(CatalogError, match="--good FOLDER"):
        package.fit(numbered, detector="knn", size=64)
    inspector = package.fit(numbered, detector="knn", size=64, good=["0"], defective=["1"])
    measured = package.evaluate(inspector, numbered, good=["0"], defective=["1"])
    assert (
        measured.metrics["n_test"] if "n_test" in measured.metrics else measured.metrics["image_auroc"] > 0.9
    )


def test_no_verb_that_opens_photographs_is_forgotten() -> None:
    for verb in OF_DATA:
        module = importlib.import_module(f"blemish.workflows.{verb}")
        request = getattr(module, f"{verb.title()}Request")
        assert issubclass(request, DataRequest)
