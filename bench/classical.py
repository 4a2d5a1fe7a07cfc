"""What the classical detectors reach on real photographs, by features, as the tabular school has them and by default.

    python bench/classical.py [FOLDER] [--write]

FOLDER holds data sets in the MVTec AD layout; those that are absent are left out. The tabular school takes
deep features as means over space and a robust covariance; all other parameters are defaults.
"""

from __future__ import annotations

import argparse
import os
from itertools import product
from pathlib import Path

from measuring.pages import MEASUREMENTS, ROOT, origin, table, write_block
from sklearn.metrics import roc_auc_score

import blemish  # noqa: F401  (before torch: it says how its threads wait)
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.registry import create_detector, detector_info
from blemish.features.handcrafted import handcrafted_table

DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
CATEGORIES = ("screw", "metal_plate")
DETECTORS = ("one-class-svm", "isolation-forest", "local-outlier-factor", "elliptic-envelope")
FEATURES = ("direct", "deep-last", "deep-mid")
SCHOOL = {"pooling": "mean", "covariance": "robust"}
SETTINGS = {
    "PCA 95%": {**SCHOOL, "explained": 0.95},
    "all features": {**SCHOOL, "explained": 0.0},
    "defaults": {},
}


def auroc(catalog: Catalog, name: str, features: str, setting: str) -> float:
    """Image AUROC on the catalog's test photographs."""
    test, known = catalog.test(), detector_info(name).parameters
    given = {parameter: value for parameter, value in SETTINGS[setting].items() if parameter in known}
    detector = create_detector(name, features=features, **given).fit(catalog)
    scores = [prediction.score for prediction in detector.predict([Path(path) for path in test["path"]])]
    return float(roc_auc_score(test["label"] == "anomalous", scores))


def brightness(catalog: Catalog) -> list[str]:
    """Mean grey value of each kind of photograph, and how well it alone ranks the defective above the good."""
    measured = handcrafted_table(catalog)
    kinds = measured["set_type"] + " " + measured["anomaly_status"]
    means = measured.groupby(kinds)["mean_intensity"].mean()
    tested = measured[measured["set_type"] == "test"]
    alone = roc_auc_score(tested["anomaly_status"] == "anomalous", tested["mean_intensity"])
    wanted = ("train normal", "test normal", "test anomalous")
    return [catalog.category, *(f"{means[kind]:.0f}" for kind in wanted), f"{alone:.3f}"]


def main() -> None:
    """Measure, print, and with --write put the tables into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Accuracy of the classical detectors, as Markdown tables.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    catalogs = [
        open_catalog(options.folder / name) for name in CATEGORIES if (options.folder / name).is_dir()
    ]
    header = ["image AUROC", "features"]
    header += [f"{catalog.category}, {setting}" for catalog, setting in product(catalogs, SETTINGS)]
    rows = []
    for name, features in product(DETECTORS, FEATURES):
        found = [auroc(catalog, name, features, setting) for catalog, setting in product(catalogs, SETTINGS)]
        rows.append([name, features, *(f"{value:.3f}" for value in found)])
    light = table(
        ("mean grey value", "training", "good test", "defective test", "AUROC of it alone"),
        [brightness(catalog) for catalog in catalogs],
    )
    shown = f"{table(header, rows)}\n\n{light}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(MEASUREMENTS, "classical", shown)


if __name__ == "__main__":
    main()
