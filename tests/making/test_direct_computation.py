"""Scores of the line against a direct computation in float64, the one that stands beside the figures of the peers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.detectors.memory.patchcore import PatchCore
from blemish.features.backbones import load_backbone
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.view.preprocessing import preprocess

PEERS = Path(__file__).resolve().parents[2] / "bench" / "peers"
PAPER: dict[str, Any] = {"score": "patches", "top": 0.0, "reweighting": 9, "sigma": 4.0}


def script(name: str) -> ModuleType:
    """A script of the comparison as a module."""
    found = importlib.util.spec_from_file_location(f"peers_{name}", PEERS / f"{name}.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses look there for their module
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "scoring",
    [PAPER, {"score": "map", "sigma": 8.0}, {"score": "map", "sigma": 8.0, "context": 2}],
    ids=["paper", "map", "context"],
)
def test_scores_are_those_of_a_direct_computation(
    scoring: dict[str, Any], washers: Path, tmp_path: Path
) -> None:
    reference = script("reference")
    detector = PatchCore(
        size=128,
        coreset_size=300,
        copies="none",
        robust=False,
        **{"context": 0, "calibration_images": 12} | scoring,
    )
    out = tmp_path / "washer.blemish"
    build_inspector(open_catalog(washers), out, detector, folds=2, check_photographs=False, pictures=False)
    inspector, bank = Inspector.load(out), detector.memory_bank_.numpy()
    assert bank.shape == (300, 152)
    contract = inspector.manifest.preprocessing
    recipe = reference.Recipe(
        size=(128, 128),
        sigma=scoring["sigma"],
        score_of_map=scoring["score"] == "map",
        reweighting=scoring.get("reweighting", 0),
    )
    learnt = detector.context_
    if learnt is not None:
        assert learnt.slope > 0, "it says nothing"
        usual = learnt.usual_scores.double().numpy()
        spreads, offsets = learnt.scale.double().numpy(), learnt.slope * (usual - usual.mean())
        looks = learnt.descriptors.double().numpy() / spreads
        recipe = dataclasses.replace(recipe, context=reference.LearntContext(looks, spreads, offsets, 2))
    backbone = load_backbone().double()
    for path in sorted(washers.glob("test/*/*.png"))[::9]:
        image = read_image(path)
        with torch.inference_mode():
            maps = backbone(torch.from_numpy(preprocess(image, contract)).double()[None])
        score, anomaly_map = reference.score_and_map([one[0].numpy() for one in maps], bank, recipe)
        said = inspector.predict(image)
        assert said.score == pytest.approx(score, rel=1e-4)
        assert reference.largest_difference(said.anomaly_map, anomaly_map) < 1e-4
    # A bank that is a percent off would be noticed.
    other = reference.score_and_map([one[0].numpy() for one in maps], 1.01 * bank, recipe)[0]
    assert other != pytest.approx(score, rel=1e-4)


def test_bars_and_ratios_are_of_turns() -> None:
    bars = script("bars")
    # The machine is twice as slow in the second turn: the ratio stays.
    lots = {
        "Blemish, openvino-f32": [
            {"ms": [10.0, 12.0], "cpu_ms": [20.0, 20.0]},
            {"ms": [22.0], "cpu_ms": [20.0]},
        ],
        "anomalib, torch": [{"ms": [55.0], "cpu_ms": [80.0]}, {"ms": [110.0], "cpu_ms": [80.0]}],
        "anomalib, onnxruntime": [{"ms": [16.5], "cpu_ms": [30.0]}, {"ms": [33.0], "cpu_ms": [30.0]}],
        "anomalib, openvino-f32": [{"ms": [30.0], "cpu_ms": [50.0]}, {"ms": [70.0], "cpu_ms": [50.0]}],
    }
    assert bars.in_turns(lots, "anomalib, torch", "Blemish, openvino-f32") == pytest.approx(5)
    told = {row[1]: row[4:] for row in bars.latency_rows("screw", lots)}
    assert told["anomalib, torch"] == ["5.00", "4.00", ">= 4 x: reached"]
    assert told["anomalib, onnxruntime"] == ["1.50", "1.50", ">= 2 x: **missed**"]
    assert told["anomalib, openvino-f32"][2] == told["Blemish, openvino-f32"][2] == ""
    slow = {"seconds": 300.0, "cpu_seconds": 500.0, "peak_mib": 3000.0}
    quick = {"seconds": 20.0, "cpu_seconds": 25.0, "peak_mib": 1100.0}
    assert bars.fit_row("screw", quick, slow)[3:] == [
        "15.0 (20.0)", ">= 15 x: reached", "1100 / 3000", "0.37", "<= 0.333 x: **missed**",
    ]  # fmt: skip
    better, worse = {"image_auroc": 0.9, "pixel_auroc": 0.8}, {"image_auroc": 0.9, "pixel_auroc": 0.9}
    assert [cell.endswith("reached") for cell in bars.auroc_row("screw", better, worse)[3::3]] == [
        True,
        False,
    ]


def test_a_process_is_measured_and_ended_at_its_limit() -> None:
    processes = script("processes")
    done = processes.run([sys.executable, "-c", "print('noise'); print('{\"bank\": [3, 4]}')"], limit=60)
    assert done.document == {"bank": [3, 4]} and done.peak_mib > 1 and done.cpu_seconds > 0
    assert processes.last_document(json.dumps({"a": 1}, indent=2)) == {"a": 1}
    with pytest.raises(processes.FailedError, match="not within 1 s"):
        processes.run([sys.executable, "-c", "import time; time.sleep(60)"], limit=1)
    with pytest.raises(processes.FailedError, match="no such part"):
        processes.run([sys.executable, "-c", "raise SystemExit('no such part')"], limit=60)
