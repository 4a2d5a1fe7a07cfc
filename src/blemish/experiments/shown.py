"""Settings and figures as messages, tables and charts show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blemish.evaluation.report import shown_figure


def shown(value: object) -> str:
    """A parameter's value."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def shown_setting(setting: Mapping[str, Any]) -> str:
    """A setting: `size 256, top 0.01`."""
    return ", ".join(f"{name} {shown(value)}" for name, value in setting.items())


def shown_fixed(fixed: Mapping[str, Any]) -> str:
    """What is set besides what is searched: `size=256`, or `nothing`; the bit depth is not worth telling."""
    given = (f"{name}={shown(value)}" for name, value in fixed.items() if name != "bit_depth")
    return ", ".join(given) or "nothing"


def shown_figures(values: Iterable[float]) -> str:
    """Several figures with commas between, as of folds."""
    return ", ".join(map(shown_figure, values))
