"""The registry: known without torch, open to detectors of others by every door that is documented."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blemish.core.errors import NameTakenWarning, UsageError
from blemish.detectors.memory.knn import NearestNeighbours
from blemish.detectors.registry import create_detector, detector_info, detector_names, register, split_label
from blemish.detectors.trained import TrainedDetector
from blemish.line.runtime import Inspector
from blemish.server.job_requests import TrainRequest

MEAN_COLOUR = '''
"""How far the colour of every pixel is from the mean of good ones."""
import dataclasses
import numpy as np
import torch
from torch import nn
import blemish as bl


class Difference(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, image):
        anomaly_map = (image - self.mean).abs().mean(1)[0]
        return anomaly_map.amax().reshape(1), anomaly_map


DECORATOR
@dataclasses.dataclass
class MeanColour(bl.Detector):
    """Distance to the mean photograph."""

    size: int = 64

    def learn(self, catalog):
        planes = [self.read_input(path) for path in bl.normal_images(catalog)]
        self.mean_ = torch.from_numpy(np.mean(planes, axis=0))[None]

    def network(self):
        return Difference(bl.require_fitted(self, "mean_"))
'''
PLAIN = MEAN_COLOUR.replace("DECORATOR\n", "")
NAMED = MEAN_COLOUR.replace(
    "DECORATOR", '@bl.register("mean-colour", summary="Distance to the mean photograph.")'
)


@pytest.fixture(autouse=True)
def no_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered here is forgotten afterwards."""
    monkeypatch.setattr("blemish.detectors.registry._strangers", {})


def python(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, with the folder's modules and packages within its reach."""
    reach = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": reach}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_and_what_is_known_of_them_need_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from blemish.detectors.registry import detector_info, detector_names
for name in detector_names():
    info = detector_info(name)
    assert info.name == name and info.summary and info.reference and info.learns_from
    assert isinstance(info.presets, dict) and isinstance(info.gives_maps, bool) and isinstance(info.trains, bool)
heavy = {"torch", "timm", "numpy", "pandas", "sklearn"} & set(sys.modules)
assert not heavy, heavy
assert detector_info("patchcore").parameters["size"] == 448 and "torch" in sys.modules
print(len(detector_names()))
"""
    assert int(python(code, tmp_path)) == len(detector_names()) >= 19


@pytest.mark.parametrize("name", detector_names())
def test_what_is_known_is_what_the_class_is(name: str) -> None:
    info = detector_info(name)
    assert info.detector_class.name == name
    assert info.detector_class.gives_maps == info.gives_maps
    assert issubclass(info.detector_class, TrainedDetector) == info.trains


def test_a_name_that_is_taken_is_told() -> None:
    class Other(NearestNeighbours):
        pass

    with pytest.raises(UsageError, match="My Name cannot name a detector"):
        register("My Name", summary="x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register("test-of-names", summary="Mine.")(Other)
        register("test-of-names", summary="Mine, once more.")(Other)  # a module that is loaded again
    assert isinstance(create_detector("test-of-names", size=64), Other)

    class Another(NearestNeighbours):
        pass

    with pytest.warns(NameTakenWarning, match=r"test-of-names was taken by .*Other and means .*Another now"):
        register("test-of-names", summary="Theirs.")(Another)
    assert type(create_detector("test-of-names")) is Another


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("knn", ("knn", None)),
        ("knn:resnet50", ("knn", "resnet50")),
        ("own:Mine", ("own:Mine", None)),
        ("package.own:Mine:small", ("package.own:Mine", "small")),
    ],
)
def test_a_label_is_a_name_and_a_preset(label: str, parts: tuple[str, str | None]) -> None:
    assert split_label(label) == parts


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("no_such_module:Mine", r"no_such_module:Mine cannot be imported .*PYTHONPATH"),
        ("json:JSONDecoder", r"json:JSONDecoder is no detector"),
        ("json:Missing", r"json:Missing is no detector"),
        ("os:system", r"There is no detector os:system"),  # no class: never imported
    ],
)
def test_what_is_no_detector_is_refused(name: str, refusal: str) -> None:
    with pytest.raises(UsageError, match=refusal):
        create_detector(name)


@pytest.mark.parametrize("name", ["own:Mine", "package.own:Mine", "own:Mine:small"])
def test_a_client_of_the_service_names_no_module(name: str) -> None:
    with pytest.raises(ValidationError, match="detector"):
        TrainRequest(name="part", folder="/data/part", detector=name)


def test_a_strangers_detector_is_fitted_benchmarked_and_exported_by_its_name(
    washers: Path, tmp_path: Path, blemish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange_plain.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    name, out = "strange_plain:MeanColour", tmp_path / "part.blemish"
    fitted = blemish("fit", washers, "--detector", name, "--set", "size=96", "--out", out, "--json")
    assert fitted.status == 0, fitted.stderr
    manifest = Inspector.load(out).manifest
    assert manifest.detector.name == "MeanColour" and manifest.preprocessing.height == 96
    more = ("--workers", 2, "--out", tmp_path / "compared", "--json")  # each worker imports it by itself
    compared = blemish("benchmark", washers, "--detectors", name, *more)
    assert compared.status == 0, compared.stderr
    (cell,) = (tmp_path / "compared" / "cells").glob("*/cell.json")
    document = json.loads(cell.read_text())
    assert document["detector"] == name and not document["error"] and document["metrics"]


def test_a_registered_detector_is_known_to_workers(
    washers: Path, tmp_path: Path, blemish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange_named.py").write_text(NAMED)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("strange_named")
    assert (
        "mean-colour" in detector_names() and detector_info("strange_named:MeanColour").name == "mean-colour"
    )
    more = ("--workers", 2, "--out", tmp_path / "compared", "--json")
    compared = blemish("benchmark", washers, "--detectors", "mean-colour", *more)
    assert compared.status == 0, compared.stderr
    (cell,) = (tmp_path / "compared" / "cells").glob("*/cell.json")
    assert not json.loads(cell.read_text())["error"]


def test_a_package_brings_its_detectors_by_entry_points(tmp_path: Path) -> None:
    (tmp_path / "strange_packed.py").write_text(PLAIN)
    described = tmp_path / "strange_packed-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-packed\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[blemish.detectors]\npacked-colour = strange_packed:MeanColour\n"
    )
    code = """
import json, sys
from blemish.detectors.registry import create_detector, detector_info, detector_names
assert "packed-colour" in detector_names() and "strange_packed" not in sys.modules
made = create_detector("packed-colour", size=96)
print(json.dumps([detector_info("packed-colour").summary, type(made).__name__, made.size]))
"""
    assert json.loads(python(code, tmp_path)) == ["Distance to the mean photograph.", "MeanColour", 96]
