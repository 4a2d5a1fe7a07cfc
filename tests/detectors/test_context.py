"""What images like this one score is learnt from images of other parts alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blemish.detectors.memory.context import learn_context

COUNT, SIMILAR = 40, 5


@given(st.integers(0, 999), st.booleans())
def test_an_image_s_score_is_foretold_by_images_of_other_parts(seed: int, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    parts = np.concatenate([[0, 1], rng.integers(0, 6, COUNT - 2)]) if grouped else np.arange(COUNT)
    looks, scores = rng.normal(size=(COUNT, 3)), rng.uniform(1, 2, COUNT)
    learnt = learn_context(
        torch.from_numpy(looks),
        torch.from_numpy(scores),
        SIMILAR,
        torch.from_numpy(parts) if grouped else None,
    )
    scaled, usual = looks / looks.std(0, ddof=1), learnt.usual_scores.numpy()
    foretold = np.empty(COUNT)
    for row, part in enumerate(parts):
        others = np.flatnonzero(parts != part)
        apart = ((scaled[others] - scaled[row]) ** 2).sum(1)
        foretold[row] = usual[others[np.argsort(apart)[:SIMILAR]]].mean()
        offset = float(learnt.network(without=row)(torch.from_numpy(looks[row][None])))
        assert offset == pytest.approx(learnt.slope * (foretold[row] - usual[others].mean()), abs=1e-6)
    slope = np.polyfit(foretold, usual, 1)[0]
    assert learnt.slope == pytest.approx(np.clip(slope, 0, 1), abs=1e-4)


def test_where_nearly_all_are_of_one_part_the_few_others_foretell() -> None:
    looks, scores = torch.rand(20, 3, dtype=torch.float64), torch.rand(20, dtype=torch.float64)
    parts = torch.tensor([0] * 18 + [1, 1])
    learnt = learn_context(looks, scores, SIMILAR, parts)
    assert len(learnt.network(without=0).offsets) == 2
    assert torch.isfinite(learnt.network(without=0)(looks[:1])).all()
