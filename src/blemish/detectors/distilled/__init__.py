"""Detectors whose student fails to follow its teacher on defects."""

from __future__ import annotations

from blemish.detectors.information import LEARNING_RATES, DetectorInfo

_EFFICIENTAD_PAPER = {
    "model_size": "small",
    "channels": 384,
    "epochs": 140,
    "milestone": 0.95,
    "hard": 0.999,
    "learning_rate": 1e-4,
    "distillation_rate": 1e-4,
    "examples_per_epoch": 500,
    "distillation_steps": 60_000,
    "distillation_batch": 16,
}

DETECTORS = (
    DetectorInfo(
        "student-teacher",
        where="blemish.detectors.distilled.student_teacher:StudentTeacher",
        summary="A student learns to predict a frozen teacher's features on good parts; its failures show defects.",
        trains=True,
        reference="Wang et al., Student-Teacher Feature Pyramid Matching, BMVC 2021; Deng and Li, Reverse "
        "Distillation, "
        "CVPR 2022 (student=reverse)",
        presets={
            "lite0": {},
            "wide": {
                "backbone": "wide_resnet50_2",
                "size": 320,
                "student": "resnet18",
                "standardised": False,
                "epochs": 100,
                "batch_size": 8,
                "learning_rate": 1e-3,
                "milestone": 0.8,
                "patience": 0,
                "examples_per_epoch": 0,
            },
        },
        space={
            "size": [192, 256],
            "epochs": [15, 30],
            "learning_rate": LEARNING_RATES,
            "student": ["reverse"],
            "unit": [True, False],
        },
    ),
    DetectorInfo(
        "efficientad",
        where="blemish.detectors.distilled.efficientad:EfficientAD",
        summary="A small student and an autoencoder against a distilled teacher; built for speed, long to train.",
        trains=True,
        reference="Batzner et al., EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level Latencies, "
        "WACV 2024",
        presets={
            "paper": _EFFICIENTAD_PAPER,
            "paper-medium": _EFFICIENTAD_PAPER | {"model_size": "medium"},
        },
        space={"size": [256], "epochs": [5, 10], "channels": [64, 128], "hard": [0.9, 0.99]},
    ),
)
