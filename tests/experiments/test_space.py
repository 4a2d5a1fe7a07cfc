"""Spaces of settings: the grids of the issue, what files may say, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.detectors.registry import create_detector, detector_info, detector_names
from blemish.experiments.space import (
    Interval,
    Values,
    grid,
    is_finite,
    open_space,
    setting_key,
    space_of,
    to_json,
)

INFO = detector_info("patchcore")

GRIDS = {
    "one-class-svm": {
        "nu": {0.001},
        "kernel": {"rbf", "linear", "poly"},
        "gamma": {"scale", "auto"},
        "degree": {2, 3},
    },
    "isolation-forest": {
        "n_estimators": {100, 200, 300, 400},
        "contamination": {0.01},
        "max_samples": {"auto", 1.0},
        "max_features": {0.9, 1.0},
    },
    "local-outlier-factor": {
        "n_neighbors": {10, 20, 30, 50},
        "contamination": {0.01},
        "leaf_size": {20, 30, 50, 100},
        "metric": {"minkowski", "euclidean"},
    },
    "elliptic-envelope": {
        "contamination": {0.01},
        "support_fraction": {0.9, 1.0},
        "assume_centered": {True, False},
    },
}


@pytest.mark.parametrize("name", GRIDS)
def test_the_grids_of_the_classical_detectors_are_those_of_the_issue(name: str) -> None:
    assert {parameter: set(values) for parameter, values in detector_info(name).space.items()} == GRIDS[name]


@pytest.mark.parametrize("name", detector_names())
def test_every_detector_has_a_default_space_of_settings_that_it_takes(name: str) -> None:
    space = open_space("default", detector_info(name))
    found = grid(space)
    assert 1 < len(found) <= 1500 and is_finite(space)
    assert len({setting_key(setting) for setting in found}) == len(found)
    for setting in (found[0], found[-1]):
        assert create_detector(name, **setting).get_params() == detector_info(name).parameters | setting


TOML = """
size = [256, 352]
taps = [[8, 16], [16]]
coreset_size = {low = 500, high = 4000, log = true}
top = {low = 0.0, high = 0.1}
reduction = ["pca", "average"]
"""


def test_a_file_may_be_toml_or_json(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(TOML)
    space = open_space(str(tmp_path / "space.toml"), INFO)
    assert space == {
        "size": Values((256, 352)),
        "taps": Values(((8, 16), (16,))),
        "coreset_size": Interval(500, 4000, log=True, whole=True),
        "top": Interval(0.0, 0.1),
        "reduction": Values(("pca", "average")),
    }
    (tmp_path / "space.json").write_text(json.dumps(to_json(space)))
    assert open_space(str(tmp_path / "space.json"), INFO) == space
    assert open_space(str(tmp_path / "space.json"), INFO)["coreset_size"] == Interval(500, 4000, True, True)
    (tmp_path / "none.json").write_text('{"weights": [null, "random"]}')
    assert open_space(str(tmp_path / "none.json"), INFO) == {"weights": Values((None, "random"))}


@settings(max_examples=40, deadline=None)
@given(
    values=st.dictionaries(
        st.sampled_from(("size", "top", "taps", "reduction")),
        st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True),
        min_size=1,
    )
)
def test_a_grid_has_every_combination_once(values: dict[str, list[int]]) -> None:
    found = grid(space_of(values, "it", INFO))
    expected: list[dict[str, int]] = [{}]
    for name, one in values.items():
        expected = [{**setting, name: value} for setting in expected for value in one]
    assert sorted(map(setting_key, found)) == sorted(map(setting_key, expected))


WRONG: list[tuple[Any, str]] = [
    ({}, "names no parameter"),
    ({"luck": [7]}, "no parameter luck; choose among size"),
    ({"seed": [1, 2]}, "give it with --seed"),
    ({"size": []}, "size has an empty list"),
    ({"size": [256, 256]}, "size has a value twice"),
    ({"size": 256}, "size = 256 is neither a list nor a range"),
    ({"size": [float("nan")]}, "size has the value nan"),
    ({"size": [{"a": 1}]}, "size has the value"),
    ({"top": {"low": 0.1}}, "top is no range"),
    ({"top": {"low": 0.1, "high": 0.2, "step": 1}}, r"top is no range \(step\)"),
    ({"top": {"low": 0.3, "high": 0.2}}, "low below high"),
    ({"top": {"low": 0.1, "high": float("inf")}}, "two numbers"),
    ({"top": {"low": True, "high": 2}}, "two numbers"),
    ({"top": {"low": 0, "high": 1, "log": True}}, "begin above 0"),
    ({"top": {"low": 0.1, "high": 1, "log": "yes"}}, "log as true or false"),
]


@pytest.mark.parametrize(("table", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_meant_is_said_in_one_sentence(table: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        space_of(table, "space.toml", INFO)
    assert str(error.value).startswith("space.toml") and str(error.value).endswith(".")


def test_files_and_grids_that_cannot_be_used(tmp_path: Path) -> None:
    for name, text in (("bad.toml", "size = ["), ("bad.json", "{"), ("list.json", "[1]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=name):
            open_space(str(tmp_path / name), INFO)
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read as a space \(No such file"):
        open_space("nowhere.toml", INFO)
    with pytest.raises(UsageError, match=r"A grid needs a list of values for top.*--method bayes"):
        grid(space_of({"top": {"low": 0.1, "high": 0.2}}, "it", INFO))
    large = {name: list(range(30)) for name in ("size", "top", "coreset_size")}
    with pytest.raises(UsageError, match="27,000 settings"):
        grid(space_of(large, "it", INFO))
    assert not is_finite(space_of(large, "it", INFO))
