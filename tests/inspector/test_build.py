"""Building an inspector, the parity gate in front of it, and the runtime behind it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.types import Verdict
from blemish.data.catalog import open_catalog
from blemish.detectors.patchcore import PatchCore
from blemish.inspector import build as building
from blemish.inspector.artifact import read_artifact
from blemish.inspector.build import build_inspector
from blemish.inspector.calibration import quantile_threshold
from blemish.inspector.parity import TOLERANCE
from blemish.inspector.runtime import Inspector


def small() -> PatchCore:
    return PatchCore(size=128, coreset_size=100)


def test_the_threshold_is_the_stated_point_of_the_stored_scores(fitted: Path) -> None:
    artifact = read_artifact(fitted)
    scores = artifact.normal_scores()
    assert len(scores) == artifact.manifest.calibration.n_scores == artifact.manifest.training.n_images
    assert (np.diff(scores) >= 0).all()
    assert artifact.manifest.calibration.threshold == quantile_threshold(scores, 0.995)
    assert artifact.manifest.parity.max_relative_error <= TOLERANCE


def test_an_obvious_defect_is_rejected_where_it_is(fitted: Path, washers: Path) -> None:
    inspector = Inspector.load(fitted)
    image = read_image(sorted((washers / "test" / "good").iterdir())[0])
    spoilt = image.copy()
    cv2.rectangle(spoilt, (20, 30), (60, 70), (255, 0, 255), -1)
    before, after = inspector.inspect(image), inspector.inspect(spoilt)
    assert after.score > before.score
    assert after.p_value <= before.p_value
    assert after.verdict == Verdict.REJECT
    assert any(
        region.x <= 40 < region.x + region.width and region.y <= 50 < region.y + region.height
        for region in after.regions
    )
    assert after.anomaly_map.dtype == np.float32
    assert after.anomaly_map.shape == (128, 128)


def test_a_photograph_of_another_size_gets_regions_inside_it(fitted: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 300, 3), dtype=np.uint8)
    inspection = Inspector.load(fitted).inspect(noise)
    assert inspection.verdict == Verdict.REJECT
    assert (inspection.width, inspection.height) == (300, 90)
    for region in inspection.regions:
        assert 0 <= region.x < region.x + region.width <= 300
        assert 0 <= region.y < region.y + region.height <= 90


def test_unreadable_training_images_are_left_out_and_named(washers: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    shutil.copytree(washers / "train" / "good", folder)
    (folder / "broken.png").write_bytes(b"no image")
    summary = build_inspector(open_catalog(folder), tmp_path / "part.blemish", small())
    assert [Path(one["path"]).name for one in summary.skipped] == ["broken.png"]
    assert summary.n_train == 12


def test_the_parity_gate_refuses_a_network_that_says_something_else(
    washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tampered(torch.nn.Module):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            score, anomaly_map = self.network(image)
            return score * (1 + 5 * TOLERANCE), anomaly_map

    export = building.to_onnx
    monkeypatch.setattr(building, "to_onnx", lambda network, *rest: export(Tampered(network), *rest))
    out = tmp_path / "washer.blemish"
    with pytest.raises(BlemishError, match="no inspector was written"):
        build_inspector(open_catalog(washers), out, small())
    assert not list(tmp_path.iterdir())


def test_a_build_that_is_killed_leaves_the_old_inspector(fitted: Path, washers: Path, tmp_path: Path) -> None:
    out = tmp_path / "washer.blemish"
    shutil.copy(fitted, out)
    before = out.read_bytes()
    command = [sys.executable, "-m", "blemish", "fit", str(washers), "--out", str(out), "--size", "160"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert out.read_bytes() == before
    assert Inspector.load(out).name == "washer"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_the_old_inspector(fitted: Path, washers: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        out = disk / "washer.blemish"
        shutil.copy(fitted, out)
        before = out.read_bytes()
        with pytest.raises(BlemishError, match="disk is full"):
            build_inspector(open_catalog(washers), out, small())
        assert out.read_bytes() == before
        assert [path.name for path in disk.iterdir()] == ["washer.blemish"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_score_that_is_no_number_is_never_a_verdict(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspector = Inspector.load(fitted)
    monkeypatch.setattr(
        inspector,
        "_network",
        lambda planes: [np.array([np.nan], np.float32), np.zeros((128, 128), np.float32)],
    )
    with pytest.raises(BlemishError, match="not a number"):
        inspector.inspect(np.zeros((64, 64, 3), np.uint8))


def test_sixteen_bit_photographs_are_judged_as_their_eight_bit_twins(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    eight = read_image(sorted((washers / "test" / "good").iterdir())[0])[..., 0]
    Image.fromarray(eight).save(tmp_path / "8.png")
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) << 8)
    inspector = Inspector.load(fitted)
    scores = [inspector.inspect_file(tmp_path / name).score for name in ("8.png", "16.png")]
    assert scores[0] == scores[1]
