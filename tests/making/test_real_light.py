"""What the defaults promise of good parts is worth in another light too, on real photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("category", ["metal_plate", "screw"])
def test_false_rejects_stay_under_twice_the_promise_at_15_percent_brightness(
    blemish: Callable[..., Any], real_data: Path, tmp_path: Path, category: str
) -> None:
    data, artifact = real_data / category, tmp_path / f"{category}.blemish"
    assert blemish("fit", data, "--out", artifact).status == 0
    asked = ("--of", "brightness", "--steps", 2, "--limit", 2000, "--json")
    (curve,) = blemish("stress", artifact, data, *asked).document["disturbances"]
    borne = {point["strength"]: not point["over"] for point in curve["points"]}
    assert borne[0.85] and borne[1.0] and borne[1.15], curve["in_words"]
