"""Detectors that reconstruct good parts, and fail on defects."""

from __future__ import annotations

from blemish.detectors.information import LEARNING_RATES, TOPS, DetectorInfo

PLAIN = {"examples_per_epoch": 0, "sigma": 0.0, "top": 1.0, "edges": 0.0}
"""Each photograph once an epoch, the mean error as score, the bare error as map."""

DETECTORS = (
    DetectorInfo(
        "cae",
        where="blemish.detectors.reconstruction.cae:ConvolutionalAutoencoder",
        summary="Convolutional autoencoder of pixels; small and quick, sees changes of colour and gross damage.",
        trains=True,
        reference="Masci et al., Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction, ICANN 2011",
        presets={"plain": PLAIN, "founded": {**PLAIN, "augment": "flips,jitter"}},
        space={"size": [128, 192], "epochs": [20, 40], "learning_rate": LEARNING_RATES, "top": TOPS},
    ),
    DetectorInfo(
        "ssim-autoencoder",
        where="blemish.detectors.reconstruction.ssim_autoencoder:StructuralAutoencoder",
        summary="Autoencoder trained on structural similarity; for textures, where pixel values alone say little.",
        trains=True,
        reference="Bergmann et al., Improving Unsupervised Defect Segmentation by Applying Structural Similarity to "
        "Autoencoders, VISAPP 2019",
        presets={"plain": PLAIN},
        space={
            "size": [128, 256],
            "epochs": [20, 40],
            "learning_rate": LEARNING_RATES,
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "residual-autoencoder",
        where="blemish.detectors.reconstruction.residual_autoencoder:ResidualAutoencoder",
        summary="Autoencoder with a residual block on an augmented set; for few photographs of parts that turn.",
        trains=True,
        reference="He et al., Deep Residual Learning for Image Recognition, CVPR 2016 (the block)",
        presets={"plain": {**PLAIN, "examples_per_epoch": 1500}},
        space={
            "size": [128, 224],
            "epochs": [5, 10],
            "learning_rate": LEARNING_RATES,
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "vae",
        where="blemish.detectors.reconstruction.vae:VariationalAutoencoder",
        summary="Variational autoencoder; for teaching and comparison: its smooth reconstructions leave it weak, with "
        "few photographs most of all.",
        trains=True,
        reference="Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014",
        presets={"plain": {**PLAIN, "beta": 1.0}},
        space={
            "size": [128],
            "epochs": [30, 60],
            "latent": [64, 128, 256],
            "beta": [0.01, 1.0],
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "feature-autoencoder",
        where="blemish.detectors.reconstruction.feature_autoencoder:FeatureAutoencoder",
        summary="Autoencoder of a frozen backbone's patches; small, learns what features go together on good parts.",
        trains=True,
        reference="Shi et al., Unsupervised anomaly segmentation via deep feature reconstruction, Neurocomputing 2021",
        presets={
            "resnet50": {
                "backbone": "resnet50",
                "size": 224,
                "grid": 28,
                "widths": (400, 200, 100),
                "standardised": False,
            },
        },
        space={
            "size": [256, 352],
            "taps": [[8, 16], [16]],
            "epochs": [20, 50],
            "neighbourhood": [1, 3],
            "top": TOPS,
        },
    ),
    DetectorInfo(
        "ganomaly",
        where="blemish.detectors.reconstruction.ganomaly:Ganomaly",
        summary="Autoencoder taught by a discriminator, scored by its latent numbers; for comparison: it stays weak.",
        trains=True,
        reference="Akcay et al., GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training, ACCV 2018",
        space={
            "size": [64, 128],
            "epochs": [20, 40],
            "latent": [50, 100],
            "contextual_weight": [1.0, 50.0],
        },
    ),
)
