"""Large JPEG photographs decoded at reduced scale: the same everywhere, near enough, and as strict as ever."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blemish.core.errors import ImageError
from blemish.core.images import DecodeLimits, decode_image, decode_photograph
from blemish.data.catalog import open_catalog
from blemish.detectors.memory.patchcore import PatchCore
from blemish.features.together import read_together
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.view.preprocessing import Preprocessing, look
from blemish.view.reading import ENOUGH, enough_for, is_much_larger, open_photograph
from blemish.view.view import View

ORIENTATION = 0x0112


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth colourful picture with some detail, uint8 H x W x 3."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(
        rng.integers(40, 216, (9, 12, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.resize(rng.normal(0, 9, (height // 6, width // 6)).astype(np.float32), (width, height))
    return np.clip(coarse + fine[..., None], 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, orientation: int = 1, grey: bool = False) -> bytes:
    image, stream = Image.fromarray(pixels), io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    (image.convert("L") if grey else image).save(stream, "JPEG", quality=92, exif=exif)
    return stream.getvalue()


@settings(max_examples=15)
@given(
    st.integers(12, 44).map(lambda blocks: 16 * blocks),  # or the last rows of a block would be half outside
    st.integers(12, 44).map(lambda blocks: 16 * blocks),
    st.tuples(st.integers(8, 400), st.integers(8, 400)),
    st.integers(1, 8),
    st.booleans(),
)
def test_enough_pixels_are_decoded_and_the_size_stays_known(
    width: int, height: int, least: tuple[int, int], orientation: int, grey: bool
) -> None:
    content = jpeg(scene(width, height), orientation, grey)
    whole = decode_image(content, "photograph")
    seen = decode_photograph(content, "photograph", least=least)
    assert (seen.height, seen.width) == whole.shape[:2]
    rows, columns = seen.pixels.shape[:2]
    assert rows >= min(least[1], seen.height) and columns >= min(least[0], seen.width)
    halved = seen.width >= 2 * least[0] and seen.height >= 2 * least[1]
    if halved:
        assert rows <= seen.height / 2 + 1
    if not seen.whole:
        shrunk = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - seen.pixels).mean() < 3


def test_other_formats_are_decoded_whole() -> None:
    pixels = scene(640, 480)
    for suffix in (".png", ".bmp", ".webp"):
        content = cv2.imencode(suffix, pixels)[1].tobytes()
        assert decode_photograph(content, "photograph", least=(10, 10)).whole


def test_damage_is_found_at_reduced_scale_too() -> None:
    content = jpeg(scene(800, 600))
    for broken, kind in ((content[: len(content) // 2], "truncated"), (_flipped(content), "damaged")):
        for least in (None, (90, 90)):
            with pytest.raises(ImageError) as refused:
                decode_photograph(broken, "photograph", least=least)
            assert refused.value.kind == kind


def _flipped(content: bytes) -> bytes:
    """The file without 40 bytes of its picture."""
    middle = len(content) // 2
    return content[:middle] + content[middle + 40 :]


def test_limits_are_of_the_photograph_itself() -> None:
    content = jpeg(scene(800, 600))
    with pytest.raises(ImageError) as refused:
        decode_photograph(content, "photograph", DecodeLimits(max_pixels=400_000), least=(20, 20))
    assert refused.value.kind == "too-large"


def contract(reduced: bool) -> Preprocessing:
    view = View(photograph=(1600, 1200), reduced=reduced)
    return Preprocessing(height=96, width=128, mean=(0, 0, 0), std=(1, 1, 1), view=view)


def test_what_is_enough_for_the_input_gives_nearly_the_same_picture() -> None:
    content = jpeg(scene(1600, 1200))
    few, many = (open_photograph(content, "photograph", contract(reduced)) for reduced in (True, False))
    assert few.pixels.shape[1] >= ENOUGH * 128 and few.pixels.shape[1] <= 1600 / 4 and many.whole
    difference = (
        look(few.pixels, contract(True)).picture.astype(int) - look(many.pixels, contract(False)).picture
    )
    assert np.abs(difference).mean() < 0.8
    assert enough_for(contract(False)) is None
    assert contract(True).picture_key != contract(False).picture_key
    assert is_much_larger((1600, 1200), (128, 96)) and not is_much_larger((500, 1200), (128, 96))


@pytest.fixture(scope="module")
def large_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts at 1200 x 900 pixels, and one with a dark spot."""
    root = tmp_path_factory.mktemp("parts")
    for folder in ("train/good", "test/good", "test/spot"):
        (root / folder).mkdir(parents=True)
    for number in range(8):
        place = "train/good" if number < 6 else "test/good"
        (root / place / f"{number}.jpg").write_bytes(_part(number))
    (root / "test/spot/0.jpg").write_bytes(_part(9, spot=True))
    return root


def _part(number: int, spot: bool = False) -> bytes:
    pixels = scene(1200, 900, seed=1)
    noise = np.random.default_rng(number).normal(0, 4, pixels.shape[:2])
    pixels = np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
    if spot:
        cv2.circle(pixels, (900, 300), 60, (10, 10, 10), -1)
    return simplejpeg.encode_jpeg(pixels, quality=92)


def test_the_laboratory_and_the_line_see_the_same_pixels(large_parts: Path, tmp_path: Path) -> None:
    detector = PatchCore(size=128, coreset_size=200, copies="none")
    build_inspector(open_catalog(large_parts), tmp_path / "part.blemish", detector, folds=2)
    inspector = Inspector.load(tmp_path / "part.blemish")
    view = inspector.manifest.preprocessing.view
    assert view is not None and view.reduced
    path = large_parts / "test/spot/0.jpg"
    inspection = inspector.inspect(path)
    assert inspection.verdict == "reject" and (inspection.width, inspection.height) == (1200, 900)
    region = inspection.regions[0]
    assert region.x <= 900 <= region.x + region.width and region.y <= 300 <= region.y + region.height
    photograph = inspection.photograph
    assert photograph is not None and photograph.shape[1] < 1200 and inspection.overlay().width > 600
    assert inspector.inspect(path.read_bytes()).score == inspection.score
    predicted = detector.predict(path)
    assert predicted.score == pytest.approx(inspection.score, rel=1e-3)
    read = read_together([path], [detector.extractor()], [detector.preprocessing()])
    assert not read.problems and detector.predict(path).score == predicted.score
    whole = inspector.inspect(decode_image(path.read_bytes(), "photograph"))
    assert whole.score == pytest.approx(inspection.score, rel=0.02)
