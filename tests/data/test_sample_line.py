"""The sample line: layout, determinism, independence of images, exact masks, and that it is no walk-over."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from blemish.core.errors import UsageError
from blemish.data.drawn_parts import PARTS, render_part
from blemish.data.sample_line import SAMPLE_CATEGORIES, render_good, write_sample_line
from blemish.data.synthetic import DEFECT_PAINTERS


@pytest.fixture(scope="session")
def default_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole sample line with its default counts."""
    out = tmp_path_factory.mktemp("line")
    write_sample_line(out)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.png"))
    }


def grey_vectors(paths: list[Path]) -> np.ndarray:
    """64 x 64 grey pixels of each image, as rows."""
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    small = [cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(small).astype(np.float64).reshape(len(small), -1)


def test_layout_is_that_of_mvtec_ad(default_line: Path) -> None:
    assert sorted(p.name for p in default_line.iterdir()) == sorted(SAMPLE_CATEGORIES)
    for category in SAMPLE_CATEGORIES:
        folder = default_line / category
        assert len(list((folder / "train" / "good").glob("*.png"))) == 40
        assert len(list((folder / "test" / "good").glob("*.png"))) == 16
        for kind in DEFECT_PAINTERS:
            photos = sorted((folder / "test" / kind).glob("*.png"))
            masks = sorted((folder / "ground_truth" / kind).glob("*.png"))
            assert [p.name for p in photos] == [f"{i:03d}.png" for i in range(4)]
            assert [m.name for m in masks] == [f"{i:03d}_mask.png" for i in range(4)]
            for photo, mask in zip(photos, masks, strict=True):
                pixels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
                assert pixels.shape == cv2.imread(str(photo)).shape[:2] == (256, 256)
                assert set(np.unique(pixels)) == {0, 255}


def test_no_two_images_are_alike(default_line: Path) -> None:
    seen = [d for name, d in digests(default_line).items() if "ground_truth" not in name]
    assert len(seen) == len(set(seen)) == 6 * (40 + 16 + 4 * len(DEFECT_PAINTERS))


@pytest.mark.parametrize("category", SAMPLE_CATEGORIES)
def test_nearest_neighbour_on_pixels_does_not_solve_it(default_line: Path, category: str) -> None:
    train = grey_vectors(sorted((default_line / category / "train" / "good").glob("*.png")))
    paths = sorted((default_line / category / "test").glob("*/*.png"))
    test = grey_vectors(paths)
    distances = np.sqrt(((test[:, None] - train[None]) ** 2).sum(axis=2)).min(axis=1)
    assert roc_auc_score([p.parent.name != "good" for p in paths], distances) < 0.8


@pytest.mark.parametrize("category", SAMPLE_CATEGORIES)
def test_brightness_and_sharpness_alone_do_not_solve_it(default_line: Path, category: str) -> None:
    """A generator often betrays itself by a global trace of its defects: there must be none."""
    paths = sorted((default_line / category / "test").glob("*/*.png"))
    anomalous = [p.parent.name != "good" for p in paths]
    grey = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE).astype(np.float64) for p in paths]
    for statistic in (np.mean, np.std, lambda g: np.abs(cv2.Laplacian(g, cv2.CV_64F)).mean()):
        area = roc_auc_score(anomalous, [float(statistic(g)) for g in grey])
        assert 0.15 < area < 0.85  # 16 against 24 images: chance alone reaches 0.3 and 0.7


def test_same_seed_same_bytes_and_images_do_not_depend_on_each_other(tmp_path: Path) -> None:
    few = write_sample_line(
        tmp_path / "few", ("washer", "gravel"), train=2, good=1, per_defect_type=1, size=96
    )
    more = write_sample_line(
        tmp_path / "more", ("gravel", "washer"), train=4, good=2, per_defect_type=2, size=96
    )
    again = write_sample_line(
        tmp_path / "few", ("washer", "gravel"), train=2, good=1, per_defect_type=1, size=96
    )
    other = write_sample_line(
        tmp_path / "other", ("washer",), train=2, good=1, per_defect_type=1, size=96, seed=1
    )
    washer = digests(few[0])
    assert few == again and [f.name for f in more] == ["gravel", "washer"]
    assert washer.items() <= digests(more[1]).items() and digests(few[1]).items() <= digests(more[0]).items()
    assert washer.keys() == digests(other[0]).keys() and not set(washer.values()) & set(
        digests(other[0]).values()
    )


def test_made_again_smaller_leaves_no_old_images(tmp_path: Path) -> None:
    write_sample_line(tmp_path, ("brick",), train=3, good=2, per_defect_type=1, size=64)
    write_sample_line(tmp_path, ("brick",), train=1, good=0, per_defect_type=0, size=64)
    assert list(digests(tmp_path / "brick")) == ["train/good/000.png"]
    assert [p.name for p in tmp_path.iterdir()] == ["brick"]


def test_folders_of_others_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "mine.png").write_bytes(b"precious")
    with pytest.raises(UsageError, match="already holds files of yours"):
        write_sample_line(tmp_path, ("brick", "board"), train=1, good=0, per_defect_type=0, size=64)
    assert (tmp_path / "board" / "mine.png").read_bytes() == b"precious"
    assert not (tmp_path / "brick").exists()


def test_a_break_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample_line(tmp_path, ("brick",), train=1, good=0, per_defect_type=0, size=64)
    before = digests(tmp_path)

    def broken(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(Exception, match="no space left on device"):
        write_sample_line(tmp_path, ("brick",), train=2, good=0, per_defect_type=0, size=64, seed=5)
    assert digests(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["brick"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"categories": ("screws",)}, "no category 'screws': choose of brick"),
        ({"categories": ()}, "No category was asked for"),
        ({"train": 0}, "train 0 is out of range: give a whole number from 1"),
        ({"size": 32}, "size 32 is out of range: give a whole number from 64 to 2048"),
        ({"seed": -1}, "seed -1 is out of range"),
    ],
)
def test_wrong_arguments_get_one_sentence(
    tmp_path: Path, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        write_sample_line(tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("category", SAMPLE_CATEGORIES)
@pytest.mark.parametrize("size", [64, 250])
def test_every_size_renders(category: str, size: int) -> None:
    image, foreground = render_good(category, np.random.default_rng(0), size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert image.std() > 10
    assert foreground is None or (foreground.shape == (size, size) and 0.2 < foreground.mean() < 0.9)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_good_parts_move_and_their_light_changes(part: str) -> None:
    pairs = [render_part(part, np.random.default_rng(seed), 128) for seed in range(8)]
    centres = np.array([np.argwhere(foreground).mean(axis=0) for _, foreground in pairs])
    assert centres.std(axis=0).min() > 0.5  # pixels of 128
    assert np.std([image[foreground].mean() for image, foreground in pairs]) > 4  # grey levels
