"""Defects among the good photographs: not in the bank, named, and left out only where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.memory.suspicious import FEWEST, support_distances, trusted_bank

SIDE, COUNT = 96, 24


def surface(seed: int, marked: bool = False) -> npt.NDArray[np.uint8]:
    """A part under a fixed camera: the same drawing, with noise of its own; a scratch where it is marked."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), 120, np.uint8)
    cv2.rectangle(picture, (16, 16), (80, 80), (180, 170, 160), -1)
    cv2.circle(picture, (48, 48), 18, (90, 100, 110), -1)
    if marked:
        x = int(rng.integers(24, 60))
        cv2.line(picture, (x, 26), (x + 10, 40), (0, 0, 130), 6)
    noise = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE, 3)), (0, 0), 1.0) * 12
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def write(folder: Path, marked: int) -> Path:
    folder.mkdir()
    for number in range(COUNT):
        shown = surface(number, number < marked)
        cv2.imwrite(str(folder / f"{'marked' if number < marked else 'good'}{number:02d}.png"), shown)
    return folder


def small(**parameters: Any) -> PatchCore:
    return PatchCore(size=SIDE, coreset_size=400, context=0, copies="none", **parameters)


@given(st.integers(0, 99), st.integers(2, 5))
def test_support_is_the_distance_to_the_nearest_of_another_part(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    pool, of = rng.normal(size=(30, 6)).astype(np.float32), rng.integers(0, parts, 30)
    distances = np.linalg.norm(pool[:, None].astype(np.float64) - pool[None], axis=2)
    distances[of[:, None] == of[None]] = np.inf
    found = support_distances(
        torch.from_numpy(pool), torch.from_numpy(of), torch.from_numpy(pool), torch.from_numpy(of)
    )
    assert found.numpy() == pytest.approx(distances.min(axis=1), abs=1e-3)


def suspects(rows: torch.Tensor, owners: torch.Tensor, parts: torch.Tensor | None = None) -> set[int]:
    """Photographs that are suspected where the bank is to be all of the pool."""
    bank = trusted_bank(
        rows, owners, owners if parts is None else parts, lambda some: torch.arange(len(some)), 0
    )
    left_out = set(range(len(rows))) - set(bank.rows.tolist())
    assert {int(owners[row]) for row in left_out} == bank.photographs.keys()
    return set(bank.photographs)


def even(seed: int = 0) -> torch.Tensor:
    return torch.rand(160, 4, generator=torch.Generator().manual_seed(seed))


def test_few_photographs_tell_nothing_and_equal_ones_are_not_suspicious() -> None:
    rows, owners = even(), torch.arange(160) % FEWEST
    rows[0] += 50
    assert suspects(rows, owners) == {0}
    assert not suspects(rows, owners % (FEWEST - 1))
    assert not suspects(torch.ones_like(rows), owners)


def test_a_photograph_is_not_vouched_for_by_others_of_its_part() -> None:
    rows, owners = even(), torch.arange(160) // 5
    rows[0] += 50
    rows[5] = rows[0] + 0.01  # the same mark on the other photograph of the part
    assert not {0, 1} & suspects(rows, owners)
    assert {0, 1} <= suspects(rows, owners, owners // 2)


def test_a_copy_that_stands_alone_makes_nobody_suspicious_and_one_of_a_defect_goes_with_it() -> None:
    rows, owners = torch.cat([even(), even(1)]), (torch.arange(320) % 160) // 5
    rows[170] += 50  # a relit copy of the third photograph
    rows[0] += 90
    rows[160] += 90  # the same mark on a copy of the first one
    bank = trusted_bank(rows, owners, owners, lambda some: torch.arange(len(some)), 0, own=160)
    assert 0 in bank.photographs and 2 not in bank.photographs
    assert not bank.trusted[[0, 160]].any() and bank.trusted[170]


@given(st.integers(0, 50))
def test_at_most_a_fifth_of_the_photographs_is_suspected(seed: int) -> None:
    rows, owners = even(seed), torch.arange(160) // 5
    strange = np.random.default_rng(seed).permutation(32)[:12].tolist()
    for number, owner in enumerate(strange):
        rows[5 * owner] += 50 * (number + 1)
    found = suspects(rows, owners)
    assert len(found) <= 0.2 * 32
    assert found <= set(strange)


def test_clean_photographs_have_the_bank_that_they_always_had(tmp_path: Path) -> None:
    root = write(tmp_path / "clean", 0)
    robust, plain = small().fit(root), small(robust=False).fit(root)
    assert not robust.suspicious()
    assert torch.equal(robust.memory_bank_, plain.memory_bank_)


def test_a_defect_among_the_good_ones_does_not_hide_its_like(tmp_path: Path) -> None:
    root = write(tmp_path / "two", 2)
    robust, plain = small().fit(root), small(robust=False).fit(root)
    assert {path.name for path in robust.suspicious()} == {"marked00.png", "marked01.png"}
    unseen = [surface(seed, True) for seed in range(100, 106)]
    good = max(one.score for one in robust.predict([surface(seed) for seed in range(200, 206)]))
    gained = [
        one.score - other.score
        for one, other in zip(robust.predict(unseen), plain.predict(unseen), strict=True)
    ]
    assert min(gained) >= 0 and np.mean(gained) > 0
    assert min(one.score for one in robust.predict(unseen)) > good


def test_fit_names_them_and_leaves_them_out_only_when_told(
    tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    root = write(tmp_path / "parts", 2)
    common = ["--detector", "patchcore", "--set", f"size={SIDE}", "--set", "coreset_size=400"]
    common += ["--set", "copies=none", "--json"]

    def fit(*more: str) -> Any:
        done = blemish("fit", root, "--out", tmp_path / "part.blemish", *common, *more)
        return json.loads(done.stdout), done.stderr

    document, said = fit("--report", str(tmp_path / "report.html"))
    assert {Path(one["path"]).name for one in document["outliers"]} == {"marked00.png", "marked01.png"}
    assert document["n_train"] == COUNT and document["left_out"] == []
    assert document["threshold_without_outliers"] < document["threshold"]
    assert "marked00.png" in said and "--leave-out-suspicious" in said
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.index("Enlarge marked") < page.index("The most unusual of the others")
    without, said = fit("--leave-out-suspicious")
    assert {Path(one["path"]).name for one in without["left_out"]} == {"marked00.png", "marked01.png"}
    assert (without["n_train"], without["n_scores"]) == (COUNT - 2, COUNT - 2)
    assert without["threshold"] < document["threshold"]
    assert "Left out as suspicious, 2 of the good photographs" in said


def test_what_is_left_out_takes_its_part_with_it(tmp_path: Path, blemish: Callable[..., Any]) -> None:
    root = write(tmp_path / "parts", 1)
    # Two photographs of each part, a mark on the first of all.
    for number, path in enumerate(sorted(root.iterdir(), key=lambda one: one.name[-6:])):
        path.rename(root / f"part{number // 2:02d}-{number % 2}.png")
    options = ["--detector", "patchcore", "--set", f"size={SIDE}", "--set", "coreset_size=400"]
    options += ["--set", "copies=none", "--json", "--out", tmp_path / "part.blemish"]

    def fit(*more: str) -> Any:
        done = blemish("fit", root, *options, "--group-by", r"^(part\d+)", *more)
        return json.loads(done.stdout), done.stderr

    document, said = fit()
    assert [Path(one["path"]).name for one in document["outliers"]] == ["part00-0.png"]
    assert "Without it and 1 other photograph of its part the threshold would be" in said
    without, _ = fit("--leave-out-suspicious")
    assert {Path(one["path"]).name for one in without["left_out"]} == {"part00-0.png", "part00-1.png"}
    assert (without["n_train"], without["n_scores"]) == (COUNT - 2, COUNT - 2)
    assert without["threshold"] < document["threshold"]
