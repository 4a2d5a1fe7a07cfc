"""The search of a large memory bank: the nearest vector of a brute force in float64, in fewer multiplications."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from blemish.core.network import CompiledNetwork
from blemish.detectors.layers import PatchEmbedding, PatchScoring
from blemish.detectors.memory.bounded_search import BoundedSearch, learn_search
from blemish.detectors.memory.nearest_patch import NearestPatch
from blemish.detectors.memory.patchcore_network import PatchCoreHead
from blemish.detectors.tiled import WithNearest
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import NEAREST
from blemish.making.bank_graph import BankGraph

DIMENSIONS = 320


def near_a_surface(count: int, seed: int, noise: float = 0.1, of: int = 12) -> Tensor:
    """Vectors as patches lie: near a surface of few dimensions, the same for every seed."""
    axes = torch.randn(of, DIMENSIONS, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    noises = noise * torch.randn(count, DIMENSIONS, generator=generator)
    return torch.randn(count, of, generator=generator) @ axes + noises


def brute_force(rows: Tensor, bank: Tensor) -> Tensor:
    """Distance of each row to the nearest of the bank, in float64."""
    return torch.cdist(rows.double(), bank.double(), compute_mode="donot_use_mm_for_euclid_dist").amin(1)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(600, 1500),
    number=st.integers(1, 100),
    noise=st.sampled_from([0.0, 0.01, 0.3, 3.0]),
    far=st.sampled_from([0.0, 1.0, 30.0]),
    seed=st.integers(1, 1000),
)
def test_every_distance_is_that_of_the_brute_force_however_bad_the_bounds(
    count: int, number: int, noise: float, far: float, seed: int
) -> None:
    bank = near_a_surface(count, seed, noise)
    rows = near_a_surface(40, seed + 1, noise) + far
    rows[:3] = bank[:3]
    centre = bank.mean(0)
    centred, moved = bank - centre, rows - centre
    directions = torch.linalg.qr(
        torch.randn(DIMENSIONS, number, generator=torch.Generator().manual_seed(seed))
    )[0]
    search = BoundedSearch(centred, directions)
    squares = search(moved, -2 * centred, (centred * centred).sum(1, keepdim=True)) + (moved * moved).sum(1)
    scale = float((centred * centred).sum(1).max() + (moved * moved).sum(1).max())
    assert torch.allclose(squares.double(), brute_force(rows, bank) ** 2, rtol=0, atol=2e-6 * scale)


def test_no_bound_is_above_its_distance() -> None:
    bank, rows = near_a_surface(1000, 1), near_a_surface(50, 2)
    search = BoundedSearch(bank, torch.eye(DIMENSIONS)[:, :100].contiguous())
    squares = (rows * rows).sum(1)
    bounds = search.bounds(rows, squares)[:, : len(bank)] + squares[:, None]
    assert bool((bounds <= torch.cdist(rows, bank) ** 2 + 1e-3).all())
    assert float((bounds / torch.cdist(rows, bank) ** 2).mean()) > 0.25  # and they say something


def test_it_is_used_where_it_saves_and_only_there() -> None:
    plain = near_a_surface(6000, 1, noise=3.0)  # no direction says much
    assert learn_search(near_a_surface(6000, 1)) is not None
    assert learn_search(plain - plain.mean(0)) is None
    assert learn_search(near_a_surface(3000, 1)) is None
    assert NearestPatch(near_a_surface(6000, 1), neighbours=3).search is None


@pytest.mark.parametrize("cosine", [False, True])
def test_openvino_says_what_the_brute_force_says(cosine: bool) -> None:
    bank, rows = near_a_surface(6000, 1), near_a_surface(10 * 12, 2)
    rows[17] += 40  # a defect, of which the bounds prove nothing
    if cosine:
        bank, rows = nn.functional.normalize(bank), nn.functional.normalize(rows)
    nearest = NearestPatch(bank, cosine=cosine).eval()
    assert nearest.search is not None
    patches = rows.T.reshape(1, DIMENSIONS, 10, 12)
    (said,) = CompiledNetwork(to_onnx(nearest, patches, ["distances"]))(patches.numpy())
    expected = brute_force(rows, bank)
    expected = expected**2 / 2 if cosine else expected
    assert said.shape == (1, 1, 10, 12)
    assert np.abs(said.ravel() - expected.numpy()).max() < 1e-4 * float(expected.max())
    assert np.array_equal(
        nearest.numbers(patches).numpy().ravel(), torch.cdist(rows, bank).argmin(1).numpy().astype(np.float32)
    )


def test_onnx_runtime_says_the_same() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    bank, rows = near_a_surface(5000, 1), near_a_surface(30, 2)
    nearest, patches = NearestPatch(bank).eval(), rows.T.reshape(1, DIMENSIONS, 5, 6)
    assert nearest.search is not None
    model = to_onnx(nearest, patches, ["distances"])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"image": patches.numpy()})
    assert np.allclose(said.ravel(), brute_force(rows, bank), rtol=1e-4)


class _Backbone(nn.Module):
    """Feature maps that are the image's own values, 16 x 16 pixels each."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [nn.functional.pixel_unshuffle(image, 16)[:, :DIMENSIONS]]


class _Whole(nn.Module):
    def __init__(self, head: PatchCoreHead) -> None:
        super().__init__()
        self.backbone, self.head = _Backbone(), head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        score, anomaly_map = self.head(self.backbone(image))
        return score, anomaly_map


def test_a_graph_with_the_search_takes_more_vectors() -> None:
    bank, added = near_a_surface(5000, 1), near_a_surface(37, 5) + 3
    scoring = PatchScoring((4, 4), (64, 64), None, 1.0)
    head = PatchCoreHead(bank, embedding=PatchEmbedding(1), scoring=scoring).eval()
    assert head.to_bank.search is not None
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    model = to_onnx(WithNearest(_Whole(head)).eval(), image, ["score", "map", NEAREST])
    assert len(model) < 1.5 * bank.nbytes + 2**20  # the bank is there once
    graph = BankGraph(model, "washer")
    assert np.allclose(graph.bank, bank, atol=1e-4)
    patches = graph.read(image.numpy()[0])
    changed = graph.changed(np.concatenate([added.numpy(), patches.vectors[:5]]))
    network = CompiledNetwork(changed)
    distances = network(image.numpy())[2][0, 0].ravel()
    expected = brute_force(
        torch.from_numpy(patches.vectors), torch.cat([bank, added, torch.from_numpy(patches.vectors[:5])])
    ).numpy()
    assert np.abs(distances**2 - expected**2).max() < 1e-4 * float(patches.distances.max()) ** 2
    assert patches.distances.ravel()[:5].min() > 1 and expected[:5].max() == 0
