"""Detectors on vision transformers: defaults that just work, patches of 14 pixels everywhere, and AnomalyDINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import grey_dilation, grey_erosion
from scipy.spatial.distance import cdist

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog
from blemish.detectors import checks
from blemish.detectors.base import Detector
from blemish.detectors.check_subject import Subject
from blemish.detectors.memory.few_shot import FewShot
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.registry import create_detector, detector_info, quick_parameters
from blemish.explore.backbone import embedding

DINOV2 = "vit_small_patch14_dinov2"
SMALL = "test_vit"
# 12 blocks and patches of 14 pixels, read after the first: quick, and no size is a power of two.
EARLY: dict[str, Any] = {"backbone": "eva02_tiny_patch14_224", "weights": "random", "size": 112}
SHORT = {
    "coreset_size": 100,
    "bank_size": 100,
    "rotations": 2,
    "epochs": 1,
    "examples_per_epoch": 8,
    "width": 8,
}
READ = {"taps": (-12,), "precision": "float32"}

FROZEN = ["patchcore", "padim", "knn", "few-shot", "feature-autoencoder", "supersimplenet", "student-teacher"]
CLASSICAL = ["isolation-forest", "local-outlier-factor"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject.of(PatchCore(), tmp_path_factory.mktemp("drawn"))


def make(name: str, **parameters: Any) -> Detector:
    wanted = {**SHORT, **READ, **EARLY, **parameters}
    return create_detector(name, **{k: v for k, v in wanted.items() if k in detector_info(name).parameters})


@pytest.mark.parametrize("name", [*FROZEN, *CLASSICAL, "classifier"])
def test_a_detector_on_patches_of_14_pixels_is_exported_as_it_is(
    name: str, drawn: Subject, tmp_path: Path
) -> None:
    detector = make(name, **({"taps": (-12, -11)} if name in ("padim", "student-teacher") else {}))
    if name in CLASSICAL:  # which read at depths, so all blocks
        detector.set_params(backbone=SMALL, size=64)
    subject = Subject.of(detector, tmp_path) if detector.learns_from_defects() else drawn
    checks.check_the_network_says_the_same(Subject(detector, subject.catalog, tmp_path))


@pytest.mark.parametrize("name", [*FROZEN, *CLASSICAL, "classifier"])
def test_a_backbone_decides_what_is_not_given(name: str) -> None:
    plain, made = create_detector(name), create_detector(name, backbone=DINOV2)
    assert made.size == 448 and made.clone().get_params() == made.get_params()
    assert getattr(made, "taps", ()) in ((), (-1,), (-10, -7, -4, -1))
    assert create_detector(name, backbone=DINOV2, size=70).size == 70
    assert quick_parameters(name, backbone=DINOV2)["size"] == 126
    assert create_detector(name, backbone="resnet18").get_params() == {
        **plain.get_params(),
        "backbone": "resnet18",
    }
    assert plain.set_params(backbone=DINOV2).get_params() == made.get_params()
    assert plain.set_params(backbone="resnet18").size == create_detector(name).size


def test_what_is_given_stays_and_is_refused_where_it_cannot_be(catalog: Catalog) -> None:
    for detector, sentence in [
        (PatchCore(backbone=DINOV2, size=352), "size=352 is not possible with .* choose 350 or 364"),
        (PatchCore(backbone=DINOV2, taps=(8, 16), weights="random"), "choose taps from -1"),
        (create_detector("padim", backbone=DINOV2, stride=16), "stride=16 .* the stride 14: leave it out"),
        (make("student-teacher", student="resnet18"), "student=resnet18 .* choose reverse"),
        (make("feature-autoencoder", size=128), "size=128 .* choose 126 or 140"),
        (
            create_detector("unet", encoder=SMALL, synthetic="only", size=64),
            "not at strides such as 2, 4, 8, 16",
        ),
    ]:
        with pytest.raises(UsageError, match=sentence):
            detector.fit(catalog)


def test_a_search_tries_what_the_backbone_can_do() -> None:
    info = detector_info("patchcore")
    suited = create_detector("patchcore", backbone=DINOV2).suited_space(info.space)
    assert suited["size"] == [252, 350, 448] and suited["taps"] == [(-1,), (-4,), (-10, -7, -4, -1)]
    assert create_detector("patchcore").suited_space(info.space) == info.space
    for name in ("size", "taps"):
        for value in suited[name]:
            backbone = create_detector("patchcore", backbone=DINOV2, **{name: value})
            assert backbone.get_params()[name] == value


def test_parameters_that_came_later_change_no_key_by_default() -> None:
    for detector in (PatchCore(), FewShot(), create_detector("cae")):
        known, later = detector.get_params(), ("augment", *detector.view_names, *detector.later)
        assert detector.key_parameters() == {k: v for k, v in known.items() if k not in later}
    assert PatchCore(masking=True).key_parameters()["masking"]


def turned(name: str, angles: int) -> dict[str, Any]:
    """The parameter of copies turned by so many equal angles."""
    return {"rotations": angles} if name == "few-shot" else {"copies": f"turn{angles}"}


def anomalydino(name: str, **parameters: Any) -> Detector:
    """The preset on a small network with random weights."""
    small = {"backbone": SMALL, "weights": "random", "size": 192, **turned(name, 4), **parameters}
    return create_detector(name, "anomalydino", **small)


def directions(detector: Any, path: Path) -> np.ndarray:
    """Patches of the last block at length 1, h x w x D."""
    (maps,) = detector.extractor().extract(path)
    rows = np.moveaxis(np.asarray(maps, np.float64), 0, -1)
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def on_the_part(foreground: Any, patches: np.ndarray) -> np.ndarray:
    """The weight of every patch, by SciPy."""
    if foreground is None:
        return np.ones(patches.shape[:2])
    low, high = foreground.bounds.numpy()
    weight = np.clip((patches @ foreground.direction.numpy() - low) / (high - low), 0, 1)
    spread = grey_dilation(weight, (3, 3), mode="constant", cval=-np.inf)
    closed = grey_dilation(spread, (3, 3), mode="constant", cval=-np.inf)
    return np.asarray(grey_erosion(closed, (3, 3), mode="constant", cval=np.inf))


@pytest.mark.parametrize("name", ["few-shot", "patchcore"])
def test_anomalydino_is_the_mean_of_the_highest_cosine_distances_on_the_part(
    name: str, drawn: Subject
) -> None:
    detector: Any = anomalydino(name).fit(drawn.catalog)
    known = detector.good_ if name == "few-shot" else detector
    bank = known.known if name == "few-shot" else known.memory_bank_
    foreground = known.foreground if name == "few-shot" else known.foreground_
    assert foreground is not None  # a disc on plain ground can be told from it
    assert torch.allclose(bank.norm(dim=1), torch.ones(len(bank)))
    images = len(drawn.catalog.train_normal())
    assert images * 144 < len(bank) <= images * 4 * 144  # quarter turns are whole: with them there are more
    for path, said in zip(drawn.paths, detector.predict(drawn.paths), strict=True):
        patches = directions(detector, path)
        distances = cdist(patches.reshape(-1, patches.shape[2]), bank, "cosine").min(1).reshape(12, 12)
        weighted = np.sort((distances * on_the_part(foreground, patches)).ravel())
        assert said.score == pytest.approx(weighted[-1], rel=1e-3, abs=1e-6)  # 1 % of 144 places is one


def test_anomalydino_is_as_published() -> None:
    for name in ("few-shot", "patchcore"):
        made = create_detector(name, "anomalydino").get_params()
        expected = {"backbone": DINOV2, "size": 448, "taps": (-1,), "neighbourhood": 1, "distance": "cosine"}
        expected |= {**turned(name, 8), "masking": True, "top": 0.01, "sigma": 4.0}
        assert {key: made[key] for key in expected} == expected


@pytest.mark.parametrize("name", ["few-shot", "patchcore"])
def test_anomalydino_is_exported_as_it_is(name: str, drawn: Subject, tmp_path: Path) -> None:
    detector = anomalydino(name, **({"context": 5} if name == "patchcore" else {}))
    checks.check_the_network_says_the_same(Subject(detector, drawn.catalog, tmp_path))


def test_a_distance_that_cannot_be_is_refused(catalog: Catalog) -> None:
    for detector in (
        FewShot(distance="cosine", method="subspace"),
        FewShot(distance="manhattan"),
        PatchCore(distance="manhattan"),
        PatchCore(copies="turn1"),
        PatchCore(distance="cosine", reweighting=3),
    ):
        with pytest.raises(UsageError, match=r"(distance|copies|reweighting)=\w+ is not possible for"):
            detector.fit(catalog)


def test_explore_reads_the_last_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from blemish.explore import backbone as explored

    def random(name: str, taps: Any, weights: Any, **arguments: Any) -> Any:
        torch.manual_seed(0)
        return load(name, taps, pretrained=False, **arguments)

    load = explored.load_backbone
    monkeypatch.setattr(explored, "load_backbone", random)
    image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    assert embedding(SMALL)(image).shape == (64, 14, 14)
