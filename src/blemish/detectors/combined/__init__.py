"""Several detectors as one."""

from __future__ import annotations

from blemish.detectors.information import DetectorInfo

DETECTORS = (
    DetectorInfo(
        "ensemble",
        where="blemish.detectors.combined.ensemble:Ensemble",
        summary="Several detectors at once, by how surprising each finds an image; shows who said what.",
        reference="Fisher, Statistical Methods for Research Workers, 1925 (combination of p-values)",
        presets={"strong": {"members": ("patchcore", "feature-autoencoder", "supersimplenet")}},
        space={
            "size": [256, 352],
            "members": [["patchcore", "feature-autoencoder"], ["patchcore", "padim"], ["patchcore", "knn"]],
            "rule": ["mean", "max"],
        },
    ),
)
