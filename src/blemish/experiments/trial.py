"""Trials: settings that were tried on validation folds, and the best of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.core.errors import BlemishError
from blemish.experiments.space import Setting
from blemish.experiments.validation import Validated


@dataclass(frozen=True)
class Trial:
    """One measured setting.

    Attributes:
        number: from 0, in the order of measuring.
        setting: the parameters that the space gives.
        aurocs: of each validation fold; empty if it failed.
        seconds: how long fitting and scoring took.
        error: why it failed; empty if it did not.
    """

    number: int
    setting: Setting
    aurocs: tuple[float, ...]
    seconds: float
    error: str = ""

    @property
    def auroc(self) -> float:
        """Mean over the folds; nan if it failed."""
        return float(np.mean(self.aurocs)) if self.aurocs else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The trial as JSON-ready values, without the seconds, which differ from run to run."""
        reached = {"error": self.error} if self.error else {"auroc": self.auroc, "folds": list(self.aurocs)}
        return {"number": self.number, "setting": self.setting, **reached}


def run_trial(number: int, setting: Setting, validate: Callable[[], Validated]) -> Trial:
    """One setting on the validation folds; a failure is recorded, for it must not end what tries many."""
    started = time.monotonic()
    aurocs: tuple[float, ...] = ()
    error = ""
    try:
        aurocs = tuple(validate().aurocs)
    except Exception as failure:
        error = failure_sentence(failure, "this setting")
    return Trial(number, setting, aurocs, time.monotonic() - started, error)


def chosen_of(trials: Sequence[Trial], detector: str) -> Trial:
    """The trial with the highest mean AUROC, the first of equals: its setting is chosen.

    Raises:
        BlemishError: all trials failed.
    """
    done = [trial for trial in trials if not trial.error]
    if not done:
        raise BlemishError(f"All {len(trials)} settings of {detector} failed; the first: {trials[0].error}")
    return max(done, key=lambda trial: trial.auroc)


def failure_sentence(failure: Exception, what: str) -> str:
    """Why `what` failed, where the failure is recorded and the others go on."""
    if isinstance(failure, BlemishError):
        return str(failure)
    if isinstance(failure, MemoryError):
        return f"There is not enough memory for {what}: use a smaller size."
    cause = " ".join(str(failure).split())[:300] or "no reason given"
    return f"{what[0].upper()}{what[1:]} ended unexpectedly ({type(failure).__name__}: {cause}): please report it."
