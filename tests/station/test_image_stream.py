"""A stream of photographs, one after another, is taken apart where each ends, whatever pieces it comes in."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from source_runs import drawn, encoded, running

from blemish.station.sources.image_stream import ImageStream
from blemish.station.sources.settings import StandardInputSource
from blemish.station.sources.standard_input import StandardInput


def with_thumbnail() -> bytes:
    """A JPEG in whose EXIF lies another JPEG."""
    exif = Image.Exif()
    exif[0x927C] = encoded(9, ".jpg", 16)  # a maker's note
    out = BytesIO()
    Image.fromarray(drawn(8)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def with_restarts() -> bytes:
    """A progressive JPEG with restart markers."""
    out = BytesIO()
    Image.fromarray(drawn(7)).save(out, "JPEG", progressive=True, restart_marker_blocks=2)
    return out.getvalue()


FILES = [
    encoded(1),
    encoded(2, ".jpg"),
    encoded(3, ".png", 90),
    with_thumbnail(),
    with_restarts(),
    encoded(4, ".jpg", 91),
]


@given(
    st.lists(st.sampled_from(range(len(FILES))), min_size=1, max_size=6),
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.sampled_from([b"", b"\0", b"\r\n"]),
)
@settings(max_examples=60)
def test_what_goes_in_comes_out_whatever_the_pieces(
    chosen: list[int], sizes: list[int], between: bytes
) -> None:
    files = [FILES[one] for one in chosen]
    data = between.join(files) + between
    stream = ImageStream(10**6)
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += stream.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    stream.end()
    assert found == files and stream.refused == 0


def test_rubbish_between_photographs_costs_none_of_them() -> None:
    stream = ImageStream(10**6)
    data = b"a line of a program's log\n" + FILES[0] + b"another line of it\n" + FILES[1]
    assert list(stream.feed(data)) == FILES[:2]
    assert stream.refused == 2


def test_one_that_is_too_large_or_cut_is_counted_and_the_next_are_given() -> None:
    large, small = encoded(5, ".png", 300), encoded(6, ".png", 16)
    assert len(large) > 10_000 > len(small)
    stream = ImageStream(10_000)
    assert list(stream.feed(large + small)) == [small]
    assert stream.refused >= 1
    cut = ImageStream(10**6)
    assert list(cut.feed(small + large[:-100])) == [small]
    cut.end()
    assert cut.refused == 1


@given(st.binary(max_size=3000))
@settings(max_examples=100)
def test_any_bytes_are_taken(data: bytes) -> None:
    stream = ImageStream(1000)
    for piece in (data, b"\xff\xd8\xff" + data, b"\x89PNG\r\n\x1a\n" + data):
        list(stream.feed(piece))
    stream.end()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def given_by(descriptor: int, **more: object) -> StandardInput:
    return StandardInput(StandardInputSource.model_validate({"name": "pipe"} | more), descriptor)


def test_a_program_writes_photographs_into_standard_input(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    program = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    writer = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=writing)
    os.close(writing)
    with running(given_by(reading, metadata={"camera": "top"})) as run:
        writer.communicate(b"".join(FILES))
        run.wait_for(lambda: not run.thread.is_alive())
        assert [one.photograph.content for one in run.arrivals] == FILES
        assert {one.photograph.metadata.camera for one in run.arrivals} == {"top"}
        assert run.names[1].endswith(".jpg") and run.names[0].endswith(".png")
        assert not run.source.state().connected and run.source.state().trouble is None


def test_names_of_files_one_a_line(pipe: tuple[int, int], tmp_path: Path) -> None:
    reading, writing = pipe
    for number in range(3):
        (tmp_path / f"part {number}.png").write_bytes(FILES[number])
    lines = [*(str(tmp_path / f"part {number}.png") for number in range(3)), str(tmp_path / "none.png")]
    with running(given_by(reading)) as run:
        os.write(writing, "\r\n".join(lines).encode())
        run.wait_for(lambda: len(run.arrivals) == 3)
        os.close(writing)
        run.wait_for(lambda: not run.thread.is_alive())
        assert [one.photograph.content for one in run.arrivals] == FILES[:3]
        state = run.source.state()
        assert state.refused == 1 and "none.png" in str(state.trouble)


def test_a_silent_input_can_be_left(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with running(given_by(reading)) as run:
        run.wait_for(lambda: run.source.state().connected)
    assert not run.thread.is_alive() and threading.active_count() < 50
    os.close(writing)
