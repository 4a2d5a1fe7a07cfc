"""Exploring a category: planted faults are found and named, clean images are left in peace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.core.types import ByteArray, FloatArray
from blemish.data.catalog import open_catalog, open_catalogs
from blemish.data.sample_line import write_sample_line
from blemish.explore.exploration import Exploration, explore_catalogs
from blemish.explore.findings import FINDING_KINDS
from blemish.explore.looking import Threads
from blemish.line.handcrafted import handcrafted_features


def cells(image: ByteArray) -> FloatArray:
    """Features without a network: colour and its spread in 16 x 16 cells."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    blocks = small.reshape(16, 4, 16, 4, 3)
    values = np.concatenate([blocks.mean(axis=(1, 3)), blocks.std(axis=(1, 3))], axis=2)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def texture(seed: int, size: int = 96) -> ByteArray:
    """A photograph of a matte surface under a light of its own."""
    random = np.random.default_rng(seed)
    surface = cv2.GaussianBlur(random.normal(0, 60, (size, size)).astype(np.float32), (0, 0), 1)
    grey = np.clip(120 + random.uniform(-15, 15) + surface, 20, 235).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def write(path: Path, image: ByteArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def make_category(root: Path) -> Path:
    """20 good photographs to learn from, 8 good and 8 defective to test; each defect is a bright spot."""
    for index in range(20):
        write(root / f"train/good/{index:02}.png", texture(index))
    for index in range(8):
        write(root / f"test/good/{index:02}.png", texture(100 + index))
        image, mask = texture(200 + index), np.zeros((96, 96), np.uint8)
        top, left = 8 + 36 * (index % 2), 8 + 20 * (index // 2)
        mask[top : top + 14, left : left + 14] = 255
        image[mask > 0] = 250
        write(root / f"test/spot/{index:02}.png", image)
        write(root / f"ground_truth/spot/{index:02}_mask.png", mask)
    return root


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_category(tmp_path_factory.mktemp("clean") / "plate")


@pytest.fixture
def damaged(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "plate"))


def kinds_of(root: Path, exploration: Exploration) -> set[tuple[str, str]]:
    found = {(f.kind, Path(f.path).relative_to(root).as_posix()) for f in exploration.findings}
    assert {kind for kind, _ in found} <= set(FINDING_KINDS)
    return found


def explored(root: Path) -> set[tuple[str, str]]:
    with explore_catalogs([open_catalog(root)], Threads(cells)) as exploration:
        return kinds_of(root, exploration)


def test_a_clean_category_has_no_finding(clean: Path) -> None:
    assert explored(clean) == set()


def change(root: Path, name: str, **how: object) -> None:
    path = root / name
    image = cv2.imread(str(path))
    if "blur" in how:
        image = cv2.GaussianBlur(image, (0, 0), how["blur"])
    if "add" in how:
        image = np.clip(image.astype(np.float32) * how.get("times", 1) + how["add"], 0, 255).astype(np.uint8)
    if "tint" in how:
        image = np.clip(image.astype(np.float32) + np.array(how["tint"]), 0, 255).astype(np.uint8)
    if "crop" in how:
        image = np.ascontiguousarray(image[: how["crop"]])
    if "deep" in how:
        image = image.astype(np.uint16) * 257
    if "noise" in how:
        noise = np.random.default_rng(0).normal(0, how["noise"], image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if "grey" in how:
        image = image[..., 0]
    write(path, image)


def swap(root: Path, one: str, other: str) -> None:
    first, second = (root / f"ground_truth/spot/{name}_mask.png" for name in (one, other))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


FAULTS = {
    "black frame": (
        lambda root: change(root, "train/good/03.png", add=0, times=0),
        {("dark", "train/good/03.png")},
    ),
    "half the light": (
        lambda root: change(root, "train/good/03.png", add=0, times=0.3),
        {("dark", "train/good/03.png")},
    ),
    "white frame": (
        lambda root: change(root, "test/good/03.png", add=255),
        {("bright", "test/good/03.png")},
    ),
    "blurred": (
        lambda root: change(root, "train/good/04.png", blur=2.5),
        {("blurred", "train/good/04.png")},
    ),
    "a uniform frame": (
        lambda root: change(root, "train/good/04.png", add=120, times=0),
        {("low-contrast", "train/good/04.png")},
    ),
    "noisy": (
        lambda root: change(root, "test/spot/04.png", noise=60),
        {("noisy", "test/spot/04.png")},
    ),
    "another lamp": (
        lambda root: change(root, "train/good/05.png", tint=(-40, 0, 40)),
        {("colour-cast", "train/good/05.png")},
    ),
    "another size": (
        lambda root: change(root, "train/good/06.png", crop=70),
        {("odd-size", "train/good/06.png")},
    ),
    "16 bits": (
        lambda root: change(root, "train/good/07.png", deep=True),
        {("odd-bit-depth", "train/good/07.png")},
    ),
    "one grey file": (
        lambda root: change(root, "train/good/07.png", grey=True),
        {("odd-channels", "train/good/07.png")},
    ),
    "cut short": (
        lambda root: (root / "test/good/02.png").write_bytes((root / "test/good/02.png").read_bytes()[:3000]),
        {("truncated", "test/good/02.png")},
    ),
    "not an image": (
        lambda root: (root / "train/good/02.png").write_text("hello"),
        {("not-an-image", "train/good/02.png")},
    ),
    "another extension": (
        lambda root: (root / "train/good/02.png").rename(root / "train/good/02.jpg"),
        {("wrong-extension", "train/good/02.jpg")},
    ),
    "a copy in test": (
        lambda root: shutil.copy(root / "train/good/08.png", root / "test/good/05.png"),
        {("duplicate-across-splits", "test/good/05.png")},
    ),
    "a copy in train": (
        lambda root: shutil.copy(root / "train/good/08.png", root / "train/good/09.png"),
        {("duplicate", "train/good/09.png")},
    ),
    "nearly a copy in test": (
        lambda root: write(
            root / "test/good/05.png",
            np.clip(cv2.imread(str(root / "train/good/08.png")) * 1.1 + 4, 0, 255).astype(np.uint8),
        ),
        {("near-duplicate-across-splits", "test/good/05.png")},
    ),
    "exchanged masks": (
        lambda root: swap(root, "01", "06"),
        {
            ("mask-mismatch", "ground_truth/spot/01_mask.png"),
            ("mask-mismatch", "ground_truth/spot/06_mask.png"),
        },
    ),
    "one mask for two": (
        lambda root: shutil.copy(
            root / "ground_truth/spot/01_mask.png", root / "ground_truth/spot/06_mask.png"
        ),
        {("mask-mismatch", "ground_truth/spot/06_mask.png")},
    ),
    "a mask of another size": (
        lambda root: change(root, "ground_truth/spot/02_mask.png", crop=60),
        {("mask-mismatch", "ground_truth/spot/02_mask.png")},
    ),
    "an empty mask": (
        lambda root: write(root / "ground_truth/spot/02_mask.png", np.zeros((96, 96), np.uint8)),
        {("mask-empty", "ground_truth/spot/02_mask.png")},
    ),
    "a mask without image": (
        lambda root: (root / "ground_truth/spot/02_mask.png").rename(root / "ground_truth/spot/77_mask.png"),
        {("mask-without-image", "ground_truth/spot/77_mask.png"), ("mask-missing", "test/spot/02.png")},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_named_and_nothing_else(damaged: Path, fault: str) -> None:
    plant, expected = FAULTS[fault]
    plant(damaged)
    assert explored(damaged) == expected


def test_all_faults_at_once_are_all_named(damaged: Path) -> None:
    names = (
        "black frame",
        "blurred",
        "cut short",
        "16 bits",
        "another size",
        "a copy in test",
        "exchanged masks",
    )
    expected = set()
    for name in names:
        plant, faults = FAULTS[name]
        plant(damaged)
        expected |= faults
    assert explored(damaged) == expected


def test_findings_state_the_value_against_the_normal_range(damaged: Path) -> None:
    FAULTS["blurred"][0](damaged)
    with explore_catalogs([open_catalog(damaged)]) as exploration:
        (finding,) = exploration.findings
        focus = exploration.categories[0].survey.table["focus"]
    assert finding.category == "plate"
    assert finding.value == focus.min()
    low, high = finding.normal_range or (0.0, 0.0)
    assert finding.value < low < focus.median() < high
    assert json.loads(json.dumps(finding.to_json()))["normal_range"] == [low, high]


@pytest.fixture(scope="module")
def sample_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exploration]:
    out = tmp_path_factory.mktemp("line")
    write_sample_line(out, ("gravel", "washer"), train=16, good=8, per_defect_type=2, size=128)
    with explore_catalogs(open_catalogs(out), Threads(cells)) as exploration:
        yield exploration


def test_the_sample_line_is_clean(sample_line: Exploration) -> None:
    assert [(f.kind, f.path) for f in sample_line.findings] == []


def test_the_document_has_the_promised_shape(sample_line: Exploration) -> None:
    document = json.loads(json.dumps(sample_line.to_json(), allow_nan=False))
    assert list(document["categories"]) == ["gravel", "washer"]
    assert document["categories"]["gravel"]["train"] == {"good": 16}
    assert document["categories"]["washer"]["test"]["hole"] == 2
    assert document["problems"] == []
    assert document["recommended_size"] in (256, 320, 384, 512)
    assert [insight["rank"] for insight in document["insights"]] == list(
        range(1, len(document["insights"]) + 1)
    )
    assert {"good-parts", "input-size", "photograph-next"} <= {i["kind"] for i in document["insights"]}


def test_the_table_has_a_row_for_every_photograph(damaged: Path) -> None:
    FAULTS["cut short"][0](damaged)
    FAULTS["black frame"][0](damaged)
    with explore_catalogs([open_catalog(damaged)], handcrafted=True) as e:
        table = e.table().set_index("path")
        comparisons = {comparison.measure for comparison in e.categories[0].comparisons}
    assert len(table) == 36
    broken, black = str(damaged / "test/good/02.png"), str(damaged / "train/good/03.png")
    compared = str(damaged / "test/good/03.png")
    assert np.isnan(table.loc[broken, "brightness"])
    assert table.loc[broken, "problems"] == "truncated"
    assert table.loc[black, ["problems", "brightness"]].tolist() == ["dark", 0.0]
    further = handcrafted_features(read_image(compared))
    assert table.loc[compared, "region_homogeneity"] == further["region_homogeneity"]
    assert np.isnan(table.loc[black, "region_homogeneity"]), "only what is compared is measured further"
    assert "region_homogeneity" in comparisons
    assert "noise_level" not in table, "it is measured already, as noise"


def test_every_photograph_is_decoded_once(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blemish.data import checks

    decoded: list[str] = []
    really = checks.decode_image

    def counted(content: bytes, name: str, *rest: object) -> ByteArray:
        decoded.append(name)
        return really(content, name, *rest)

    monkeypatch.setattr(checks, "decode_image", counted)
    with explore_catalogs([open_catalog(clean)], Threads(cells)):
        pass
    assert len(decoded) == len(set(decoded)) == 36


def test_nothing_to_explore_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to explore"):
        explore_catalogs([])


@pytest.mark.real
def test_real_photographs_have_no_findings_but_known_flaws(real_data: Path) -> None:
    with explore_catalogs([open_catalog(real_data / "metal_plate")]) as exploration:
        assert exploration.findings == []
        assert exploration.categories[0].size.recommended == 320
