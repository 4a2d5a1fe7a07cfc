"""Detectors that learn how probable the features of good parts are."""

from __future__ import annotations

from blemish.detectors.information import TOPS, DetectorInfo

DETECTORS = (
    DetectorInfo(
        "gaussian-mixture",
        where="blemish.detectors.density.gaussian_mixture:GaussianMixture",
        summary="Mixture of Gaussians of good patches: its score is how improbable a patch is; learnt in a minute.",
        reference="Rippel et al., Modeling the Distribution of Normal Data in Pre-Trained Deep Features for Anomaly "
        "Detection, ICPR 2020",
        space={
            "size": [256, 352],
            "components": [10, 20, 40],
            "dimensions": [32, 64],
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "fastflow",
        where="blemish.detectors.density.fastflow:FastFlow",
        summary="Normalizing flow of a frozen network's features; learns in minutes how probable every place is.",
        trains=True,
        reference="Yu et al., FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows, 2021",
        presets={
            "wide": {
                "backbone": "wide_resnet50_2",
                "taps": (4, 8, 16),
                "epochs": 500,
                "batch_size": 32,
                "patience": 0,
                "examples_per_epoch": 0,
            },
        },
        space={
            "size": [256, 352],
            "taps": [[8, 16], [16]],
            "steps": [4, 8],
            "kernels": [[3, 1], [3], [1]],
            "top": TOPS,
        },
    ),
)
