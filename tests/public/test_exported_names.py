"""The public face: its names, that it loads nothing, and that type checkers are told the same."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import blemish as bl

NAMES = [
    "__version__",
    "ArtifactError",
    "BlemishError",
    "Catalog",
    "CatalogError",
    "Classifier",
    "ContractError",
    "ConvolutionalAutoencoder",
    "Detector",
    "EfficientAD",
    "EllipticEnvelope",
    "Ensemble",
    "FastFlow",
    "FeatureAutoencoder",
    "FewShot",
    "Ganomaly",
    "GaussianMixture",
    "ImageError",
    "Inspection",
    "Inspector",
    "IsolationForest",
    "LocalOutlierFactor",
    "Measured",
    "MissingExtraError",
    "NameTakenWarning",
    "NearestNeighbours",
    "NotFittedError",
    "OneClassSvm",
    "Padim",
    "PatchCore",
    "Prediction",
    "Region",
    "ResidualAutoencoder",
    "StructuralAutoencoder",
    "StudentTeacher",
    "SuperSimpleNet",
    "UNet",
    "UsageError",
    "VariationalAutoencoder",
    "Verdict",
    "benchmark",
    "check_detector",
    "choose_thresholds",
    "corrections",
    "create_detector",
    "detector_info",
    "detector_names",
    "drift",
    "evaluate",
    "explore_images",
    "fit",
    "insight",
    "learn",
    "load",
    "normal_images",
    "open_catalog",
    "open_catalogs",
    "preview_decision",
    "register",
    "require_fitted",
    "shadow",
    "write_sample_line",
]

# Modules whose docstrings show examples.
SHOWN = ["blemish.core.image_inputs", "blemish.detectors.base", "blemish.detectors.checks"]
SHOWN += ["blemish.workflows.notebook"]


def run(code: str, *options: str) -> str:
    done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_the_public_names_are_these() -> None:
    assert bl.__all__ == NAMES
    assert set(NAMES) <= set(dir(bl))


def test_every_name_is_there_and_is_called_so() -> None:
    for name in NAMES[1:]:
        thing = getattr(bl, name)
        assert thing.__name__ == name and thing.__doc__, name


def test_every_detector_is_public() -> None:
    classes = {bl.detector_info(name).detector_class for name in bl.detector_names()}
    assert {one for one in classes if one.__module__.startswith("blemish.")} <= {
        getattr(bl, name) for name in NAMES
    }


def test_type_checkers_are_told_the_same_names() -> None:
    stub = ast.parse(Path(bl.__file__).with_suffix(".pyi").read_text())
    told = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            told |= {alias.asname: (node.module, alias.name) for alias in node.names}
    assert sorted(told) == NAMES[1:]
    for name, (module, original) in told.items():
        assert getattr(importlib.import_module(module), original) is getattr(bl, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such'"):
        bl.no_such  # noqa: B018
    assert not hasattr(bl, "no_such")


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = run(
        "import sys, blemish; print([m for m in ('numpy', 'torch', 'pandas', 'cv2') if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


def test_importing_it_takes_no_time() -> None:
    # The best of a few: other work on the machine only adds.
    code = "import time; t = time.perf_counter(); import blemish; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(5)) < 0.05


def test_what_judges_on_the_line_needs_no_torch(fitted: Path, washers: Path) -> None:
    code = f"""
import sys
import blemish as bl
result = bl.Inspector.load({str(fitted)!r}).inspect({str(next((washers / "test" / "good").iterdir()))!r})
result.overlay(), result._repr_html_()
print([m for m in ("torch", "pandas", "sklearn") if m in sys.modules])
"""
    assert run(code).strip() == "[]"


def test_what_is_not_installed_is_told_in_a_sentence() -> None:
    code = """
import sys
sys.modules["torch"] = None
import blemish as bl
try:
    bl.PatchCore
except bl.MissingExtraError as error:
    print(error)
"""
    assert run(code).strip() == "blemish.PatchCore needs the extra [train]: pip install 'blemish[train]'."


@pytest.mark.parametrize("module", SHOWN)
def test_the_examples_in_docstrings_are_true(module: str) -> None:
    shown = importlib.import_module(module)
    result = doctest.testmod(shown, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted > 0
