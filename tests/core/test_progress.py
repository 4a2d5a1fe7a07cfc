"""Progress: silent unless someone listens, and then exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from blemish.core.progress import Advance, task, track, use_reporter


class Notes:
    """A reporter that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    @contextmanager
    def task(self, description: str, total: float | None, unit: str) -> Iterator[Advance]:
        self.lines.append(("begin", description, total, unit))
        try:
            yield lambda step, note="": self.lines.append(("step", step))
        finally:
            self.lines.append(("end", description))


def test_nobody_listening_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "Reading")) == [0, 1, 2]
    with task("Downloading", 10, "bytes") as advance:
        advance(3)
    assert capfd.readouterr() == ("", "")


def test_a_step_is_reported_after_its_item_is_done() -> None:
    notes = Notes()
    with use_reporter(notes):
        for item in track("ab", "Reading"):
            notes.lines.append(("item", item))
    assert notes.lines == [
        ("begin", "Reading", 2, "items"),
        ("item", "a"),
        ("step", 1),
        ("item", "b"),
        ("step", 1),
        ("end", "Reading"),
    ]


def test_the_total_is_the_length_the_one_given_or_unknown() -> None:
    notes = Notes()
    with use_reporter(notes):
        list(track([], "none"))
        list(track(iter([1, 2]), "unknown"))
        list(track(iter([1, 2]), "given", 2))
        with task("bytes", 5e9, "bytes") as advance:
            advance(0.5)
    assert [line[1:] for line in notes.lines if line[0] == "begin"] == [
        ("none", 0, "items"),
        ("unknown", None, "items"),
        ("given", 2, "items"),
        ("bytes", 5e9, "bytes"),
    ]
    assert ("step", 0.5) in notes.lines


def test_tasks_end_whatever_happens() -> None:
    notes = Notes()
    with pytest.raises(ValueError, match="broken"), use_reporter(notes), task("outer"), task("inner"):
        raise ValueError("broken")
    assert notes.lines[-2:] == [("end", "inner"), ("end", "outer")]
    left = track([1, 2], "left early")
    with use_reporter(notes):
        next(left)
        left.close()  # type: ignore[attr-defined]
    assert notes.lines[-1] == ("end", "left early")


def test_the_listener_of_before_comes_back() -> None:
    outer, inner = Notes(), Notes()
    with use_reporter(outer):
        with pytest.raises(KeyError), use_reporter(inner):
            list(track([1], "inner"))
            raise KeyError
        list(track([1], "outer"))
    list(track([1], "nobody"))
    assert [line[1] for line in inner.lines if line[0] == "begin"] == ["inner"]
    assert [line[1] for line in outer.lines if line[0] == "begin"] == ["outer"]
