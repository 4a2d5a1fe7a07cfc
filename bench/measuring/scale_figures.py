"""What the measurements of scale leave for the plan that is computed from them."""

from __future__ import annotations

import json
from typing import Any

from measuring.pages import ROOT

_FILE = ROOT / "bench" / "measuring" / "scale_figures.json"


def remember(name: str, **figures: float) -> None:
    """Keep the figures of one measurement, in place of those of the last."""
    known = recalled() | {name: {key: float(f"{value:.4g}") for key, value in figures.items()}}
    _FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", "utf-8")


def recalled() -> dict[str, dict[str, Any]]:
    """All figures that were kept, by measurement."""
    return json.loads(_FILE.read_text("utf-8")) if _FILE.exists() else {}
