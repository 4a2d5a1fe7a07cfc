"""GANomaly: who learns from which loss, what the score and the map are, and its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.reconstruction.ganomaly import Ganomaly, GanomalyObjective
from blemish.detectors.reconstruction.ganomaly_network import Discriminator, GanomalyNetwork
from blemish.detectors.registry import create_detector

WEIGHTS = (2.0, 50.0, 3.0)


def objective(weights: tuple[float, float, float] = WEIGHTS) -> GanomalyObjective:
    torch.manual_seed(0)
    return GanomalyObjective(GanomalyNetwork(64, 4, 10), Discriminator(64, 4), weights)


def gradients(network: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters()), retain_graph=True))


def test_the_network_has_the_size_that_it_says() -> None:
    count = sum(parameter.numel() for parameter in GanomalyNetwork(128, 32, 100).parameters())
    assert f"{count:,} parameters" in (GanomalyNetwork.__doc__ or "") and count == 10_823_872


def test_the_generator_learns_from_three_losses_and_the_discriminator_from_its_own() -> None:
    trained, image = objective(), torch.rand(4, 3, 64, 64)
    trained.loss({"image": image}).backward()
    fresh = objective()
    reconstruction, latent, again = fresh.generator(image)
    seen_real, real = fresh.discriminator(image)
    seen_fake, fake = fresh.discriminator(reconstruction)
    three = (
        WEIGHTS[0] * ((seen_fake - seen_real.detach()) ** 2).mean()
        + WEIGHTS[1] * (reconstruction - image).abs().mean()
        + WEIGHTS[2] * ((again - latent) ** 2).mean()
    )
    told = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    for network, expected in (
        (trained.generator, gradients(fresh.generator, three)),
        (trained.discriminator, gradients(fresh.discriminator, 0.5 * told)),
    ):
        for parameter, one in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, one, rtol=1e-3, atol=1e-6)


def test_the_score_is_the_latent_distance_and_the_map_the_error(catalog: Catalog, tested: list[Path]) -> None:
    detector = Ganomaly(size=64, width=4, latent=8, epochs=1, examples_per_epoch=16, sigma=0.0).fit(catalog)
    image = torch.from_numpy(detector.read_input(tested[0]))[None]
    with torch.inference_mode():
        reconstruction, latent, again = detector.network().get_submodule("generator")(image)
    prediction = detector.predict(tested[0])
    assert prediction.score == pytest.approx(float((latent - again).abs().mean()), rel=1e-3)
    np.testing.assert_allclose(
        prediction.anomaly_map, (image - reconstruction).abs().mean(1)[0].numpy(), atol=1e-3
    )


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"latent": 0}, {"contextual_weight": -1.0}, {"sigma": -1.0}, {"size": 100}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create_detector("ganomaly", **{"size": 64, **wrong}).fit(catalog)
