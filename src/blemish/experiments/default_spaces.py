"""The default spaces: for every detector a few values of what matters most."""

from __future__ import annotations

from typing import Any

_FAST = [0.001, 0.003]
_SCORED_BY_TOP = [0.001, 0.003, 0.01, 0.03, 0.1]

DEFAULT_SPACES: dict[str, dict[str, list[Any]]] = {
    "one-class-svm": {
        "nu": [0.001],
        "kernel": ["rbf", "linear", "poly"],
        "gamma": ["scale", "auto"],
        "degree": [2, 3],
    },
    "isolation-forest": {
        "n_estimators": [100, 200, 300, 400],
        "contamination": [0.01],
        "max_samples": ["auto", 1.0],
        "max_features": [0.9, 1.0],
    },
    "local-outlier-factor": {
        "n_neighbors": [10, 20, 30, 50],
        "contamination": [0.01],
        "leaf_size": [20, 30, 50, 100],
        "metric": ["minkowski", "euclidean"],
    },
    "elliptic-envelope": {
        "contamination": [0.01],
        "support_fraction": [0.9, 1.0],
        "assume_centered": [True, False],
    },
    "patchcore": {
        "size": [256, 352, 448],
        "taps": [[8, 16], [16], [8, 16, 32]],
        "coreset_size": [1000, 2000, 4000],
        "top": [0.0, *_SCORED_BY_TOP],
        "context": [0, 30],
    },
    "knn": {
        "size": [256, 352, 448],
        "taps": [[8, 16], [16]],
        "neighbours": [1, 3, 5, 9],
        "coreset_size": [2000, 4000],
        "top": _SCORED_BY_TOP,
    },
    "padim": {
        "size": [192, 256, 352],
        "taps": [[4, 8, 16], [8, 16]],
        "dimensions": [50, 100, 150],
        "regularisation": [0.001, 0.01, 0.1],
        "prior": [0.0, 1.0],
    },
    "few-shot": {
        "size": [256, 352, 448],
        "method": ["nearest", "subspace"],
        "images": [4, 8, 16],
        "rotations": [1, 4, 8],
        "masking": [True, False],
    },
    "feature-autoencoder": {
        "size": [256, 352],
        "taps": [[8, 16], [16]],
        "epochs": [20, 50],
        "neighbourhood": [1, 3],
        "top": _SCORED_BY_TOP,
    },
    "student-teacher": {
        "size": [192, 256],
        "epochs": [15, 30],
        "learning_rate": _FAST,
        "student": ["reverse"],
        "unit": [True, False],
    },
    "efficientad": {"size": [256], "epochs": [5, 10], "channels": [64, 128], "hard": [0.9, 0.99]},
    "cae": {"size": [128, 192], "epochs": [20, 40], "learning_rate": _FAST, "top": _SCORED_BY_TOP},
    "ssim-autoencoder": {
        "size": [128, 256],
        "epochs": [20, 40],
        "learning_rate": _FAST,
        "top": _SCORED_BY_TOP,
    },
    "residual-autoencoder": {
        "size": [128, 224],
        "epochs": [5, 10],
        "learning_rate": _FAST,
        "top": _SCORED_BY_TOP,
    },
    "vae": {
        "size": [128],
        "epochs": [30, 60],
        "latent": [64, 128, 256],
        "beta": [0.1, 1.0],
        "top": _SCORED_BY_TOP,
    },
    "supersimplenet": {
        "size": [256, 352],
        "epochs": [5, 10, 20],
        "noise": [0.25, 0.5, 1.0],
        "top": _SCORED_BY_TOP,
    },
    "unet": {
        "size": [192, 256],
        "epochs": [12, 24],
        "synthetic": ["only", "no", "both"],
        "top": [0.001, 0.002, 0.01],
    },
    "classifier": {
        "size": [256, 384, 512],
        "taps": [[8, 16, 32], [16, 32]],
        "dropout": [0.1, 0.3, 0.5],
        "ridge": [3.0, 30.0, 300.0],
    },
    "ensemble": {
        "size": [256, 352],
        "members": [["patchcore", "feature-autoencoder"], ["patchcore", "padim"], ["patchcore", "knn"]],
        "rule": ["mean", "max"],
    },
}
"""Lists of values by parameter, by detector; those of the first four are the grids of the classical detectors."""
