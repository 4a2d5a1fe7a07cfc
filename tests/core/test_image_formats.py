"""Formats are told by content alone, limits hold before anything is decoded, and errors say the way out."""

from __future__ import annotations

import importlib.util
import io
import resource
import struct
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from broken_files import encode, encode_with_opencv, photograph, png_with_header
from encodings_written import RGB, Pixels, exif, expected, ordinary, rarer, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from blemish.core.errors import ImageError
from blemish.core.image_files import list_folder
from blemish.core.image_formats import FORMAT_SUFFIXES, IMAGE_SUFFIXES, has_wrong_suffix, image_format
from blemish.core.images import DecodeLimits, bits_per_sample, decode_image, read_image, upright_size

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
needs_heif = pytest.mark.skipif(
    importlib.util.find_spec("pillow_heif") is None, reason="pillow-heif is not installed"
)


def heic(pixels: Pixels, orientation: int) -> bytes:
    import pillow_heif

    image = pillow_heif.from_bytes("RGB", pixels.shape[1::-1], pixels.tobytes())
    image[0].info["exif"] = exif(orientation)  # which becomes a rotation of the container
    file = io.BytesIO()
    image.save(file, quality=-1, chroma=444)
    return file.getvalue()


def refusal(content: bytes, name: str = "part", limits: DecodeLimits | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_image(content, name, limits or DecodeLimits())
    return caught.value


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "part.avif"
    path.write_bytes(encode(stored(RGB, 8), "AVIF", quality=100, subsampling="4:4:4", exif=exif(orientation)))
    wanted = expected(RGB, orientation)
    pixels = read_image(path)
    assert upright_size(path) == pixels.shape[1::-1] == wanted.shape[1::-1]
    assert np.abs(pixels - wanted).max() < 8


@needs_heif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_turned_once(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "part.heic"
    path.write_bytes(heic(stored(RGB, 8), orientation))
    assert orientation == 1 or {b"irot", b"imir"} & {path.read_bytes()[at:][:4] for at in range(999)}
    wanted = expected(RGB, orientation)
    pixels = read_image(path)
    assert upright_size(path) == pixels.shape[1::-1] == wanted.shape[1::-1]
    assert np.abs(pixels - wanted).max() < 8


def test_heic_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # importing it fails
    error = refusal(b"\0\0\0\x18ftypheic" + bytes(400), "part.heic")
    assert error.kind == "unsupported"
    assert "pip install 'blemish[heif]'" in error.detail and "PNG" in error.detail


def test_sixty_four_bytes_tell_every_format() -> None:
    begins = {"PBM": "PNM", "PAM": "PNM", "DIB": "BMP", "OpenCV .png": "PNG", "OpenCV .tif": "TIFF"}
    begins |= {kind: kind for kind in FORMAT_SUFFIXES}
    for name, file in (ordinary() | rarer()).items():
        kind = next(kind for begin, kind in begins.items() if name.startswith(begin))
        if name.startswith("JPEG 2000"):
            kind = "JPEG 2000"
        assert image_format(file.content[:64]) == image_format(file.content) == kind, name


@pytest.mark.parametrize(
    "text",
    [
        "P5 is the name of a press.",
        "P1 12 men and 3 women",
        "P6\n640 by 480",
        "P7\nWe wrote:\n",
        "GIF89a is a format, and GIF87a is another",
        "GIF89a, the newer one",
        "BM is short for benchmark",
        "II*and so on",
        "(\0\0\0 a list",
        "ftypheic",
        "    ftypes of files: avif, heic",
        "P3\n",
        "RIFFRAFF WEBPAGE",
    ],
)
def test_text_is_no_image(text: str) -> None:
    content = (text + " And on it goes, as letters do.\n" * 9).encode()
    assert image_format(content[:64]) is None and image_format(content) is None
    assert refusal(content).kind == "not-an-image"


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from(["P1", "P2", "P3", "P4", "P5", "P6", "P7"]),
    text=st.text(max_size=90),
)
def test_words_behind_a_signature_never_make_an_image_of_a_letter(start: str, text: str) -> None:
    content = f"{start} {text} said the letter".encode()
    if image_format(content) is not None:  # three numbers are a header
        assert any(digit in text for digit in "0123456789#")


def test_sizes_are_refused_before_anything_is_reserved() -> None:
    codestream = bytearray(encode(photograph(), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", codestream, 8, 60_000, 60_000)
    file = bytearray(encode(photograph(), "JPEG2000"))
    struct.pack_into(">II", file, file.index(b"\xff\x4f\xff\x51") + 8, 60_000, 60_000)  # not in its boxes
    gif = encode(photograph()[:, :, 0], "GIF")
    frame = gif.index(b",", 13 + 3 * 256)
    huge = {
        "PGM": b"P5\n60000 60000\n255\n" + bytes(99),
        "PAM": b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 4\nMAXVAL 65535\nENDHDR\n" + bytes(99),
        "GIF": gif[:6] + struct.pack("<HH", 60_000, 60_000) + gif[10:],
        "GIF by its frame": gif[: frame + 5] + struct.pack("<HH", 60_000, 60_000) + gif[frame + 9 :],
        "JPEG 2000": bytes(codestream),
        "PNG": png_with_header(60_000, 60_000),
    }
    deep = encode_with_opencv(".png", photograph().astype(np.uint16))
    vast = deep[:-12] + struct.pack(">I", 2**32 - 99) + b"eXIf" + bytes(99) + deep[-12:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(ImageError):
        decode_image(vast, "vast.png")
    with pytest.raises(ImageError):
        bits_per_sample(huge["GIF by its frame"], "part")
    for name, content in huge.items():
        assert refusal(content, name).kind == "too-large", name
    assert refusal(bytes(file)).kind == "unreadable"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_limits_name_the_option_that_raises_them_where_there_is_one() -> None:
    content = encode(photograph(), "PNG")
    small = {"max_bytes": len(content) - 1}, {"max_pixels": 100}
    for limits in small:
        assert "raise" not in refusal(content, limits=DecodeLimits(**limits)).detail
    served = {"bytes_option": "--max-bytes", "pixels_option": "--max-pixels"}
    for limits, option in zip(small, served.values(), strict=True):
        assert (
            f"raise the limit with {option}."
            in refusal(content, limits=DecodeLimits(**limits, **served)).detail
        )


def test_want_of_memory_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    error = refusal(encode(photograph(), "BMP"))
    assert error.kind == "too-large" and "not enough memory" in error.detail


def test_images_of_several_pictures() -> None:
    pgm = encode(photograph()[:, :, 0], "PPM")
    assert refusal(pgm + pgm).kind == "animated"
    assert decode_image(pgm + b"\n", "part").shape == (64, 96, 3)
    frames = [Image.fromarray(photograph(seed)) for seed in range(3)]
    moving = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(
        decode_image(moving, "part"), decode_image(encode(frames[0], "GIF"), "part")
    )


@pytest.mark.parametrize(
    "name", ["part", "part.jpg.1", "part.JPG_original", "part.pjpeg", "part.old", "x.y/part"]
)
def test_a_missing_or_odd_suffix_says_no_other_format(name: str) -> None:
    assert not has_wrong_suffix(name, "JPEG")


@pytest.mark.parametrize(
    "name", ["part.png", "part.PNG", "part.png.1", "part.jxl", "part.heic", "part.jpg.gif"]
)
def test_a_suffix_of_another_format_is_wrong(name: str) -> None:
    assert has_wrong_suffix(name, "JPEG")


def test_every_suffix_means_one_format() -> None:
    assert sum(len(suffixes) for suffixes in FORMAT_SUFFIXES.values()) == len(IMAGE_SUFFIXES)
    for kind, suffixes in FORMAT_SUFFIXES.items():
        for suffix in suffixes:
            assert [other for other in FORMAT_SUFFIXES if not has_wrong_suffix(f"a{suffix}", other)] == [kind]


def test_a_folder_of_odd_names_lists_every_photograph(tmp_path: Path) -> None:
    for number, file in enumerate(rarer().values()):
        (tmp_path / f"part{number}").write_bytes(file.content)
    (tmp_path / "notes").write_bytes(b"P5 is the press.")
    listing = list_folder(tmp_path)
    assert len(listing.images) == len(rarer()) and [path.name for path in listing.others] == ["notes"]
