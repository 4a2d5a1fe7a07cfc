"""Safe decoding: what is read is right to the bit, and what cannot be read is one clear error."""

from __future__ import annotations

import io
import resource
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from broken_files import (
    BrokenFile,
    encode,
    encode_with_opencv,
    make_broken_files,
    photograph,
    png_chunk,
    png_with_header,
    text_bomb,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image, ImageOps, features

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import (
    IMAGE_PROBLEM_KINDS,
    DecodeLimits,
    bits_per_sample,
    decode_image,
    list_images,
    pixel_digest,
    read_image,
    read_mask,
)

SIDES = st.tuples(st.integers(8, 20), st.integers(8, 20))
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, BrokenFile]]:
    folder = tmp_path_factory.mktemp("broken")
    return folder, make_broken_files(folder)


def test_every_broken_file_is_refused_with_its_kind_and_every_odd_one_is_read(
    broken: tuple[Path, dict[str, BrokenFile]], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, expected = broken
    assert sum(file.refused for file in expected.values()) >= 30
    found: dict[str, str | None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in list_images(folder):
            try:
                image = read_image(path)
            except ImageError as error:
                found[path.name] = error.kind
                assert error.path == path and str(path) in str(error)
                assert error.kind in IMAGE_PROBLEM_KINDS
                assert error.detail.endswith(".") and len(error.detail) < 180 and "\n" not in str(error)
            else:
                found[path.name] = None
                assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
                assert image.flags.c_contiguous
    assert found == {name: file.kind for name, file in expected.items()}
    assert capfd.readouterr() == ("", ""), "a decoder wrote to the terminal"


def test_bytes_from_memory_are_judged_as_the_file_is(broken: tuple[Path, dict[str, BrokenFile]]) -> None:
    folder, expected = broken
    ordinary = [name for name in expected if (folder / name).is_file() and "MiB" not in name]
    for name in ordinary:
        content = (folder / name).read_bytes()
        if expected[name].refused:
            with pytest.raises(ImageError) as caught:
                decode_image(content, name)
            assert caught.value.kind == expected[name].kind
        else:
            np.testing.assert_array_equal(decode_image(content, name), read_image(folder / name))


@pytest.mark.parametrize("kind", LOSSLESS)
@settings(max_examples=15, deadline=None)
@given(shape=SIDES, seed=st.integers(0, 2**16))
def test_lossless_formats_give_back_every_pixel(kind: str, shape: tuple[int, int], seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(encode(rgb, kind, **LOSSLESS[kind]), "photo"), rgb)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode) for kind in ("PNG", "TIFF", "BMP") for mode in ("L", "1", "P", "RGB")]
    + [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("TIFF", "CMYK")],
)
def test_modes_agree_with_pillow(kind: str, mode: str) -> None:
    content = encode(Image.fromarray(photograph()).convert(mode), kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(decode_image(content, "photo"), expected)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@settings(max_examples=15, deadline=None)
@given(
    pixels=SIDES.flatmap(
        lambda s: st.one_of(npst.arrays(np.uint16, s), npst.arrays(np.uint16, (*s, 3))),
    ),
    bit_depth=st.integers(8, 16),
)
def test_sixteen_bit_values_are_shifted_and_nothing_else(suffix: str, pixels: Any, bit_depth: int) -> None:
    image = decode_image(encode_with_opencv(suffix, pixels), "photo", bit_depth=bit_depth)
    expected = np.minimum(pixels.astype(np.int64) // 2 ** (bit_depth - 8), 255)
    expected = np.stack([expected] * 3, axis=2) if pixels.ndim == 2 else expected[:, :, ::-1]
    np.testing.assert_array_equal(image, expected)
    assert bits_per_sample(encode_with_opencv(suffix, pixels), "photo") == 16


def test_big_endian_tiff_and_impossible_bit_depths() -> None:
    deep = (np.arange(256, dtype=np.uint16).reshape(16, 16) * 257).astype(">u2")
    header = b"MM\0*\0\0\0\x08"
    tags = [
        (256, 4, 16),
        (257, 4, 16),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 0),
        (277, 3, 1),
        (279, 4, 512),
    ]
    start = len(header) + 2 + 12 * len(tags) + 4
    directory = len(tags).to_bytes(2, "big")
    for tag, kind, value in tags:
        value = start if tag == 273 else value
        packed = value.to_bytes(2, "big") + b"\0\0" if kind == 3 else value.to_bytes(4, "big")
        directory += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big") + packed
    content = header + directory + bytes(4) + deep.tobytes()
    np.testing.assert_array_equal(decode_image(content, "photo")[:, :, 1], deep >> 8)
    with pytest.raises(UsageError, match="bit depth of 7"):
        decode_image(content, "photo", bit_depth=7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_agrees_with_pillow(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo"
    path.write_bytes(encode(photograph(), kind, exif=exif))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_of_sixteen_bit_colour(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    eight = photograph()
    chunk = exif.tobytes()[6:]
    deep = encode_with_opencv(".png", eight[:, :, ::-1].astype(np.uint16) * 16)
    deep = deep[:33] + png_chunk(b"eXIf", chunk) + deep[33:]
    expected = decode_image(encode(eight, "PNG", exif=exif), "8 bits")
    np.testing.assert_array_equal(decode_image(deep, "12 bits", bit_depth=12), expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_transparency_is_laid_over_black(seed: int) -> None:
    rgba = np.random.default_rng(seed).integers(0, 256, (12, 10, 4), dtype=np.uint8)
    layers = Image.new("RGBA", (10, 12), "black"), Image.fromarray(rgba)
    expected = np.asarray(Image.alpha_composite(*layers).convert("RGB")).astype(int)
    assert np.abs(decode_image(encode(rgba, "PNG"), "photo") - expected).max() <= 1
    deep = decode_image(encode_with_opencv(".png", rgba[:, :, [2, 1, 0, 3]].astype(np.uint16) * 257), "photo")
    assert np.abs(deep - expected).max() <= 1


@pytest.mark.parametrize(("alpha", "factor"), [(0, 1), (255, 1)])
def test_unset_and_full_alpha_leave_the_colours_alone(alpha: int, factor: int) -> None:
    rgba = np.dstack([photograph(), np.full((64, 96), alpha, np.uint8)])
    np.testing.assert_array_equal(decode_image(encode(rgba, "PNG"), "photo"), photograph() * factor)


def test_masks_count_any_value_above_zero(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).random((30, 40)) > 0.7
    colour = np.zeros((30, 40, 3), np.uint8)
    colour[truth, 2] = 1
    painted = np.dstack([np.full((30, 40, 3), 200, np.uint8), truth.astype(np.uint8) * 255])
    files = {
        "grey": encode(truth.astype(np.uint8) * 255, "PNG"),
        "one": encode(truth.astype(np.uint8), "PNG"),
        "one of 65535": encode(truth.astype(np.uint16), "PNG"),
        "one of 65535 in colour": encode_with_opencv(".png", colour.astype(np.uint16)),
        "one bit": encode(Image.fromarray(truth), "TIFF"),
        "bitmap": encode(truth.astype(np.uint8) * 255, "BMP"),
        "blue": encode(colour, "PNG"),
        "painted on nothing": encode(painted, "PNG"),
        "palette": encode(Image.fromarray(truth.astype(np.uint8) * 255).convert("P"), "PNG"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        mask = read_mask(tmp_path / name)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, truth, err_msg=name)


@settings(max_examples=220, deadline=None)
@given(
    kind=st.sampled_from(
        ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "TIFF16", "PNG16", "GIF", "JPEG2000", "PPM", "AVIF"]
    ),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    keep=st.floats(0, 1),
)
def test_damage_never_raises_anything_but_an_image_error(
    kind: str, changes: list[tuple[float, int]], keep: float
) -> None:
    assume(kind != "AVIF" or features.check("avif"))
    rgb = photograph()[:32, :32]
    deep = {"TIFF16": ".tif", "PNG16": ".png"}
    content = bytearray(
        encode_with_opencv(deep[kind], rgb.astype(np.uint16) * 99) if kind in deep else encode(rgb, kind)
    )
    for where, value in changes:
        content[min(int(where * where * len(content)), len(content) - 1)] = value
    content = content[: int(len(content) * keep) + 1] if not changes else content
    limits = DecodeLimits(max_pixels=1_000_000)
    try:
        image = decode_image(bytes(content), "photo", limits)
    except ImageError as error:
        assert error.kind in IMAGE_PROBLEM_KINDS
    else:
        assert image.dtype == np.uint8 and image.shape[2] == 3 and image.size <= 3_000_000


def test_bombs_are_refused_without_time_or_memory(tmp_path: Path) -> None:
    huge, bomb = png_with_header(60_000, 60_000, 16, 6), text_bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    for content in (huge, bomb):
        with pytest.raises(ImageError) as caught:
            decode_image(content, "bomb.png")
        assert caught.value.kind == "too-large"
    assert time.process_time() - start < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_limits_decide_and_are_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(photograph(), "TIFF", compression="tiff_lzw")
    for limits, kind in (
        (DecodeLimits(max_bytes=len(content) - 1), "too-large"),
        (DecodeLimits(max_pixels=64 * 96 - 1), "too-large"),
        (DecodeLimits(min_side=65), "too-small"),
    ):
        with pytest.raises(ImageError) as caught:
            decode_image(content, "photo", limits)
        assert caught.value.kind == kind
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own limit neither warns nor refuses
    exact = DecodeLimits(max_bytes=len(content), max_pixels=64 * 96, min_side=64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode_image(content, "photo", exact), photograph())
    assert Image.MAX_IMAGE_PIXELS == 10


def test_decoding_in_threads_gives_the_same_and_leaves_no_trace() -> None:
    contents = [encode(photograph(seed), kind) for seed in range(12) for kind in ("PNG", "TIFF")]
    expected = [decode_image(content, "photo") for content in contents]
    filters, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda content: decode_image(content, "photo"), contents * 4))
    for image, reference in zip(found, expected * 4, strict=True):
        np.testing.assert_array_equal(image, reference)
    assert list(warnings.filters) == filters and limit == Image.MAX_IMAGE_PIXELS


def test_a_phone_photograph_with_a_preview_inside_is_one_image() -> None:
    picture = Image.fromarray(photograph())
    content = encode(picture, "MPO", save_all=True, append_images=[picture.resize((24, 16))])
    assert decode_image(content, "phone.jpg").shape == (64, 96, 3)


def test_folders_are_listed_sorted_once_and_without_hidden_files(tmp_path: Path) -> None:
    for name in (
        "b/2.PNG",
        "b/1.jpeg",
        "a.tiff",
        "c.webp",
        "notes.txt",
        ".hidden.png",
        ".git/x.png",
        "b/deep/3.bmp",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b/loop").symlink_to(tmp_path)
    (tmp_path / "folder.png").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert names == ["a.tiff", "b/1.jpeg", "b/2.PNG", "b/deep/3.bmp", "c.webp", "folder.png"]
    assert [path.name for path in list_images(tmp_path, recursive=False)] == [
        "a.tiff",
        "c.webp",
        "folder.png",
    ]
    with pytest.raises(UsageError, match="nowhere"):
        list_images(tmp_path / "nowhere")


def test_digests_tell_pixels_and_shapes_apart() -> None:
    image = photograph()
    assert pixel_digest(image) == pixel_digest(image[:, ::-1][:, ::-1])
    assert pixel_digest(image) != pixel_digest(image.reshape(96, 64, 3))
    changed = image.copy()
    changed[5, 5, 1] ^= 1
    assert pixel_digest(image) != pixel_digest(changed)


@pytest.mark.real
def test_real_photographs_agree_with_opencv(real_data: Path) -> None:
    for path in (
        *sorted(real_data.glob("screw/train/good/*"))[:3],
        *sorted(real_data.glob("metal_plate/test/*/*"))[:3],
    ):
        np.testing.assert_array_equal(read_image(path), cv2.imread(str(path))[:, :, ::-1])
