"""Fit says when parts judge themselves, what to type, and what it then promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

SIDE, PARTS, VIEWS = 64, 9, 3


def photograph(folder: Path, part: int, view: int) -> None:
    grain = cv2.GaussianBlur(np.random.default_rng(part).normal(size=(SIDE, SIDE)), (0, 0), 2.0) * 120
    noise = np.random.default_rng((part, view)).normal(size=(SIDE, SIDE))
    picture = np.clip((grain + 128 + noise) * (0.8 + 0.05 * view), 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / f"shot{view}_{part * 900 + 12 * view + part}.png"), picture)


def test_the_option_is_said_and_with_it_parts_are_counted(
    tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(PARTS):
        for view in range(VIEWS):
            photograph(folder, part, view)

    def fit(*more: str) -> tuple[dict[str, Any], str]:
        options = ["--detector", "knn", "--size", str(SIDE), "--json", *more]
        done = blemish("fit", folder, "--out", tmp_path / "part.blemish", *options)
        return json.loads(done.stdout), done.stderr

    alone, said = fit()
    assert "--group-by number:20 puts 100% of them together, in 9 groups of 27 photographs" in said
    assert alone["near_copies"]["group_by"] == "number:20"
    assert 0 < alone["near_copies"]["apart"] <= alone["near_copies"]["pairs"]
    grouped, said = fit("--group-by", "number:20")
    assert "--group-by" not in said and grouped["near_copies"] is None
    assert alone["decision"]["expected"] == pytest.approx(1 / (PARTS * VIEWS + 1))
    assert grouped["decision"]["expected"] == pytest.approx(1 / (PARTS + 1))
    assert grouped["threshold"] > alone["threshold"]
