"""`blemish distil`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blemish.detectors.distilled.distillation import read_teacher

QUICK = ("--size", 64, "--channels", 8, "--steps", 2, "--batch-size", 2)


def test_a_teacher_is_distilled_and_fitted_with(
    blemish: Callable[..., Any], washers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "teacher.safetensors"
    outcome = blemish("distil", washers / "train", "--out", out, *QUICK, "--json")
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert (document["images"], document["channels"], document["path"]) == (12, 8, str(out))
    assert document["loss"] > 0
    read_teacher(out, "tiny", 8)
    assert [path.name for path in tmp_path.iterdir()] == [out.name], "no checkpoint is left behind"
    settings = ("channels=8", "epochs=1", "examples_per_epoch=2", f"teacher={out}")
    fitted = blemish(
        *("fit", washers, "--detector", "efficientad", "--size", 64, "--out", tmp_path / "washer.blemish"),
        *(word for setting in settings for word in ("--set", setting)),
        "--json",
    )
    assert fitted.status == 0, fitted.stderr
    again = blemish("distil", washers / "train", "--out", tmp_path / "again.safetensors", *QUICK)
    assert again.status == 0 and "Next: blemish fit" in again.stdout
    assert (tmp_path / "again.safetensors").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{train}", "--out", "teacher.pt"), "does not end in .safetensors"),
        (("{train}/none", "--out", "teacher.safetensors"), "is no folder"),
        (("{empty}", "--out", "teacher.safetensors"), "no photograph"),
        (("{train}", "--out", "teacher.safetensors", "--size", "100"), "size=100"),
    ],
)
def test_what_cannot_be_done_is_refused(
    blemish: Callable[..., Any],
    washers: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"train": washers / "train", "empty": tmp_path / "empty"}
    outcome = blemish("distil", *(word.format(**places) for word in arguments))
    assert outcome.status == 2 and sentence in outcome.stderr
