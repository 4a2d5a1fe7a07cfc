"""Settings that must be reproducible: each preset is the one of the source that it follows, to the number."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from blemish.detectors.reconstruction.residual_autoencoder import ResidualAutoencoder
from blemish.detectors.registry import create_detector
from blemish.detectors.trained import TrainedDetector

EXACT: list[tuple[str, str | None, dict[str, Any]]] = [
    (
        "patchcore",
        "wide",
        {
            "backbone": "wide_resnet50_2",
            "taps": (8, 16),
            "neighbourhood": 3,
            "coreset_ratio": 0.01,
            "top": 0.0,
        }
        | {"context": 0, "reweighting": 0, "dimensions": 0, "robust": False},
    ),
    (
        "patchcore",
        "light-pca",
        {
            "backbone": "resnet18",
            "size": 256,
            "taps": (32,),
            "neighbourhood": 1,
            "pool": 150_000,
            "coreset_ratio": 1.0,
        }
        | {
            "dimensions": 128,
            "reduction": "pca",
            "score": "patches",
            "top": 1.0,
            "context": 0,
            "reweighting": 0,
            "robust": False,
        },
    ),
    (
        "patchcore",
        "official",
        {
            "size": 256,
            "crop": 224,
            "coreset_ratio": 0.1,
            "dimensions": 1024,
            "reduction": "average",
            "top": 0.0,
        }
        | {"reweighting": 9, "context": 0, "taps": (8, 16), "neighbourhood": 3, "robust": False},
    ),
    (
        "padim",
        "resnet18",
        {"backbone": "resnet18", "taps": (4, 8, 16), "dimensions": 100, "regularisation": 0.01, "prior": 0.0},
    ),
    (
        "padim",
        "wide",
        {
            "backbone": "wide_resnet50_2",
            "taps": (4, 8, 16),
            "dimensions": 550,
            "regularisation": 0.01,
            "prior": 0.0,
        },
    ),
    ("knn", "resnet50", {"backbone": "resnet50", "taps": (8, 16), "neighbours": 5, "neighbourhood": 1}),
    (
        "feature-autoencoder",
        "resnet50",
        {"backbone": "resnet50", "taps": (8, 16), "size": 224, "grid": 28, "widths": (400, 200, 100)}
        | {"neighbourhood": 3, "learning_rate": 1e-3, "patience": 2, "standardised": False},
    ),
    (
        "student-teacher",
        "wide",
        {"backbone": "wide_resnet50_2", "student": "resnet18", "taps": (4, 8, 16), "size": 320, "epochs": 100}
        | {"learning_rate": 1e-3, "milestone": 0.8, "patience": 0, "standardised": False, "unit": False},
    ),
    (
        "cae",
        "plain",
        {"learning_rate": 1e-3, "batch_size": 8, "epochs": 20, "patience": 5, "examples_per_epoch": 0}
        | {"top": 1.0, "sigma": 0.0},
    ),
    (
        "cae",
        "founded",
        {"learning_rate": 1e-3, "batch_size": 8, "epochs": 20, "patience": 5, "examples_per_epoch": 0}
        | {"top": 1.0, "sigma": 0.0, "size": 128, "augment": "flips,jitter"},
    ),
    ("one-class-svm", "founded", {"features": "deep-mid", "pooling": "mean", "explained": 0.95}),
    ("elliptic-envelope", "founded", {"pooling": "mean", "explained": 0.95, "covariance": "robust"}),
    ("local-outlier-factor", "pixels", {"features": "pixels"}),
    (
        "fastflow",
        "wide",
        {"backbone": "wide_resnet50_2", "taps": (4, 8, 16), "size": 256, "steps": 8, "kernels": (3, 1)}
        | {"hidden": 1.0, "learning_rate": 1e-3, "batch_size": 32, "epochs": 500, "patience": 0},
    ),
    (
        "ganomaly",
        None,
        {"learning_rate": 2e-4, "latent": 100, "adversarial_weight": 1.0, "contextual_weight": 50.0}
        | {"encoder_weight": 1.0},
    ),
    ("ssim-autoencoder", None, {"size": 256}),
    ("residual-autoencoder", None, {"size": 224, "examples_per_epoch": 1500}),
    ("efficientad", "paper", {"model_size": "small", "channels": 384, "hard": 0.999, "penalty_images": None}),
    ("efficientad", "paper-medium", {"model_size": "medium", "channels": 384, "hard": 0.999}),
]


@pytest.mark.parametrize(
    ("name", "preset", "exact"), EXACT, ids=[f"{name}-{preset}" for name, preset, _ in EXACT]
)
def test_a_preset_has_these_settings(name: str, preset: str | None, exact: dict[str, Any]) -> None:
    made = create_detector(name, preset)
    assert {key: made.get_params()[key] for key in exact} == exact
    if isinstance(made, TrainedDetector):
        assert made.recipe().optimizer == "adam"


def test_the_augmentation_of_the_residual_autoencoder_has_its_probabilities() -> None:
    augment = ResidualAutoencoder().augmentation()
    assert isinstance(augment, v2.Compose)
    flip, moved, turned, blur = augment.transforms
    assert isinstance(flip, v2.RandomHorizontalFlip) and flip.p == 0.5
    assert isinstance(moved, v2.RandomApply) and moved.p == 0.75
    (affine,) = moved.transforms
    assert isinstance(affine, v2.RandomAffine) and affine.translate and affine.scale
    assert list(affine.degrees) == [0, 0]
    assert isinstance(turned, v2.RandomApply) and turned.p == 0.75
    assert isinstance(blur, v2.GaussianBlur) and list(blur.kernel_size) == [3, 3]
    assert list(blur.sigma) == [0.01, 0.05]


def test_turns_are_quarter_turns_of_three_quarters_of_the_images() -> None:
    augment = ResidualAutoencoder().augmentation()
    assert isinstance(augment, v2.Compose)
    image = torch.arange(3 * 64, dtype=torch.uint8).reshape(3, 8, 8)
    quarters = [torch.rot90(image, quarter, (1, 2)) for quarter in range(4)]
    torch.manual_seed(0)
    drawn = [augment.transforms[2](image) for _ in range(600)]
    counts = [sum(torch.equal(one, quarter) for one in drawn) for quarter in quarters]
    assert sum(counts) == 600, "nothing but quarter turns"
    assert all(0.19 < count / 600 < 0.31 for count in counts), counts
