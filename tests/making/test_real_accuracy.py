"""All defaults on real photographs: the bars that a release must pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def measured(blemish: Callable[..., Any], data: Path, out: Path) -> dict[str, Any]:
    """What `blemish evaluate --json` says after `blemish fit`."""
    artifact = out / f"{data.name}.blemish"
    assert blemish("fit", str(data), "--out", str(artifact)).status == 0
    result: dict[str, Any] = blemish("evaluate", str(artifact), str(data), "--json").document
    return result


@pytest.mark.real
def test_metal_plates_are_told_apart(blemish: Callable[..., Any], real_data: Path, tmp_path: Path) -> None:
    result = measured(blemish, real_data / "metal_plate", tmp_path)
    assert result["image_auroc"] >= 0.99
    assert result["pixel_auroc"] >= 0.95


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("category", "image_auroc", "pixel_auroc"), [("screw", 0.95, 0.97), ("magnetic_tile", 0.90, 0.0)]
)
def test_hard_sets_pass_their_bars(
    blemish: Callable[..., Any],
    real_data: Path,
    tmp_path: Path,
    category: str,
    image_auroc: float,
    pixel_auroc: float,
) -> None:
    result = measured(blemish, real_data / category, tmp_path)
    assert result["image_auroc"] >= image_auroc
    assert result["pixel_auroc"] >= pixel_auroc
