"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from blemish.core.errors import BlemishError
from blemish.core.progress import task, track, use_reporter
from blemish.core.storage import atomic_file, file_digest, write_json, write_text


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as stream:
        stream.write(b"half of the new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_digests_are_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_numbers_that_json_lacks_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlemishError, match="cannot be written"):
        write_text(tmp_path / "file" / "inside.txt", "x")


def test_progress_is_reported_step_by_step_and_silent_by_default() -> None:
    from collections.abc import Iterator
    from contextlib import contextmanager

    steps: list[tuple[str, float | None, float]] = []

    class Recorder:
        @contextmanager
        def task(self, description: str, total: float | None, unit: str) -> Iterator[object]:
            yield lambda step: steps.append((description, total, step))

    with use_reporter(Recorder()):  # type: ignore[arg-type]
        assert list(track([1, 2, 3], "Counting")) == [1, 2, 3]
    assert steps == [("Counting", 3, 1)] * 3
    with task("Silent") as advance:
        advance(1)
    assert len(steps) == 3
