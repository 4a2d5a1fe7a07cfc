"""Detectors that remember good parts: patch features, and how they are distributed."""

from __future__ import annotations

from blemish.detectors.information import TOPS, DetectorInfo

# Damm et al., 2025: patches of the last block as they are, compared by cosine, in turned copies, on the part alone.
_ANOMALYDINO = {
    "backbone": "vit_small_patch14_dinov2",
    "size": 448,
    "taps": (-1,),
    "neighbourhood": 1,
    "distance": "cosine",
    "masking": True,
    "top": 0.01,
    "sigma": 4.0,
}

DETECTORS = (
    DetectorInfo(
        "patchcore",
        where="blemish.detectors.memory.patchcore:PatchCore",
        summary="Nearest patch of good images; the default: strong everywhere, learns in a minute, no training.",
        reference="Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
        presets={
            "paper": {
                "size": 352,
                "sigma": 4.0,
                "copies": "none",
                "score": "patches",
                "top": 0.0,
                "reweighting": 9,
                "coreset_ratio": 0.1,
                "robust": False,
            },
            "mean-of-top": {
                "copies": "none",
                "size": 352,
                "coreset_size": 2000,
                "score": "patches",
                "context": 30,
                "sigma": 4.0,
                "robust": False,
            },
            "quick": {"size": 256, "copies": "none", "coreset_size": 1000, "pool": 40_000},
            "wide": {
                "size": 352,
                "sigma": 4.0,
                "copies": "none",
                "backbone": "wide_resnet50_2",
                "score": "patches",
                "top": 0.0,
                "coreset_ratio": 0.01,
                "robust": False,
            },
            "anomalydino": {
                **_ANOMALYDINO,
                "copies": "turn8",
                "score": "patches",
                "coreset_size": 10_000,
                "robust": False,
            },
            "light-pca": {
                "sigma": 4.0,
                "backbone": "resnet18",
                "size": 256,
                "copies": "none",
                "taps": (32,),
                "neighbourhood": 1,
                "pool": 150_000,
                "coreset_ratio": 1.0,
                "robust": False,
                "dimensions": 128,
                "score": "patches",
                "top": 1.0,
            },
            "official": {
                "sigma": 4.0,
                "backbone": "wide_resnet50_2",
                "size": 256,
                "copies": "none",
                "crop": 224,
                "coreset_ratio": 0.1,
                "dimensions": 1024,
                "reduction": "average",
                "score": "patches",
                "top": 0.0,
                "reweighting": 9,
                "robust": False,
            },
        },
        space={
            "size": [256, 352, 448],
            "taps": [[8, 16], [16], [8, 16, 32]],
            "coreset_size": [2000, 3000, 4000],
            "score": ["map", "patches"],
            "sigma": [4.0, 8.0, 12.0],
            "copies": ["none", "turn8", "turn24"],
            "context": [0, 30],
        },
    ),
    DetectorInfo(
        "padim",
        where="blemish.detectors.memory.padim:Padim",
        summary="A Gaussian of good features at every position: fast and exact, for parts that always lie the "
        "same way.",
        reference="Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR workshops 2020",
        presets={
            "resnet18": {"backbone": "resnet18", "size": 224, "stride": 4, "dimensions": 100, "prior": 0.0},
            "wide": {
                "backbone": "wide_resnet50_2",
                "size": 224,
                "stride": 16,
                "dimensions": 550,
                "prior": 0.0,
            },
        },
        space={
            "size": [192, 256, 352],
            "taps": [[4, 8, 16], [8, 16]],
            "dimensions": [50, 100, 150],
            "regularisation": [0.001, 0.01, 0.1],
            "prior": [0.0, 1.0],
        },
    ),
    DetectorInfo(
        "knn",
        where="blemish.detectors.memory.knn:NearestNeighbours",
        summary="Mean distance to the 5 nearest patches of good images: the plainest memory bank, a yardstick.",
        reference="Bergman et al., Deep Nearest Neighbor Anomaly Detection, 2020; Cohen and Hoshen, SPADE, 2020",
        presets={"resnet50": {"backbone": "resnet50", "size": 224, "neighbourhood": 1}},
        space={
            "size": [256, 352, 448],
            "taps": [[8, 16], [16]],
            "neighbours": [1, 3, 5, 9],
            "coreset_size": [2000, 4000],
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "few-shot",
        where="blemish.detectors.memory.few_shot:FewShot",
        summary="From 1 to 16 good photographs: turned copies fill the memory, and the background is masked.",
        reference="Damm et al., AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2, WACV 2025",
        presets={"subspace": {"method": "subspace"}, "anomalydino": {**_ANOMALYDINO, "bank_size": 10_000}},
        space={
            "size": [256, 352, 448],
            "method": ["nearest", "subspace"],
            "images": [4, 8, 16],
            "rotations": [1, 4, 8],
            "masking": [True, False],
        },
    ),
)
