"""From good photographs to an inspector: what it promises holds, and what fails leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ranks import p_value
from torch import Tensor, nn

from blemish.core.errors import ArtifactError, BlemishError, CatalogError, UsageError
from blemish.core.images import read_image
from blemish.core.types import Prediction, Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import MODEL, NORMAL_SCORES, read_artifact, write_artifact
from blemish.line.runtime import Inspector
from blemish.making import build
from blemish.making.build import BuildSummary, build_inspector

SIZE = 128


def small(**parameters: object) -> Detector:
    return create_detector("patchcore", **{"size": SIZE, "coreset_size": 150, "copies": "none", **parameters})


def few(catalog: Catalog, count: int) -> Catalog:
    """The first good training images."""
    return catalog.subset(np.flatnonzero(catalog.table["split"] == "train")[:count])


@pytest.fixture(scope="module")
def catalog(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Twelve good parts to learn from, and two files among them that are no photographs."""
    root = tmp_path_factory.mktemp("with-broken") / "washer"
    shutil.copytree(washers, root)
    good = root / "train" / "good"
    whole = (good / "000.png").read_bytes()
    (good / "cut.png").write_bytes(whole[: len(whole) // 2])
    (good / "text.png").write_text("no photograph")
    return open_catalog(root)


@pytest.fixture(scope="module")
def built(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> BuildSummary:
    return build_inspector(catalog, tmp_path_factory.mktemp("built") / "washer.blemish", small())


@pytest.fixture(scope="module")
def inspector(built: BuildSummary) -> Inspector:
    return Inspector.load(Path(built.path))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file where the inspector shall be written."""
    path = tmp_path / "out" / "washer.blemish"
    path.parent.mkdir()
    path.write_bytes(b"the old inspector")
    return path


def is_untouched(old: Path) -> bool:
    return old.read_bytes() == b"the old inspector" and list(old.parent.iterdir()) == [old]


def test_unreadable_photographs_are_left_out_and_listed(catalog: Catalog, built: BuildSummary) -> None:
    assert {Path(one["path"]).name for one in built.skipped} == {"cut.png", "text.png"}
    assert all(len(one["detail"]) > 20 for one in built.skipped)
    assert built.n_train == len(catalog.train_normal()) - 2 == 12
    digests = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in catalog.train_normal()
        if path.name not in ("cut.png", "text.png")
    ]
    assert read_artifact(Path(built.path)).manifest.training.digests == tuple(sorted(digests))


def test_the_summary_says_what_was_written(built: BuildSummary, inspector: Inspector) -> None:
    assert json.loads(json.dumps(built.to_json())) == built.to_json()
    assert (built.category, built.detector, inspector.name) == ("washer", "patchcore", "washer")
    assert built.megabytes == pytest.approx(Path(built.path).stat().st_size / 1e6)
    assert built.threshold == inspector.threshold
    assert 0 < built.parity_error < 1e-3
    parameters = inspector.manifest.detector.parameters
    assert (parameters["size"], parameters["coreset_size"]) == (SIZE, 150)
    assert {"torch", "timm", "openvino", "numpy"} <= inspector.manifest.libraries.keys()


def test_the_threshold_is_where_the_p_value_of_unseen_scores_reaches_the_rate(built: BuildSummary) -> None:
    artifact = read_artifact(Path(built.path))
    scores = artifact.array(NORMAL_SCORES)
    assert len(scores) == built.n_scores == built.n_train
    decision = artifact.manifest.decision
    assert decision.false_reject_rate == pytest.approx(max(0.01, 1 / (len(scores) + 1)))
    (behind,) = np.nonzero(scores > built.threshold)
    assert (1 + len(behind)) / (1 + len(scores)) <= decision.false_reject_rate + 1e-9
    assert p_value(scores, built.threshold) > decision.false_reject_rate


def test_good_parts_mostly_pass(catalog: Catalog, inspector: Inspector) -> None:
    tests = catalog.test()
    good = [inspector.inspect(Path(path)) for path in tests.loc[tests["label"] == "normal", "path"]]
    passed = [one for one in good if one.verdict is Verdict.PASS]
    assert len(passed) > len(good) / 2
    assert all(not one.regions and one.score <= one.threshold for one in passed)
    assert all(one.p_value > 1 / (inspector.manifest.calibration.n_scores + 1) for one in passed)


@pytest.mark.parametrize(("x", "y"), [(70, 40), (150, 110)])
def test_a_blob_is_rejected_and_found(x: int, y: int, catalog: Catalog, inspector: Inspector) -> None:
    tests = catalog.test()
    image = read_image(Path(tests.loc[tests["label"] == "normal", "path"].iloc[0]))
    wide = cv2.resize(image, (240, 160))
    cv2.ellipse(wide, (x, y), (30, 20), 20, 0, 360, (200, 30, 160), -1)
    seen = inspector.inspect(wide)
    assert seen.verdict is Verdict.REJECT and seen.score > seen.threshold
    assert (seen.width, seen.height) == (240, 160)
    assert seen.p_value == 1 / (inspector.manifest.calibration.n_scores + 1)
    highest = seen.regions[0]
    assert highest.x <= x < highest.x + highest.width and highest.y <= y < highest.y + highest.height
    assert highest.width * highest.height < 0.6 * 240 * 160


def test_regions_lie_inside_a_photograph_of_any_size(inspector: Inspector) -> None:
    for height, width in ((90, 300), (300, 90), (40, 40)):
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        seen = inspector.inspect(noise)
        assert seen.verdict is Verdict.REJECT and (seen.width, seen.height) == (width, height)
        assert seen.regions and seen.anomaly_map.shape == (SIZE, SIZE)
        for region in seen.regions:
            assert 0 <= region.x < region.x + region.width <= width
            assert 0 <= region.y < region.y + region.height <= height


def test_sixteen_bit_photographs_are_judged_as_their_eight_bit_twins(
    catalog: Catalog, inspector: Inspector, tmp_path: Path
) -> None:
    eight = read_image(catalog.train_normal()[0])[..., 0]
    cv2.imwrite(str(tmp_path / "8.png"), eight)
    cv2.imwrite(str(tmp_path / "16.png"), eight.astype(np.uint16) << 8)
    assert inspector.inspect(tmp_path / "8.png").score == inspector.inspect(tmp_path / "16.png").score


def test_the_line_says_what_the_laboratory_says(catalog: Catalog, inspector: Inspector) -> None:
    readable = [path for path in catalog.train_normal() if path.name not in ("cut.png", "text.png")]
    table = catalog.table
    detector = small().fit(catalog.subset(table["path"].isin([str(path) for path in readable])))
    paths = [Path(path) for path in catalog.test()["path"]]
    for path, expected in zip(paths, detector.predict(paths), strict=True):
        seen = inspector.predict(read_image(path))
        assert seen.score == pytest.approx(expected.score, rel=1e-3)
        np.testing.assert_allclose(seen.anomaly_map, expected.anomaly_map, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("kind", ["three", "one colour"])
def test_few_or_dull_photographs_are_enough(kind: str, catalog: Catalog, tmp_path: Path) -> None:
    # The memory bank holds every patch here, so learnt photographs score about zero.
    folder = tmp_path / "part" / "train" / "good"
    folder.mkdir(parents=True)
    for number in range(3):
        image = read_image(catalog.train_normal()[number])
        if kind == "one colour":
            image = np.full_like(image, 100 + number)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    out = tmp_path / "part.blemish"
    detector = create_detector("patchcore", size=SIZE, copies="none")
    summary = build_inspector(open_catalog(tmp_path / "part"), out, detector)
    assert summary.parity_error < 1e-3 and summary.n_scores == 3
    seen = Inspector.load(out).inspect(folder / "0.png")
    assert seen.verdict is Verdict.PASS


class Changed(nn.Module):
    """A detector's network whose outputs are changed a little, as a faulty export would."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.network = network
        self.change = change

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        score, anomaly_map, *others = self.network(image)
        return (*self.change(score, anomaly_map), *others)


CHANGES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "score half a percent off": lambda score, anomaly_map: (score * 1.005, anomaly_map),
    "map half a percent off": lambda score, anomaly_map: (score, anomaly_map * 1.005),
    "map moved by a pixel": lambda score, anomaly_map: (score, torch.roll(anomaly_map, 1, 0)),
    "score not a number": lambda score, anomaly_map: (score * float("nan"), anomaly_map),
    "map not a number": lambda score, anomaly_map: (score, anomaly_map * float("nan")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_parity_gate_refuses_another_network(
    change: str, catalog: Catalog, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        build, "to_onnx", lambda network, *rest: to_onnx(Changed(network, CHANGES[change]), *rest)
    )
    learnt = few(catalog, 3)
    with pytest.raises(
        BlemishError, match=r"differs from the fitted detector .*no inspector was written"
    ) as refused:
        build_inspector(learnt, old, small())
    assert is_untouched(old)
    named = re.search(
        r"the negative of (.+) scores (\S+) by the one and (\S+) by the other", str(refused.value)
    )
    assert named is not None and Path(named[1]) in learnt.train_normal()
    agree = float(named[3]) == pytest.approx(float(named[2]), rel=1e-3)
    assert agree == change.startswith("map")


def test_a_detector_that_says_nothing_is_refused(
    catalog: Catalog, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = type(small()).network
    broken = CHANGES["score not a number"]
    monkeypatch.setattr(type(small()), "network", lambda self: Changed(network(self), broken))
    with pytest.raises(BlemishError, match="no inspector was written"):
        build_inspector(few(catalog, 3), old, small())
    assert is_untouched(old)


def test_what_cannot_be_built_leaves_the_old_inspector(catalog: Catalog, old: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folds"):
        build_inspector(few(catalog, 3), old, small(), folds=1)
    with pytest.raises(UsageError, match="coreset_size=0"):
        build_inspector(few(catalog, 3), old, small(coreset_size=0))
    with pytest.raises(CatalogError, match="1 good training images"):
        build_inspector(few(catalog, 1), old, small())
    broken = tmp_path / "broken" / "train" / "good"
    broken.mkdir(parents=True)
    (broken / "a.png").write_text("no photograph")
    with pytest.raises(CatalogError, match=r"None of the 1 photographs .*a\.png"):
        build_inspector(open_catalog(tmp_path / "broken"), old, small())
    assert is_untouched(old)


BUILD_AND_STOP = f"""
import os, sys, time
from pathlib import Path

def stop(descriptor):
    print("writing", flush=True)
    time.sleep(120)

import blemish.core.storage
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.making.build import build_inspector
blemish.core.storage.os.fsync = stop
detector = create_detector("patchcore", size={SIZE}, coreset_size=50, copies="none")
build_inspector(open_catalog(sys.argv[1]), Path(sys.argv[2]), detector)
"""


def test_a_killed_build_leaves_the_old_inspector(washers: Path, old: Path, built: BuildSummary) -> None:
    command = [sys.executable, "-c", BUILD_AND_STOP, str(washers), str(old)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"writing\n"
        (written,) = [path for path in old.parent.iterdir() if path != old]
        assert written.stat().st_size > 1e6, "the new one was there, but for its name"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert old.read_bytes() == b"the old inspector"
    artifact = read_artifact(Path(built.path))
    write_artifact(old, artifact.manifest, artifact.members)  # what was left is not in the way
    assert Inspector.load(old).threshold == built.threshold


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, less than any network."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_old_inspector(catalog: Catalog, small_disk: Path) -> None:
    old = small_disk / "washer.blemish"
    old.write_bytes(b"the old inspector")
    with pytest.raises(BlemishError, match=r"washer\.blemish was not written because the disk is full"):
        build_inspector(few(catalog, 3), old, small())
    assert is_untouched(old)


INSPECT = """
import sys
from pathlib import Path
from blemish.line.runtime import Inspector
print(Inspector.load(Path(sys.argv[1])).inspect(Path(sys.argv[2])).score)
heavy = ("torch", "timm", "pandas", "sklearn", "scipy", "skimage", "onnx", "plotly")
print([name for name in heavy if name in sys.modules])
"""


def test_the_runtime_needs_no_laboratory(built: BuildSummary, catalog: Catalog, inspector: Inspector) -> None:
    path = catalog.train_normal()[0]
    command = [sys.executable, "-c", INSPECT, built.path, str(path)]
    score, heavy = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert float(score) == pytest.approx(inspector.inspect(path).score)
    assert heavy == "[]"


def test_threads_change_no_verdict(built: BuildSummary, catalog: Catalog, inspector: Inspector) -> None:
    single = Inspector.load(Path(built.path), threads=1)
    for path in catalog.test()["path"][:3]:
        one, other = single.inspect(Path(path)), inspector.inspect(Path(path))
        assert one.score == pytest.approx(other.score, rel=1e-5) and one.verdict == other.verdict


class NotANumber(nn.Module):
    """Says NaN of every photograph."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        anomaly_map = image[0, 0] * float("nan")
        return anomaly_map.mean().reshape(1), anomaly_map


def test_what_is_not_a_number_never_passes(built: BuildSummary, inspector: Inspector, tmp_path: Path) -> None:
    artifact = read_artifact(Path(built.path))
    model = to_onnx(NotANumber(), torch.zeros(1, 3, SIZE, SIZE), ["score", "map"])
    path = tmp_path / "nan.blemish"
    write_artifact(path, artifact.manifest, {**artifact.members, MODEL: model})
    with pytest.raises(BlemishError, match=f"{path} gave a score that is not a number"):
        Inspector.load(path).inspect(np.zeros((50, 50, 3), np.uint8))
    prediction = Prediction(float("nan"), np.zeros((SIZE, SIZE), np.float32))
    with pytest.raises(BlemishError, match="NaN"):
        inspector.judge(prediction, 50, 50)


def test_a_network_that_cannot_be_run_is_refused(built: BuildSummary, tmp_path: Path) -> None:
    artifact = read_artifact(Path(built.path))
    for number, model in enumerate((b"", b"no network", artifact.content(MODEL)[:5000])):
        path = tmp_path / f"{number}.blemish"
        write_artifact(path, artifact.manifest, {**artifact.members, MODEL: model})
        with pytest.raises(ArtifactError, match=r"cannot be run here .*: fit it anew") as refused:
            Inspector.load(path)
        assert "\n" not in str(refused.value)
