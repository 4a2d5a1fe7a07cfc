"""FastFlow: a flow is undone exactly, its volume is autograd's, and training makes good features probable."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.density.fastflow import FastFlow
from blemish.detectors.density.fastflow_network import Flow
from blemish.detectors.registry import create_detector


def random_flow(channels: int, steps: int, kernels: tuple[int, ...], seed: int) -> Flow:
    """A flow whose weights are not those it begins with."""
    torch.manual_seed(seed)
    flow = Flow(torch.randn(channels), torch.rand(channels) + 0.5, steps, 1.5, kernels)
    for parameter in flow.parameters():
        parameter.data = 0.4 * torch.randn_like(parameter)
    return flow.double().requires_grad_(False)


@settings(max_examples=10, deadline=None)
@given(
    channels=st.integers(2, 5),
    steps=st.integers(1, 4),
    kernels=st.sampled_from([(3, 1), (1,), (3,)]),
    seed=st.integers(0, 99),
)
def test_a_flow_is_undone_and_its_volume_is_the_jacobians(
    channels: int, steps: int, kernels: tuple[int, ...], seed: int
) -> None:
    flow = random_flow(channels, steps, kernels, seed)
    maps = torch.randn(1, channels, 2, 3, dtype=torch.float64)
    noise, volume = flow.noise(maps)
    torch.testing.assert_close(flow.inverse(noise), maps)
    count = maps.numel()
    jacobian = torch.autograd.functional.jacobian(lambda given: flow.noise(given)[0], maps).reshape(
        count, count
    )
    # The flow's volume is of standardised maps: dividing by the deviations shrinks it first.
    shrunk = 6 * flow.deviation.log().sum()
    torch.testing.assert_close(volume.sum() - shrunk, torch.linalg.slogdet(jacobian).logabsdet)


def test_the_likelihood_is_the_noises_density_times_the_volume() -> None:
    flow = random_flow(4, 3, (3, 1), 0)
    maps = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    noise, volume = flow.noise(maps)
    density = torch.distributions.Normal(0.0, 1.0).log_prob(noise)
    expected = -(density.sum((1, 2, 3)) + volume.sum((1, 2, 3)))
    torch.testing.assert_close(4 * flow(maps).sum((1, 2, 3)), expected)


def test_an_untrained_flow_only_standardises() -> None:
    flow = Flow(torch.full((4,), 2.0), torch.full((4,), 3.0), 5, 1.0, (3, 1))
    maps = 2 + 3 * torch.randn(1, 4, 6, 6)
    expected = 0.5 * math.log(2 * math.pi) + 0.5 * (((maps - 2) / 3) ** 2).mean(1, keepdim=True)
    torch.testing.assert_close(flow(maps), expected)


def test_training_makes_good_features_more_probable_than_a_gaussian_does(
    catalog: Catalog, tested: list[Path]
) -> None:
    detector = FastFlow(size=64, epochs=3, steps=2, examples_per_epoch=32).fit(catalog)
    losses = [row["validation_loss"] for row in detector.history_]
    assert losses[-1] < losses[0] < 0.5 * math.log(2 * math.pi) + 0.5
    head = detector.network().get_submodule("head")
    maps = [torch.from_numpy(one)[None] for one in detector.extractor().extract(tested[0])]
    with torch.inference_mode():
        found = [flow(one) for flow, one in zip(head.get_submodule("flows"), maps, strict=True)]
    finest = [torch.nn.functional.interpolate(one, (8, 8), mode="bilinear") for one in found]
    surprise = np.sort(torch.stack(finest).mean(0).numpy().ravel())
    assert detector.predict(tested[0]).score == pytest.approx(surprise[-1:].mean(), rel=1e-3)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"hidden": 0.0}, {"kernels": ()}, {"kernels": (2,)}, {"top": 1.5}, {"size": 100}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create_detector("fastflow", **{"size": 64, **wrong}).fit(catalog)
