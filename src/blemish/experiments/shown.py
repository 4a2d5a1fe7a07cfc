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
    """A setting: `size 256, top 0.01`; `as it is set` where nothing is searched."""
    return ", ".join(f"{name} {shown(value)}" for name, value in setting.items()) or "as it is set"


def shown_fixed(fixed: Mapping[str, Any]) -> str:
    """What is set besides what is searched: `size=256`, or `nothing`; the bit depth is not worth telling."""
    given = (f"{name}={shown(value)}" for name, value in fixed.items() if name != "bit_depth")
    return ", ".join(given) or "nothing"


def shown_taken_out(taken_out: Mapping[str, Any], detector: str, left: Iterable[str]) -> str:
    """What stays as it is set although the default space of a detector has values for it, in a sentence."""
    stays = "stays" if len(taken_out) == 1 else "stay"
    rest = ", ".join(left)
    tried = (
        f"of the default space {rest} {'is' if ',' not in rest else 'are'} tried"
        if rest
        else "nothing is tried"
    )
    return f"{detector}: {shown_fixed(taken_out)} {stays} as set; {tried}."


def shown_figures(values: Iterable[float]) -> str:
    """Several figures with commas between, as of folds."""
    return ", ".join(map(shown_figure, values))
