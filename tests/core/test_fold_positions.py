"""Folds and what is held out: complete, disjoint, nearly equal, and groups never torn apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.core.folds import fold_positions, held_out_positions

grouped = st.lists(st.integers(0, 9), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1)


@given(grouped, st.integers(2, 6), st.integers(0, 5))
def test_a_group_is_in_one_fold_and_every_image_in_one(groups: list[int], folds: int, seed: int) -> None:
    parts = fold_positions(len(groups), folds, seed, groups)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert len(parts) == min(folds, len(set(groups)))
    for group in set(groups):
        assert sum(any(groups[i] == group for i in part) for part in parts) == 1
    largest = max(groups.count(group) for group in set(groups))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= largest
    assert all((np.diff(part) > 0).all() for part in parts)


@given(grouped, st.floats(0.05, 0.9), st.integers(0, 5))
def test_whole_groups_are_held_out_and_never_all(groups: list[int], share: float, seed: int) -> None:
    held = held_out_positions(len(groups), share, seed, groups).tolist()
    inside = {groups[i] for i in held}
    assert held == [i for i, group in enumerate(groups) if group in inside]
    assert 0 < len(held) < len(groups)
    least = min(groups.count(group) for group in set(groups))
    assert len(held) <= max(round(share * len(groups)), least)


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 5))
def test_images_that_are_each_a_group_are_dealt_as_evenly_as_without(n: int, folds: int, seed: int) -> None:
    sizes = sorted(map(len, fold_positions(n, folds, seed, range(n))))
    assert sizes == sorted(map(len, fold_positions(n, folds, seed)))


def test_one_group_alone_is_refused() -> None:
    for refused in (lambda: fold_positions(3, 2, 0, "aaa"), lambda: held_out_positions(3, 0.3, 0, "aaa")):
        with pytest.raises(UsageError, match="All 3 good photographs are one group"):
            refused()
