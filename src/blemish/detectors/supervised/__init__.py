"""Detectors that learn from defects: labelled, marked, or painted."""

from __future__ import annotations

from blemish.detectors.information import TOPS, DetectorInfo

DETECTORS = (
    DetectorInfo(
        "supersimplenet",
        where="blemish.detectors.supervised.supersimplenet:SuperSimpleNet",
        summary="Heads that learn to see noise in features; learns from good photographs, better with some defects.",
        trains=True,
        reference="Rolih et al., SuperSimpleNet: Unifying Unsupervised and Supervised Learning for Fast and Reliable "
        "Surface Defect Detection, ICPR 2024",
        presets={
            "paper": {
                "backbone": "wide_resnet50_2",
                "upscale": 2,
                "hidden": 1024,
                "channels": 128,
                "kernel": 5,
                "epochs": 300,
                "patience": 0,
                "examples_per_epoch": 0,
            },
        },
        space={
            "size": [256, 352],
            "epochs": [5, 10, 20],
            "noise": [0.25, 0.5, 1.0],
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "unet",
        where="blemish.detectors.supervised.unet:UNet",
        summary="Supervised segmentation; learns defects from masks, or from defects that it paints on good "
        "photographs.",
        learns_from="masks",
        trains=True,
        reference="Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015",
        presets={
            "simple": {
                "encoder": "simple",
                "size": 64,
                "epochs": 25,
                "patience": 5,
                "batch_size": 4,
                "precision": "auto",
            },
            "plain": {"encoder": "plain", "learning_rate": 2e-3, "epochs": 40},
            "strong": {"encoder": "efficientnet_lite2", "size": 320, "epochs": 30},
        },
        space={
            "size": [192, 256],
            "epochs": [12, 24],
            "synthetic": ["only", "no", "both"],
            "top": [0.001, 0.002, 0.01],
        },
    ),
    DetectorInfo(
        "classifier",
        where="blemish.detectors.supervised.classifier:Classifier",
        summary="Supervised: good or defective, or which defect; for many labelled photographs without masks.",
        learns_from="labels",
        trains=True,
        reference="Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017 (the map)",
        presets={
            "cnn": {
                "backbone": "cnn",
                "trainable": "all",
                "size": 192,
                "batch_size": 8,
                "examples_per_epoch": 0,
            },
            "fine-tuned": {
                "trainable": "all",
                "size": 320,
                "training_size": 256,
                "judges_mirrored": True,
                "learning_rate": 1e-3,
                "batch_size": 16,
                "examples_per_epoch": 0,
                "epochs": 16,
                "patience": 0,
                "keep": "last",
            },
            "resnet18": {"backbone": "resnet18", "size": 224},
            "vgg16": {"backbone": "vgg16_bn", "size": 224},
        },
        space={
            "size": [256, 384, 512],
            "taps": [[8, 16, 32], [16, 32]],
            "dropout": [0.1, 0.3, 0.5],
            "ridge": [3.0, 30.0, 300.0],
        },
    ),
)
