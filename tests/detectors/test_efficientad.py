"""EfficientAD: sizes, losses and maps of the paper, computed a second time with NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage.transform import resize

from blemish.core.errors import BlemishError, UsageError
from blemish.core.folds import held_out_positions
from blemish.core.images import read_image
from blemish.data.catalog import Catalog
from blemish.detectors.distilled.distillation import (
    Distillation,
    DistillationObjective,
    backbone_for_distillation,
    distil,
    read_teacher,
    write_teacher,
)
from blemish.detectors.distilled.efficientad import (
    EfficientAD,
    EfficientADExamples,
    EfficientADObjective,
)
from blemish.detectors.distilled.efficientad_network import (
    DescriptionAutoencoder,
    EfficientADNetwork,
    PatchDescription,
    hard_feature_loss,
    quantile_pair,
    to_channels,
)
from blemish.detectors.registry import create_detector
from blemish.detectors.training.examples import ImageExamples
from blemish.detectors.training.session import TrainingSession, training_session
from blemish.view.preprocessing import preprocess

QUICK: dict[str, Any] = {
    "model_size": "small",
    "size": 64,
    "channels": 16,
    "epochs": 2,
    "examples_per_epoch": 6,
    "distillation_steps": 4,
    "distillation_batch": 2,
}


@pytest.fixture(scope="module")
def detector(catalog: Catalog) -> EfficientAD:
    return EfficientAD(**QUICK).fit(catalog)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("model_size", "channels", "parameters"),
    [
        ("small", 384, 2_694_144),
        ("small", 768, 4_267_392),
        ("medium", 384, 8_026_624),
        ("medium", 768, 11_615_488),
    ],
)
def test_patch_description_networks_have_their_published_sizes(
    model_size: str, channels: int, parameters: int
) -> None:
    network = PatchDescription(model_size, channels)
    assert count(network) == parameters
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, channels, 8, 8)


def test_the_published_network_describes_56_x_56_patches_of_33_pixels() -> None:
    network = PatchDescription("small", 8)
    image = torch.zeros(1, 3, 256, 256, requires_grad=True)
    descriptions = network(image)
    assert descriptions.shape == (1, 8, 56, 56)
    descriptions[0, :, 20, 30].sum().backward()
    rows, columns = np.nonzero(image.grad.abs().sum((0, 1)).numpy())
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 33


def test_the_autoencoder_has_its_published_size() -> None:
    network = DescriptionAutoencoder(256, 384)
    assert (count(network.encoder), count(network.decoder)) == (444_224, 652_096)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 256, 256)).shape == (1, 384, 56, 56)
    assert DescriptionAutoencoder(128, 8)(torch.zeros(1, 3, 128, 128)).shape == (1, 8, 24, 24)


def test_the_hard_feature_loss_is_of_the_largest_errors() -> None:
    rng = np.random.default_rng(0)
    target, prediction = rng.normal(size=(2, 1, 20, 30, 30)).astype(np.float32)
    errors = (target.astype(np.float64) - prediction) ** 2
    expected = errors[errors >= np.quantile(errors, 0.999, method="higher")].mean()
    found = hard_feature_loss(torch.from_numpy(target), torch.from_numpy(prediction))
    assert float(found) == pytest.approx(expected, rel=0.02)
    assert float(found) > 5 * errors.mean()


@pytest.mark.parametrize("penalised", [False, True])
def test_the_loss_is_the_sum_of_its_published_parts(penalised: bool) -> None:
    torch.manual_seed(0)
    network = EfficientADNetwork("small", 6, 64).eval()
    network.mean.fill_(0.1)
    network.deviation.fill_(0.2)
    batch = {"image": torch.rand(1, 3, 64, 64), "augmented": torch.rand(1, 3, 64, 64)}
    if penalised:
        batch["unrelated"] = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        found = float(EfficientADObjective(network, 0.999).loss(batch))
        teacher = {key: (network.teacher(one).numpy() - 0.1) / 0.2 for key, one in batch.items()}
        student = {key: network.student(one).numpy() for key, one in batch.items()}
        given_back = network.autoencoder(batch["augmented"]).numpy()
    errors = np.sort(((teacher["image"] - student["image"][:, :6]) ** 2).ravel())
    hardest = errors[int(0.999 * (errors.size - 1)) :]
    expected = hardest.mean() + ((teacher["augmented"] - given_back) ** 2).mean()
    expected += ((given_back - student["augmented"][:, 6:]) ** 2).mean()
    if penalised:
        expected += (student["unrelated"][:, :6] ** 2).mean()
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_map_is_scaled_by_quantiles_padded_and_enlarged(detector: EfficientAD, catalog: Catalog) -> None:
    network, contract = detector.network(), detector.preprocessing()
    assert isinstance(network, EfficientADNetwork)

    def errors(path: Path) -> list[np.ndarray]:
        image = torch.from_numpy(preprocess(read_image(path), contract))[None]
        with torch.inference_mode():
            teacher = (network.teacher(image) - network.mean) / network.deviation
            student, given_back = network.student(image), network.autoencoder(image)
        pairs = ((teacher, student[:, :16]), (given_back, student[:, 16:]))
        return [((one - other) ** 2).mean(1)[0].double().numpy() for one, other in pairs]

    paths = catalog.train_normal()
    held = held_out_positions(len(paths), detector.validation_share, detector.seed)
    good = [errors(paths[position]) for position in held]
    path = Path(catalog.test()["path"].iloc[-1])
    scaled = []
    for place, values in enumerate(errors(path)):
        low, high = np.quantile([maps[place] for maps in good], [0.9, 0.995])
        scaled.append(0.1 * (values - low) / (high - low))
    combined = np.mean(scaled, axis=0)
    padded = np.pad(combined, 4, constant_values=combined.min())
    expected = resize(padded, (64, 64), order=1, mode="edge", anti_aliasing=False)
    prediction = next(detector.predict([path]))
    np.testing.assert_allclose(prediction.anomaly_map, expected, atol=2e-3 * np.abs(expected).max())
    assert prediction.score == pytest.approx(expected.max(), rel=2e-3)


def test_equal_errors_leave_the_scale_finite() -> None:
    low, high = quantile_pair([torch.full((1, 1, 4, 4), 2.0)])
    assert float(high) > float(low)


def test_channels_are_means_of_neighbours() -> None:
    vectors = torch.arange(24.0).reshape(1, 6, 2, 2)
    found = to_channels(vectors, 3)
    np.testing.assert_allclose(found, (vectors[:, ::2] + vectors[:, 1::2]) / 2)


def test_only_the_light_of_the_second_copy_changes(catalog: Catalog) -> None:
    images = ImageExamples(catalog.train_normal(), EfficientAD(size=64).preprocessing())
    torch.manual_seed(1)
    example = EfficientADExamples(images, True, [])(0, np.random.default_rng(0))
    plain = EfficientADExamples(images, False, [])(0, np.random.default_rng(0))
    assert torch.equal(example["image"], plain["image"]) and torch.equal(plain["image"], plain["augmented"])
    assert not torch.equal(example["image"], example["augmented"])
    assert np.corrcoef(example["image"].flatten(), example["augmented"].flatten())[0, 1] > 0.95


def test_the_penalty_sees_the_middle_of_unrelated_photographs(catalog: Catalog, tmp_path: Path) -> None:
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[32:96, 32:96] = 255
    cv2.imwrite(str(tmp_path / "other.png"), picture)
    images = ImageExamples(catalog.train_normal(), EfficientAD(size=64).preprocessing())
    example = EfficientADExamples(images, True, [tmp_path / "other.png"])(0, np.random.default_rng(0))
    assert example["unrelated"].shape == (3, 64, 64)
    assert float(example["unrelated"].amin()) > 2, "only the white middle is seen"
    with pytest.raises(UsageError, match="penalty_images"):
        EfficientAD(**QUICK, penalty_images=str(tmp_path / "none")).fit(catalog)
    EfficientAD(**QUICK, penalty_images=str(tmp_path)).fit(catalog)


def test_the_presets_are_the_published_settings() -> None:
    for preset, model_size in (("paper", "small"), ("paper-medium", "medium")):
        made = create_detector("efficientad", preset)
        assert isinstance(made, EfficientAD)
        recipe = made.recipe()
        steps = recipe.epochs * made.examples_per_epoch
        falls = next(e for e in range(recipe.epochs) if recipe.schedule(e) < 1) * made.examples_per_epoch
        assert (made.model_size, made.channels, made.size) == (model_size, 384, 256)
        assert (steps, falls, recipe.batch_size) == (70_000, 66_500, 1)
        assert (made.hard, made.distillation_rate, made.distillation_batch) == (0.999, 1e-4, 16)
        assert (recipe.learning_rate, recipe.weight_decay, recipe.optimizer) == (1e-4, 1e-5, "adam")


def test_distillation_comes_nearer_to_the_backbone(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.detectors.distilled.distillation._STEPS_AN_EPOCH", 15)
    settings = Distillation("small", 16, 64, steps=60, batch_size=2)
    _, history = distil(catalog.train_normal(), backbone_for_distillation(), settings)
    assert history[-1]["training_loss"] < 0.9 * history[0]["training_loss"]


def test_a_resnet_can_be_distilled_to_384_channels(catalog: Catalog) -> None:
    backbone = backbone_for_distillation("wide_resnet50_2", "random")
    objective = DistillationObjective(PatchDescription("small", 384), 384, torch.zeros(1), torch.ones(1))
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 128, 128))
    assert [one.shape[1] for one in maps] == [512, 1024]
    assert (
        objective.joined(maps).shape == objective.network(torch.zeros(1, 3, 64, 64)).shape == (1, 384, 8, 8)
    )


def test_a_teachers_file_says_what_it_is(catalog: Catalog, tmp_path: Path) -> None:
    network = PatchDescription("small", 16)
    path = tmp_path / "teacher.safetensors"
    write_teacher(path, network, Distillation("small", 16, 64), "efficientnet_lite0")
    again = read_teacher(path, "small", 16)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in network.state_dict().items())
    fitted = EfficientAD(**{**QUICK, "teacher": str(path)}).fit(catalog)
    weights = fitted.network().get_submodule("teacher").state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    with pytest.raises(UsageError, match="small with 16 channels"):
        read_teacher(path, "small", 384)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BlemishError, match="damaged"):
        read_teacher(path, "small", 16)
    with pytest.raises(BlemishError, match="does not exist"):
        read_teacher(tmp_path / "none.safetensors", "small", 16)


def test_both_trainings_have_checkpoints_and_resume(
    detector: EfficientAD, catalog: Catalog, tmp_path: Path
) -> None:
    with training_session(TrainingSession(tmp_path)):
        EfficientAD(**QUICK).fit(catalog)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "efficientad-teacher.safetensors",
        "efficientad.safetensors",
    ]
    with training_session(TrainingSession(tmp_path, resume=True)):
        again = EfficientAD(**QUICK).fit(catalog)
    state = again.network().state_dict()
    assert all(torch.equal(value, state[key]) for key, value in detector.network().state_dict().items())


@pytest.mark.parametrize(
    "wrong",
    [{"model_size": "large"}, {"channels": 0}, {"examples_per_epoch": -1}, {"distillation_steps": -1}],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        EfficientAD(**{**QUICK, **wrong}).fit(catalog)
