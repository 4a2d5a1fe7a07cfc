"""`blemish capture`: photographs to learn from, out of any source, each once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.core.images import read_image
from blemish.core.same_photograph import preview, same_picture


def drawn(seed: int, side: int = 64) -> Any:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Ten parts, three of them twice: as JPEG, smaller, and with noise."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), drawn(number, 128))
    cv2.imwrite(str(folder / "again-1.jpg"), drawn(1, 128), [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(
        str(folder / "again-2.png"), cv2.resize(drawn(2, 128), (80, 80), interpolation=cv2.INTER_AREA)
    )
    noise = np.random.default_rng(0).normal(0, 3, (128, 128, 3))
    cv2.imwrite(str(folder / "again-3.png"), np.clip(drawn(3, 128) + noise, 0, 255).astype(np.uint8))
    return folder


def test_a_folder_is_collected_once_and_goes_on(
    blemish: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = blemish("capture", photographs, "--out", out, "--count", 4, "--seconds", 20, "--json")
    assert first.status == 0 and first.document["kept"] == 4 and first.document["ended"] == "count"
    second = blemish("capture", photographs, "--out", out, "--seconds", 1.5, "--json").document
    assert second["kept"] == 6 and second["total"] == 10 and second["ended"] == "time"
    assert second["alike"] == 4 + 3
    kept = sorted(out.iterdir())
    assert len(kept) == 10, "and nothing else was left there"
    contents = {path.read_bytes() for path in photographs.iterdir()}
    assert all(path.read_bytes() in contents for path in kept), "photographs stay as they are"
    pictures = [preview(read_image(path)) for path in kept]
    assert not any(
        same_picture(one, other) for place, one in enumerate(pictures) for other in pictures[:place]
    )
    again = blemish("capture", photographs, "--out", out, "--count", 10, "--json").document
    assert again["kept"] == 0 and again["total"] == 10


def test_novelty_0_keeps_all_but_copies(
    blemish: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    (photographs / "copy.png").write_bytes((photographs / "1.png").read_bytes())
    result = blemish(
        "capture", photographs, "--out", tmp_path / "out", "--novelty", 0, "--seconds", 1.5, "--json"
    ).document
    assert result["kept"] == 13 and result["alike"] == 1


def test_a_video_with_stillness_gives_a_photograph_of_each_part(
    blemish: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "line.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96))
    for part in range(4):
        for place in [*range(0, 60, 10), *([60] * 12)]:
            frame = np.full((96, 128, 3), 80, np.uint8)
            frame[20:68, place : place + 48] = drawn(part, 48)
            video.write(frame)
    video.release()
    out = tmp_path / "out"
    result = blemish("capture", path, "--out", out, "--stillness", "--encoding", "jpeg", "--json")
    assert result.status == 0
    assert result.document["kept"] == 4 and result.document["ended"] == "source"
    for part, file in enumerate(sorted(out.glob("line-*.jpg"))):
        there = read_image(file)[20:68, 60:108].astype(int)
        assert np.abs(there - drawn(part, 48)[:, :, ::-1]).mean() < 12, file


def test_standard_input_and_ctrl_c(photographs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blemish", "capture", "-", "--out", str(tmp_path / "out"), "--json"]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdin is not None
    for number in range(5):
        run.stdin.write((photographs / f"{number}.png").read_bytes())
    run.stdin.flush()
    end = time.monotonic() + 30
    while len(list((tmp_path / "out").glob("*.png"))) < 5:
        assert time.monotonic() < end
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    stdout, _ = run.communicate(timeout=20)
    assert b'"ended": "interrupted"' in stdout and b'"kept": 5' in stdout
    assert run.returncode == 0


def test_what_cannot_be_read_is_told(blemish: Callable[..., Any], photographs: Path, tmp_path: Path) -> None:
    content = (photographs / "1.png").read_bytes()
    (photographs / "cut.png").write_bytes(content[: len(content) // 2])
    result = blemish("capture", photographs, "--out", tmp_path / "out", "--seconds", 6, "--json")
    assert result.status == 1
    assert "cut.png was not judged" in result.document["left_out"][0]["detail"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "is no folder and no video file"),
        (["{in}", "--every", "3"], "--every is for frames"),
        (["{in}", "--stillness"], "--stillness is for frames"),
        (["camera:0", "--every", "2", "--stillness"], "--every and --stillness do not go together"),
        (["camera:0", "--subfolders"], "--subfolders is for folders"),
        (["ftp://10.0.0.1/x"], "is no address of a camera"),
        (["{in}", "--password-env", "P"], "is for network cameras"),
        (["rtsp://10.0.0.1/x", "--password-env", "P"], "needs its user"),
        (["rtsp://u:secret@10.0.0.1/x", "--subfolders"], "--subfolders is for folders"),
        (["rtsp://u:secret@10.0.0.1:port/x"], "is no address of a camera"),
        (["{in}", "--out", "{in}"], "is the source itself"),
    ],
)
def test_what_means_nothing_is_refused(
    blemish: Callable[..., Any], photographs: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    given = [one.replace("{in}", str(photographs)) for one in arguments]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    result = blemish("capture", *given)
    assert result.status == 2 and sentence in result.stderr, result.stderr
    assert "secret" not in result.stderr


def test_a_folder_within_the_source_is_not_collected_from(
    blemish: Callable[..., Any], photographs: Path
) -> None:
    out = photographs / "kept"
    result = blemish(
        "capture", photographs, "--out", out, "--subfolders", "--seconds", 1.5, "--json"
    ).document
    assert result["kept"] == 10 and result["alike"] == 3
