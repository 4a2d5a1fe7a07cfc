"""SuperSimpleNet: its heads, its losses against direct numpy, Perlin noise, and what labels bring."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import CatalogError
from blemish.data.catalog import open_catalog
from blemish.data.perlin import perlin_mask, perlin_noise
from blemish.data.splits import supervised_split
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.supersimplenet import SuperSimpleNetObjective
from blemish.detectors.supervised.supersimplenet_network import (
    JoinedFeatures,
    SuperSimpleHeads,
    focal,
    truncated_l1,
)
from blemish.detectors.trained import Prepared
from blemish.detectors.training.photographs import TrainingPhotographs

TINY = {
    "size": 64,
    "epochs": 2,
    "examples_per_epoch": 16,
    "hidden": 16,
    "channels": 8,
    "precision": "float32",
}


def test_shapes_and_parameters_are_as_documented() -> None:
    heads = SuperSimpleHeads(152, 256, 64, 3)
    scores, logits = heads(heads.adaptor(torch.rand(2, 152, 32, 32)))
    assert scores.shape == (2,) and logits.shape == (2, 1, 32, 32)
    count = sum(parameter.numel() for parameter in heads.parameters())
    assert f"{count:,} parameters" in SuperSimpleHeads.__doc__


def test_joined_features_are_standardised_on_the_finer_grid() -> None:
    maps = [2 + 3 * torch.randn(8, 4, 16, 16), torch.randn(8, 6, 8, 8)]
    raw = JoinedFeatures(torch.zeros(1), torch.ones(1), 2)(maps)
    assert raw.shape == (8, 10, 32, 32)
    mean, deviation = raw.mean((0, 2, 3)), raw.std((0, 2, 3))
    joined = JoinedFeatures(mean, deviation, 2)(maps)
    assert torch.allclose(joined.mean((0, 2, 3)), torch.zeros(10), atol=1e-4)
    assert torch.allclose(joined.std((0, 2, 3)), torch.ones(10), atol=1e-3)


def test_the_losses_against_direct_numpy() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((3, 1, 4, 4))
    masks, known = rng.random(logits.shape) > 0.6, rng.random(logits.shape) > 0.3
    tensors = [torch.tensor(one.astype(float)) for one in (logits, masks, known)]
    below = np.maximum(0, logits[~masks & known] + 0.5).mean()
    above = np.maximum(0, 0.5 - logits[masks & known]).mean()
    assert float(truncated_l1(*tensors)) == pytest.approx(below + above)
    probability = 1 / (1 + np.exp(-logits))
    right = np.where(masks, probability, 1 - probability)
    assert float(focal(*tensors)) == pytest.approx((-((1 - right) ** 2) * np.log(right))[known].mean())


def test_the_score_does_not_change_the_map() -> None:
    heads = SuperSimpleHeads(6, 8, 4, 3)
    scores, _ = heads(torch.randn(2, 6, 8, 8))
    scores.sum().backward()
    assert all(parameter.grad is None for parameter in heads.segmentation.parameters())


def test_noise_lies_where_it_is_told_and_unknown_places_do_not_count() -> None:
    torch.manual_seed(0)
    heads = SuperSimpleHeads(6, 8, 4, 3).eval()
    objective = SuperSimpleNetObjective(
        JoinedFeatures(torch.zeros(6), torch.ones(6), 1), heads, (8,), 5.0
    ).eval()
    batch = {
        "tap8": torch.randn(2, 6, 8, 8),
        "mask": torch.zeros(2, 1, 8, 8),
        "known": torch.ones(2, 1, 8, 8),
        "defective": torch.zeros(2),
        "noisy": torch.zeros(2, 1, 8, 8),
    }
    adapted = heads.adaptor(objective.joined([batch["tap8"]]))
    scores, logits = heads(adapted)
    clean, ones = torch.zeros_like(logits), torch.ones_like(logits)
    direct = truncated_l1(logits, clean, ones) + focal(logits, clean, ones)
    direct = direct + focal(scores, torch.zeros(2), torch.ones(2))
    assert float(objective.loss(batch)) == pytest.approx(float(direct), rel=1e-5)
    unknown = {**batch, "known": torch.zeros(2, 1, 8, 8)}
    assert float(objective.loss(unknown)) == pytest.approx(
        float(focal(scores, torch.zeros(2), torch.ones(2))), rel=1e-5
    )
    noisy = {**batch, "noisy": (torch.rand(2, 1, 8, 8) > 0.5).float()}
    assert abs(float(objective.loss(noisy)) - float(direct)) > 0.1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.sampled_from((1, 2, 4)), columns=st.sampled_from((1, 2, 8)))
def test_perlin_noise_against_a_loop(seed: int, rows: int, columns: int) -> None:
    noise = perlin_noise((16, 24), (rows, columns), np.random.default_rng(seed))
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (rows + 1, columns + 1))
    for y, x in np.random.default_rng(seed + 1).integers((0, 0), (16, 24), (12, 2)):
        v, u = (y + 0.5) * rows / 16, (x + 0.5) * columns / 24
        total = 0.0
        for j in (int(v), int(v) + 1):
            for i in (int(u), int(u) + 1):
                a, b = abs(v - j), abs(u - i)
                fade = [1 - (6 * t**5 - 15 * t**4 + 10 * t**3) for t in (a, b)]
                slope = np.cos(angles[j, i]) * (u - i) + np.sin(angles[j, i]) * (v - j)
                total += fade[0] * fade[1] * slope
        assert noise[y, x] == pytest.approx(np.sqrt(2) * total, abs=1e-5)
    assert abs(noise).max() <= 1


def test_perlin_areas_vary() -> None:
    areas = [perlin_mask((32, 32), np.random.default_rng(seed)).mean() for seed in range(50)]
    assert 0.15 < np.mean(areas) < 0.45 and np.std(areas) > 0.05


def test_good_photographs_suffice_and_labels_are_used_when_asked_for(washers: Path) -> None:
    catalog = open_catalog(washers)
    split = supervised_split(catalog)
    alone = create_detector("supersimplenet", **TINY)
    assert not alone.learns_from_defects()
    alone.fit(catalog)
    with pytest.raises(CatalogError, match="learns from good parts only"):
        create_detector("supersimplenet", **TINY).fit(split)
    labelled = create_detector("supersimplenet", **TINY, supervised=True)
    assert labelled.learns_from_defects()
    unmasked = dataclasses.replace(split, table=split.table.assign(mask=None))
    path = [Path(split.test()["path"].iloc[0])]
    scores = {next(create_detector("supersimplenet", **TINY, supervised=True).fit(one).predict(path)).score
              for one in (split, unmasked)}  # fmt: skip
    assert len(scores) == 2, "masks are used where there are some"


def test_the_paper_preset_is_as_in_the_paper() -> None:
    detector = create_detector("supersimplenet", "paper", size=64, weights="random", precision="float32")
    assert detector.extractor().shapes == [(512, 8, 8), (1024, 4, 4)]
    prepared = Prepared(TrainingPhotographs([], []), [(torch.zeros(1536), torch.ones(1536))])
    head = detector.trained_head(detector.make_objective(prepared), prepared)
    score, anomaly_map = head.eval()([torch.zeros(1, 512, 8, 8), torch.zeros(1, 1024, 4, 4)])
    assert score.shape == (1,) and anomaly_map.shape == (64, 64)
    assert head.heads.segmentation[0][0].weight.shape == (1024, 1536, 1, 1)
    assert head.rows.shape == (64, 16), "twice as fine as the finest tap"
