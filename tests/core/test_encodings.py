"""One photograph in every file that can hold it gives the same pixels, whichever way its samples lie."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from broken_files import encode
from encodings_written import (
    ALPHA,
    GREY,
    INFRARED,
    LAID_OVER_BLACK,
    RGB,
    ROUNDING,
    Picture,
    exif,
    expected,
    ordinary,
    rarer,
    stored,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import TiffImagePlugin
from tiff_writer import Arrangement, write_tiff

from blemish.core.errors import ImageError
from blemish.core.images import bits_per_sample, decode_image, stored_channels, upright_size

ORDINARY, RARER = ordinary(), rarer()


def assert_read(content: bytes, wanted: Picture, what: object, tolerance: float = ROUNDING) -> None:
    pixels = decode_image(content, str(what))
    assert pixels.shape == wanted.shape, what
    assert np.abs(pixels - wanted).max() <= tolerance, (what, np.abs(pixels - wanted).max())


def test_sixty_encodings_that_were_read_rightly_stay_right() -> None:
    assert len(ORDINARY) >= 60
    for name, file in ORDINARY.items():
        assert_read(file.content, file.wanted, name, file.tolerance)


@pytest.mark.parametrize("name", RARER)
def test_rarer_files_show_the_same_photograph(name: str) -> None:
    assert_read(RARER[name].content, RARER[name].wanted, name, RARER[name].tolerance)


def test_headers_agree_with_what_is_decoded(tmp_path: Path) -> None:
    for name, file in (ORDINARY | RARER).items():
        path = tmp_path / "part"
        path.write_bytes(file.content)
        height, width = decode_image(file.content, name).shape[:2]
        assert upright_size(path) == (width, height), name
        assert bits_per_sample(file.content, name) == file.bits, name
        assert stored_channels(file.content, name) == file.channels, name


# The kinds of TIFF: photometric interpretation, extra samples, what is stored, what is seen.
INKS = np.dstack([1 - RGB / RGB.max(axis=2, keepdims=True).clip(1e-9), 1 - RGB.max(axis=2)])
TIFF_KINDS: dict[str, tuple[int, tuple[int, ...], Picture, Picture]] = {
    "grey": (1, (), GREY[:, :, None], GREY),
    "white is zero": (0, (), 1 - GREY[:, :, None], GREY),
    "rgb": (2, (), RGB, RGB),
    "rgb and infrared": (2, (0,), np.dstack([RGB, INFRARED]), RGB),
    "rgb and two bands": (2, (0, 0), np.dstack([RGB, INFRARED, GREY]), RGB),
    "alpha": (2, (2,), np.dstack([RGB, ALPHA]), LAID_OVER_BLACK),
    "alpha unsaid": (2, (), np.dstack([RGB, ALPHA]), LAID_OVER_BLACK),
    "alpha behind infrared": (2, (0, 2), np.dstack([RGB, INFRARED, ALPHA]), LAID_OVER_BLACK),
    "premultiplied": (2, (1,), np.dstack([LAID_OVER_BLACK, ALPHA]), LAID_OVER_BLACK),
    "grey and alpha": (1, (2,), np.dstack([GREY, ALPHA]), GREY * ALPHA),
    "grey and premultiplied": (1, (1,), np.dstack([GREY * ALPHA, ALPHA]), GREY * ALPHA),
    "white is zero, and alpha": (0, (2,), np.dstack([1 - GREY, ALPHA]), GREY * ALPHA),
    "cmyk": (5, (), INKS, RGB),
}


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(TIFF_KINDS)),
    bits=st.sampled_from([1, 2, 4, 6, 8, 8, 10, 12, 14, 16, 16, 16]),
    flags=st.tuples(*[st.booleans()] * 6),
    order=st.sampled_from("<>"),
    orientation=st.integers(1, 8),
)
def test_tiff_files_of_any_arrangement(
    kind: str, bits: int, flags: tuple[bool, ...], order: str, orientation: int
) -> None:
    photometric, extra, values, seen = TIFF_KINDS[kind]
    planar, compressed, predictor, tiled, reversed_bits, big = flags
    predictor = predictor and compressed and bits in (8, 16)
    how = Arrangement(
        bits, photometric, extra, planar, compressed, predictor, tiled, order, reversed_bits, big, orientation
    )
    content = write_tiff(stored(values, bits), how)
    step = 255 / (2**bits - 1)
    tolerance = 1.001 + (1.5 if len(extra) or kind in ("alpha unsaid", "cmyk") else 0.5) * step
    assert_read(content, expected(seen, orientation), how, tolerance)
    assert bits_per_sample(content, "x") == bits
    assert stored_channels(content, "x") == values.shape[2]


@pytest.mark.parametrize("kind", TIFF_KINDS)
def test_tiff_files_as_tifffile_writes_them(kind: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    photometric, extra, values, seen = TIFF_KINDS[kind]
    ways = itertools.product(
        (8, 16), (False, True), (None, "zlib"), (False, True), (None, (16, 32)), "<>", (1, 6)
    )
    for bits, planar, compression, predictor, tile, order, orientation in ways:
        samples = stored(values, bits)
        if samples.shape[2] == 1:
            samples, planar = samples[:, :, 0], False
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            np.ascontiguousarray(samples.transpose(2, 0, 1) if planar else samples),
            photometric=photometric,
            planarconfig="separate" if planar else "contig" if samples.ndim == 3 else None,
            extrasamples=extra or None,
            compression=compression,
            predictor=predictor if compression else None,
            tile=tile,
            byteorder=order,
            rowsperstrip=None if tile else 8,
            metadata=None,
            extratags=[(274, 3, 1, orientation, True)],
        )
        wanted = expected(seen, orientation)
        assert_read(file.getvalue(), wanted, (kind, bits, planar, compression, tile, order))


def test_a_turned_tiff_of_jpeg_strips_is_turned_once() -> None:
    for orientation in range(1, 9):
        content = encode(stored(GREY, 8), "TIFF", compression="jpeg", quality=100, exif=exif(orientation))
        assert_read(content, expected(GREY, orientation), orientation, 5)


def test_where_no_tag_says_it_xmp_turns_a_tiff() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[700], tags[700] = 7, xmp
    assert_read(encode(stored(RGB, 8), "TIFF", tiffinfo=tags), expected(RGB, 6), "xmp")


@pytest.mark.parametrize(
    ("samples", "how", "said"),
    [
        (np.dstack([GREY] * 3), Arrangement(8, 1, (0, 0)), "3 bands of which none is said to be a colour"),
        (np.dstack([GREY] * 9), Arrangement(8, 2, (0,) * 6), "9 channels"),
        (GREY[:, :, None], Arrangement(8, 2), "fewer channels than a colour has"),
        (RGB, Arrangement(16, 8), "16 bits in an unusual arrangement"),
        (GREY[:, :, None], Arrangement(8, 32803), "photometric interpretation 32803"),
    ],
)
def test_samples_of_unclear_meaning_are_refused_in_a_sentence(
    samples: Picture, how: Arrangement, said: str
) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(write_tiff(stored(samples, how.bits), how), "part.tif")
    assert caught.value.kind == "unsupported" and said in caught.value.detail


@pytest.mark.parametrize("kind", ["int8", "int16", "uint32", "int32", "float16", "float32", "float64"])
def test_samples_of_other_types_are_refused_by_name(kind: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, (GREY * 100).astype(kind))
    with pytest.raises(ImageError) as caught:
        decode_image(file.getvalue(), "part.tif")
    assert caught.value.kind == "unsupported" and kind.strip("uinfloat") + "-bit" in caught.value.detail
