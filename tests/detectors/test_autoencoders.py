"""Detectors by reconstruction: their networks, their residuals, and what augmentation does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity as independent_similarity
from torch import nn

from blemish.core.errors import UsageError
from blemish.data.catalog import open_catalog
from blemish.detectors.reconstruction.base import ReconstructionObjective
from blemish.detectors.reconstruction.cae import ConvolutionalAutoencoderNetwork
from blemish.detectors.reconstruction.head import ReconstructionHead, mixed_residual, structural_similarity
from blemish.detectors.reconstruction.residual_autoencoder import (
    CroppedObjective,
    ResidualAutoencoder,
    ResidualAutoencoderNetwork,
)
from blemish.detectors.reconstruction.ssim_autoencoder import HourglassAutoencoder
from blemish.detectors.reconstruction.vae import VariationalAutoencoderNetwork, VariationalObjective
from blemish.detectors.registry import create_detector, detector_info
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import standardise

NETWORKS = {
    ConvolutionalAutoencoderNetwork: ((), 128, 135_139),
    HourglassAutoencoder: ((), 256, 1_676_291),
    ResidualAutoencoderNetwork: ((), 224, 933_443),
    VariationalAutoencoderNetwork: ((128, 128), 128, 7_085_379),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_what_its_docstring_says(kind: type[nn.Module]) -> None:
    arguments, size, parameters = NETWORKS[kind]
    network = kind(*arguments).eval()
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert f"{parameters:,} parameters" in kind.__doc__
    image = torch.rand(2, 3, size, size)
    with torch.no_grad():
        reconstruction = network(image)
    assert reconstruction.shape == image.shape and reconstruction.min() > 0 and reconstruction.max() < 1


def test_similarity_is_that_of_another_implementation() -> None:
    rng = np.random.default_rng(0)
    first = rng.random((40, 50, 3)).astype(np.float32)
    second = np.clip(first + 0.2 * rng.normal(size=first.shape), 0, 1).astype(np.float32)
    _, expected = independent_similarity(
        first, second, channel_axis=2, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        full=True, win_size=11,
    )  # fmt: skip
    planes = [torch.from_numpy(image.transpose(2, 0, 1)[None]) for image in (first, second)]
    mine = structural_similarity(*planes)[0].numpy().transpose(1, 2, 0)
    inside = (slice(6, -6), slice(6, -6))
    assert np.abs(mine[inside] - expected[inside]).max() < 1e-4
    assert float(structural_similarity(planes[0], planes[0]).min()) == pytest.approx(1, abs=1e-5)


def test_the_mixed_residual_is_half_and_half() -> None:
    first, second = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24)
    expected = 0.5 * ((first - second) ** 2).mean(1) + 0.5 * (
        1 - structural_similarity(first, second).mean(1)
    )
    assert torch.allclose(mixed_residual(first, second)[:, 0], expected)


@pytest.mark.parametrize("residual", ["squared", "mixed"])
def test_the_residual_is_not_computed_in_bfloat16(residual: str) -> None:
    """Variances are differences of nearly equal numbers: rounded first, a good reconstruction looks like a bad one."""
    image = 0.4 + 0.02 * torch.rand(2, 3, 48, 48)
    objective = ReconstructionObjective(nn.Identity(), residual)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = float(objective.loss({"image": image}))
        shifted = float(objective.mean_residual(image, image + 0.01))
    assert mixed == pytest.approx(0, abs=1e-6)
    assert shifted == pytest.approx(float(objective.mean_residual(image, image + 0.01)), rel=1e-4)


def test_score_and_map_of_a_known_reconstruction() -> None:
    class Grey(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.full_like(image, 0.5)

    image = torch.full((1, 3, 32, 32), 0.5)
    image[:, :, 4:8, 10:14] = 1.0  # 16 of 1,024 pixels with an error of 0.25
    score, anomaly_map = ReconstructionHead(Grey(), "squared", 32, sigma=0, top=1)(image)
    assert float(score) == pytest.approx(16 * 0.25 / 1024)
    assert anomaly_map[5, 11] == 0.25 and float(anomaly_map.sum()) == pytest.approx(4)
    top, smooth = ReconstructionHead(Grey(), "squared", 32, sigma=1, top=16 / 1024)(image)
    assert float(top) == pytest.approx(float(torch.topk(smooth.flatten(), 16).values.mean()))
    assert float(smooth.sum()) == pytest.approx(4, rel=1e-4) and smooth.max() < 0.25


class Drawn(nn.Module):
    """Reconstructs the same picture whatever it sees."""

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()
        self.picture = picture

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.picture.expand_as(image)


def test_edges_of_the_reconstruction_excuse_errors_around_them() -> None:
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 16:] = 0.6
    image = picture.clone()
    image[..., 16] = 0.0  # the edge a pixel further to the right
    image[:, :, 10:14, 4:8] = 0.6  # and a spot as bright far from it
    bare = ReconstructionHead(Drawn(picture), "squared", 32, sigma=0, top=0.01)(image)[1]
    head = ReconstructionHead(Drawn(picture), "squared", 32, sigma=0, top=0.01, edges=1.5)
    head.usual_edges.fill_(0.01)
    excused = head(image)[1]
    assert bare[20, 16] == bare[12, 6] == pytest.approx(0.36)
    assert excused[20, 16] < 0.5 * excused[12, 6]
    gradient = np.gradient(np.pad(picture[0, 0].numpy(), 1, mode="edge"))
    energy = sum(one[1:-1, 1:-1] ** 2 for one in gradient)
    smooth = gaussian_filter(energy, 1.5, mode="nearest")
    inside = (slice(8, -8), slice(8, -8))
    expected = bare.numpy() / (1 + smooth / 0.01)
    assert np.allclose(excused[inside], expected[inside], rtol=1e-2, atol=1e-5)


def test_the_map_does_not_show_a_border_that_was_never_taught() -> None:
    image = torch.zeros(1, 3, 32, 32)
    image[..., :4] = 1
    image[0, :, 9, 4] = 0.5
    head = ReconstructionHead(Drawn(torch.zeros(1, 3, 32, 32)), "squared", 32, sigma=0, top=0.001, border=4)
    score, anomaly_map = head(image)
    assert float(score) == pytest.approx(0.25) and anomaly_map.shape == (32, 32)
    assert (anomaly_map[9, :5] == 0.25).all() and anomaly_map[10:, :].max() == 0


def test_what_edges_are_usual_is_measured_on_photographs_held_out(washers: Path) -> None:
    settings = {"size": 64, "epochs": 1, "examples_per_epoch": 8, "edges": 2.0}
    detector = create_detector("residual-autoencoder", **settings).fit(open_catalog(washers))
    head = detector.network()
    held_out = detector.training_photographs(open_catalog(washers)).held_out
    energies = []
    for path in held_out:
        planes = standardise(PixelCache().read(path, detector.preprocessing()), detector.preprocessing())
        with torch.no_grad():
            drawn = head.autoencoder(torch.from_numpy(planes)[None])[0].mean(0).numpy()
        gradient = np.gradient(np.pad(drawn[8:-8, 8:-8], 1, mode="edge"))
        energies.append(sum(one[1:-1, 1:-1] ** 2 for one in gradient).mean())
    assert float(head.usual_edges) == pytest.approx(np.mean(energies), rel=1e-3)


def test_the_cropped_loss_does_not_see_the_border() -> None:
    class Black(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(image)

    objective = CroppedObjective(Black(), "squared", border=4)
    image = torch.zeros(1, 3, 16, 16)
    image[..., :4, :] = 1
    assert float(objective.loss({"image": image})) == 0
    image[..., 4, 4] = 1
    assert float(objective.loss({"image": image})) == pytest.approx(1 / 64)


def test_augmentation_moves_and_keeps_values() -> None:
    augment = ResidualAutoencoder(size=64).augmentation()
    image = torch.arange(3 * 64 * 64).reshape(3, 64, 64).remainder(251).to(torch.uint8)
    torch.manual_seed(0)
    moved = [augment(image) for _ in range(20)]
    assert all(one.shape == image.shape and one.dtype == torch.uint8 for one in moved)
    assert sum(not torch.equal(one, image) for one in moved) > 15
    assert any(torch.equal(one, image.flip(-1)) for one in [augment(image) for _ in range(300)]), (
        "a flip alone"
    )


def test_the_variational_loss_is_error_and_divergence() -> None:
    autoencoder = VariationalAutoencoderNetwork(32, 6)
    objective = VariationalObjective(autoencoder, beta=3.0).eval()
    image = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        mean, log_variance = (part.numpy() for part in autoencoder.encode(image))
        error = ((autoencoder(image) - image) ** 2).numpy().mean()
        divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean()
        assert float(objective.loss({"image": image})) == pytest.approx(
            error + 3 * divergence / image[0].numel(), rel=1e-4
        )
        drawn = {round(float(objective.train().loss({"image": image})), 9) for _ in range(3)}
    assert len(drawn) == 3, "in training the latent numbers are drawn"


@pytest.mark.parametrize("name", ["cae", "ssim-autoencoder", "residual-autoencoder", "vae"])
def test_pixels_are_between_0_and_1_and_the_plain_preset_is_the_plain_error(name: str) -> None:
    contract = create_detector(name).preprocessing()
    assert contract.mean == (0, 0, 0) and contract.std == (255, 255, 255)
    plain = detector_info(name).presets["plain"]
    assert plain["top"] == 1.0 and plain["sigma"] == 0.0


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("cae", {"size": 100}),
        ("cae", {"epochs": 0}),
        ("cae", {"learning_rate": 0.0}),
        ("cae", {"precision": "float16"}),
        ("cae", {"device": "tpu"}),
        ("cae", {"validation_share": 1.0}),
        ("ssim-autoencoder", {"top": 0.0}),
        ("ssim-autoencoder", {"edges": -1.0}),
        ("residual-autoencoder", {"border": 60}),
        ("vae", {"latent": 0}),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, setting: dict[str, object], washers: object) -> None:
    (key, value), *_ = setting.items()
    with pytest.raises(UsageError, match=re.escape(f"{key}={value} is not possible for {name}")):
        create_detector(name, **setting).fit(open_catalog(washers))  # type: ignore[arg-type]
