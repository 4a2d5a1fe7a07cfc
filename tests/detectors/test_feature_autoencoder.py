"""The feature autoencoder: its size, its error and its threshold, computed a second time with NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.frozen_trained import channel_statistics
from blemish.detectors.reconstruction.feature_autoencoder import FeatureAutoencoder
from blemish.detectors.reconstruction.feature_autoencoder_network import FeatureAutoencoderNetwork
from blemish.detectors.registry import create_detector


@pytest.fixture(scope="module")
def detector(catalog: Catalog) -> FeatureAutoencoder:
    return FeatureAutoencoder(size=128, epochs=3).fit(catalog)


def test_the_published_network_has_1_434_036_parameters() -> None:
    network = FeatureAutoencoderNetwork(1536, (400, 200, 100))
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_434_036
    assert network(torch.zeros(2, 1536, 28, 28)).shape == (2, 1536, 28, 28)
    convolutions = [layer for layer in network.layers if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [400, 200, 100, 200, 400, 1536]
    assert all(layer.kernel_size == (1, 1) and layer.bias is not None for layer in convolutions)


def test_the_preset_reads_1536_channels_on_28_x_28(catalog: Catalog) -> None:
    made = create_detector(
        "feature-autoencoder", "resnet50", weights="random", epochs=1, size=64, bit_depth=8
    )
    assert isinstance(made, FeatureAutoencoder)
    assert (made.learning_rate, made.patience, made.grid) == (1e-3, 2, 28)
    few = catalog.subset(catalog.table.index[catalog.table["split"] == "train"][:4])
    made.fit(few)
    head = made.network().get_submodule("head")
    assert sum(p.numel() for p in head.get_submodule("autoencoder").parameters()) == 1_434_036
    maps = [torch.rand(1, 512, 8, 8), torch.rand(1, 1024, 4, 4)]
    assert head.get_submodule("patches")(maps).shape == (1, 1536, 28, 28)
    prediction = next(made.predict([Path(catalog.test()["path"].iloc[0])]))
    assert prediction.anomaly_map.shape == (64, 64)


def test_the_score_is_the_mean_of_the_highest_errors(detector: FeatureAutoencoder, catalog: Catalog) -> None:
    path = Path(catalog.test()["path"].iloc[0])
    head = detector.network().get_submodule("head")
    with torch.inference_mode():
        patches = head.get_submodule("patches")(
            [torch.from_numpy(m)[None] for m in detector.extractor().extract(path)]
        )
        given_back = head.get_submodule("autoencoder")(patches)
    error = ((patches.numpy() - given_back.numpy()) ** 2).mean(axis=1)[0]
    count = max(1, round(detector.top * error.size))
    assert next(detector.predict([path])).score == pytest.approx(
        np.sort(error, axis=None)[-count:].mean(), rel=1e-4
    )


def test_statistics_are_those_of_all_values() -> None:
    rng = np.random.default_rng(0)
    images = [[rng.normal(3, 2, (1, 4, 5, 5)), rng.normal(-1, 0.1, (1, 2, 3, 3))] for _ in range(6)]
    found = channel_statistics([[torch.from_numpy(m) for m in maps] for maps in images])
    for place, (mean, deviation) in enumerate(found):
        values = np.concatenate([maps[place] for maps in images])
        np.testing.assert_allclose(mean, values.mean((0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(deviation, values.std((0, 2, 3)), rtol=1e-6)


def test_a_channel_that_never_changes_is_not_blown_up() -> None:
    maps = torch.rand(1, 2, 4, 4)
    maps[:, 1] = 0.5
    ((_, deviation),) = channel_statistics([[maps]])
    assert 0 < float(deviation[1]) < float(deviation[0])


@pytest.mark.parametrize(
    "wrong", [{"widths": ()}, {"neighbourhood": 2}, {"top": 1.5}, {"grid": -1}, {"size": 100}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create_detector("feature-autoencoder", **{"size": 128, **wrong}).fit(catalog)
