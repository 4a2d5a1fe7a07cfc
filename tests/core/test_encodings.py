"""One photograph in every file that can hold it gives the same pixels, whichever way its samples lie."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from encodings_written import (
    ALPHA,
    GREY,
    INFRARED,
    LAID_OVER_BLACK,
    RGB,
    ROUNDING,
    Picture,
    expected,
    ordinary,
    rarer,
    stored,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tiff_writer import Arrangement, write_tiff

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
