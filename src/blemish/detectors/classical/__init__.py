"""Classical one-class models on features of the whole image."""

from __future__ import annotations

from typing import Any

from blemish.detectors.information import DetectorInfo

_FOUNDED: dict[str, Any] = {"pooling": "mean", "explained": 0.95}
_PRESETS: dict[str, dict[str, Any]] = {
    "founded": _FOUNDED,
    "direct": {"features": "direct"},
    "pixels": {"features": "pixels"},
}

DETECTORS = (
    DetectorInfo(
        "one-class-svm",
        where="blemish.detectors.classical.one_class_svm:OneClassSvm",
        summary="A surface around the features of whole good images: says whether, not where; learns in seconds. "
        "Weak on fine defects of busy surfaces.",
        gives_maps=False,
        reference="Schölkopf et al., Estimating the Support of a High-Dimensional Distribution, 2001; scikit-learn",
        presets=_PRESETS,
        space={
            "nu": [0.001],
            "kernel": ["rbf", "linear", "poly"],
            "gamma": ["scale", "auto"],
            "degree": [2, 3],
        },
    ),
    DetectorInfo(
        "isolation-forest",
        where="blemish.detectors.classical.isolation_forest:IsolationForest",
        summary="Random cuts through the features of whole good images: says whether, not where; learns in seconds. "
        "The weakest of its family: it cuts one feature at a time.",
        gives_maps=False,
        reference="Liu, Ting and Zhou, Isolation Forest, ICDM 2008; scikit-learn",
        presets=_PRESETS,
        space={
            "n_estimators": [100, 200, 300, 400],
            "contamination": [0.01],
            "max_samples": ["auto", 1.0],
            "max_features": [0.9, 1.0],
        },
    ),
    DetectorInfo(
        "local-outlier-factor",
        where="blemish.detectors.classical.local_outlier_factor:LocalOutlierFactor",
        summary="How lonely the features of a whole image are among good ones: says whether, not where; "
        "learns in seconds. Weak on fine defects of busy surfaces.",
        gives_maps=False,
        reference="Breunig et al., LOF: Identifying Density-Based Local Outliers, SIGMOD 2000; scikit-learn",
        presets=_PRESETS,
        space={
            "n_neighbors": [10, 20, 30, 50],
            "contamination": [0.01],
            "leaf_size": [20, 30, 50, 100],
            "metric": ["minkowski", "euclidean"],
        },
    ),
    DetectorInfo(
        "elliptic-envelope",
        where="blemish.detectors.classical.elliptic_envelope:EllipticEnvelope",
        summary="A robust Gaussian of the features of whole good images: says whether, not where; learns in seconds. "
        "Weak on fine defects of busy surfaces.",
        gives_maps=False,
        reference="Rousseeuw and Van Driessen, A Fast Algorithm for the Minimum Covariance Determinant, 1999; "
        "scikit-learn",
        presets={**_PRESETS, "founded": {**_FOUNDED, "covariance": "robust"}},
        space={
            "contamination": [0.01],
            "support_fraction": [0.9, 1.0],
            "assume_centered": [True, False],
        },
    ),
)
