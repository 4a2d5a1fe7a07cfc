"""Blemish: visual defect inspection that learns from photographs of good parts.

    import blemish as bl

    inspector = bl.fit("photographs/")          # or paths, arrays, PIL images
    result = inspector.inspect("new.png")       # .verdict, .score, .regions, .overlay()
    bl.evaluate(inspector, "mvtec/screw").metrics
    bl.PatchCore(size=448).fit(images).predict(image)

Everything in `__all__` is public, and nothing else is. Importing this package loads nothing heavy: each name is fetched
when it is first used.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

# On a busy machine the threads of torch spin and starve each other. It is read when torch is imported, so it is set
# here, before any part of Blemish can import torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Three of our libraries report on their use, and keep an identifier in the home: nothing is to leave a factory that it
# has not sent. ONNX Runtime writes to Microsoft, and MLflow to its makers, unless told not to; OpenVINO to Google
# Analytics at each import, whatever it is told, if it finds this package.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__version__ = "0.2.0"

# The module of each public name; `__init__.pyi` says the same to type checkers and editors.
_HOMES = {
    "blemish.core.errors": "ArtifactError BlemishError CatalogError ContractError ImageError MissingExtraError "
    "NameTakenWarning NotFittedError UsageError",
    "blemish.core.types": "Prediction Region Verdict",
    "blemish.data.catalog": "Catalog open_catalog open_catalogs",
    "blemish.data.sample_line": "write_sample_line",
    "blemish.detectors.base": "Detector",
    "blemish.detectors.checks": "check_detector",
    "blemish.detectors.classical.elliptic_envelope": "EllipticEnvelope",
    "blemish.detectors.classical.isolation_forest": "IsolationForest",
    "blemish.detectors.classical.local_outlier_factor": "LocalOutlierFactor",
    "blemish.detectors.classical.one_class_svm": "OneClassSvm",
    "blemish.detectors.combined.ensemble": "Ensemble",
    "blemish.detectors.density.fastflow": "FastFlow",
    "blemish.detectors.density.gaussian_mixture": "GaussianMixture",
    "blemish.detectors.distilled.efficientad": "EfficientAD",
    "blemish.detectors.distilled.student_teacher": "StudentTeacher",
    "blemish.detectors.good_images": "normal_images",
    "blemish.detectors.memory.few_shot": "FewShot",
    "blemish.detectors.memory.knn": "NearestNeighbours",
    "blemish.detectors.memory.padim": "Padim",
    "blemish.detectors.memory.patchcore": "PatchCore",
    "blemish.detectors.parameters": "require_fitted",
    "blemish.detectors.reconstruction.cae": "ConvolutionalAutoencoder",
    "blemish.detectors.reconstruction.feature_autoencoder": "FeatureAutoencoder",
    "blemish.detectors.reconstruction.ganomaly": "Ganomaly",
    "blemish.detectors.reconstruction.residual_autoencoder": "ResidualAutoencoder",
    "blemish.detectors.reconstruction.ssim_autoencoder": "StructuralAutoencoder",
    "blemish.detectors.reconstruction.vae": "VariationalAutoencoder",
    "blemish.detectors.registry": "create_detector detector_info detector_names register",
    "blemish.detectors.supervised.classifier": "Classifier",
    "blemish.detectors.supervised.supersimplenet": "SuperSimpleNet",
    "blemish.detectors.supervised.unet": "UNet",
    "blemish.evaluation.thresholds": "choose_thresholds",
    "blemish.line.inspection": "Inspection",
    "blemish.line.runtime": "Inspector",
    "blemish.workflows.notebook": "Measured benchmark evaluate explore_images fit load",
    "blemish.workflows.notebook_learning": "learn",
    "blemish.workflows.notebook_station": "corrections drift insight preview_decision shadow",
}

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    """Fetch a public name when it is first used (PEP 562).

    Raises:
        AttributeError: there is none of that name.
        MissingExtraError: it needs packages that are not installed.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'blemish' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "blemish").startswith("blemish"):
            raise
        from blemish.core.errors import MissingExtraError

        raise MissingExtraError(f"blemish.{name}", "train") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
