"""Classical one-class models on features of the whole image."""

from __future__ import annotations

from blemish.detectors.information import DetectorInfo

DETECTORS = (
    DetectorInfo(
        "one-class-svm",
        where="blemish.detectors.classical.one_class_svm:OneClassSvm",
        summary="A surface around the features of whole good images: says whether, not where; learns in seconds.",
        gives_maps=False,
        reference="Schölkopf et al., Estimating the Support of a High-Dimensional Distribution, 2001; scikit-learn",
    ),
    DetectorInfo(
        "isolation-forest",
        where="blemish.detectors.classical.isolation_forest:IsolationForest",
        summary="Random cuts through the features of whole good images: says whether, not where; learns in seconds.",
        gives_maps=False,
        reference="Liu, Ting and Zhou, Isolation Forest, ICDM 2008; scikit-learn",
    ),
    DetectorInfo(
        "local-outlier-factor",
        where="blemish.detectors.classical.local_outlier_factor:LocalOutlierFactor",
        summary="How lonely the features of a whole image are among good ones: says whether, not where; "
        "learns in seconds.",
        gives_maps=False,
        reference="Breunig et al., LOF: Identifying Density-Based Local Outliers, SIGMOD 2000; scikit-learn",
    ),
    DetectorInfo(
        "elliptic-envelope",
        where="blemish.detectors.classical.elliptic_envelope:EllipticEnvelope",
        summary="A robust Gaussian of the features of whole good images: says whether, not where; learns in seconds.",
        gives_maps=False,
        reference="Rousseeuw and Van Driessen, A Fast Algorithm for the Minimum Covariance Determinant, 1999; "
        "scikit-learn",
    ),
)
