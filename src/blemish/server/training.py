"""Whether this server can learn: the laboratory may not be installed beside it."""

from __future__ import annotations

from importlib.util import find_spec

from blemish.core.errors import MissingExtraError

_NEEDS = ("torch", "pandas", "plotly")


def training_installed() -> bool:
    """Whether trainings, explorations and comparisons can run here."""
    return all(find_spec(name) is not None for name in _NEEDS)


def require_training() -> None:
    """Refuse a job that cannot run.

    Raises:
        MissingExtraError: the laboratory is not installed.
    """
    if not training_installed():
        raise MissingExtraError("Learning and comparing on this server", "train")
