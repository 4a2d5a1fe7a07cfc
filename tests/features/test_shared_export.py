"""A backbone is exported once, and what begins with it computes the same as if it were traced whole."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from blemish.core.network import CompiledNetwork
from blemish.core.types import FloatArray
from blemish.detectors.frozen import BackboneWithHead
from blemish.features.backbones import Backbone, load_backbone
from blemish.features.cropping import CentreCropped
from blemish.features.onnx_export import OPSET, compiled_backbone, to_onnx

NAMES = ["score", "map"]
EXAMPLE = torch.zeros(1, 3, 96, 128)


class Nearest(nn.Module):
    """Distances to a few random patches, and the largest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(40, channels), requires_grad=False)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        size = maps[0].shape[-2:]
        features = torch.cat([nn.functional.interpolate(one, size, mode="bilinear") for one in maps], 1)
        distances = torch.cdist(features.flatten(2)[0].T[None], self.bank[None])[0].amin(1)
        return distances.max()[None], distances.reshape(size)


class OfTwo(nn.Module):
    """Two networks on one photograph."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        (score, anomaly_map), (further, other_map) = self.one(image), self.other(image)
        return score + further, anomaly_map + nn.functional.interpolate(
            other_map[None, None], anomaly_map.shape, mode="nearest"
        )[0, 0]


class OfGrey(nn.Module):
    """A network on another picture than the photograph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Any:
        return self.network(image.mean(1, keepdim=True).expand(-1, 3, -1, -1))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone(taps=(8, 16))


def headed(backbone: Backbone) -> BackboneWithHead:
    return BackboneWithHead(backbone, Nearest(sum(backbone.channels))).eval()


def whole(module: nn.Module) -> bytes:
    """Traced in one piece, by torch alone."""
    out = io.BytesIO()
    with torch.inference_mode():
        torch.onnx.export(
            module, (EXAMPLE,), out, input_names=["image"], output_names=NAMES, opset_version=OPSET, dynamo=False
        )  # type: ignore[arg-type]  # fmt: skip
    return out.getvalue()


def photograph(seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=tuple(EXAMPLE.shape)).astype(np.float32)


def modules(backbone: Backbone) -> dict[str, nn.Module]:
    one = headed(backbone)
    return {
        "one head": one,
        "two heads": OfTwo(one, headed(backbone)).eval(),
        "two backbones": OfTwo(one, headed(load_backbone(taps=(4, 16)))).eval(),
        "a cropped backbone beside": OfTwo(one, headed(CentreCropped(backbone, 64))).eval(),
        "another picture": OfGrey(one).eval(),
    }


@pytest.mark.parametrize(
    "which", ["one head", "two heads", "two backbones", "a cropped backbone beside", "another picture"]
)
def test_it_computes_what_a_whole_trace_computes(which: str, backbone: Backbone) -> None:
    module = modules(backbone)[which]
    model = to_onnx(module, EXAMPLE, NAMES)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    expected, found = CompiledNetwork(whole(module))(photograph()), CompiledNetwork(model)(photograph())
    for mine, traced in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, traced, rtol=1e-6)


def test_a_second_head_costs_a_fraction_of_a_whole_trace(backbone: Backbone) -> None:
    to_onnx(headed(backbone), EXAMPLE, NAMES)
    begun = time.process_time()
    to_onnx(headed(backbone), EXAMPLE, NAMES)
    shared = time.process_time() - begun
    begun = time.process_time()
    whole(headed(backbone))
    assert 2 * shared < time.process_time() - begun


def test_other_weights_or_another_shape_are_exported_anew() -> None:
    mine = load_backbone(taps=(8, 16))
    before = compiled_backbone(mine, EXAMPLE)
    assert compiled_backbone(mine, EXAMPLE) is before
    assert compiled_backbone(mine, torch.zeros(1, 3, 64, 64)).input_shape == (1, 3, 64, 64)
    mine.network.conv_stem.weight.data.mul_(2)  # type: ignore[union-attr,operator]
    after = compiled_backbone(mine, EXAMPLE)
    with torch.inference_mode():
        expected = [one.numpy() for one in mine(torch.from_numpy(photograph()))]
    for found, wanted, old in zip(after(photograph()), expected, before(photograph()), strict=True):
        np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-3)
        assert not np.allclose(old.reshape(wanted.shape), wanted, atol=1e-3)


def test_what_is_being_trained_is_traced_as_it_is(backbone: Backbone) -> None:
    trained = load_backbone(taps=(8, 16))
    trained.requires_grad_(True)
    module = headed(trained)
    found = CompiledNetwork(to_onnx(module, EXAMPLE, NAMES))(photograph())
    for mine, traced in zip(found, CompiledNetwork(whole(module))(photograph()), strict=True):
        np.testing.assert_array_equal(mine, traced)


def test_many_threads_may_export_and_use_one_backbone_at_once(backbone: Backbone) -> None:
    heads = [headed(backbone) for _ in range(6)]

    def scored(head: BackboneWithHead) -> float:
        with torch.inference_mode():
            said = float(head(torch.from_numpy(photograph(1)))[0])
        (score, _) = CompiledNetwork(to_onnx(head, EXAMPLE, NAMES))(photograph(1))
        assert float(score[0]) == pytest.approx(said, rel=1e-4)
        return said

    with ThreadPoolExecutor(3) as several:
        assert len(set(several.map(scored, heads))) == len(heads)
