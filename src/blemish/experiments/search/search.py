"""The search: settings tried on validation folds, and the chosen one measured once on the test images."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.core.progress import task
from blemish.data.digest import catalog_digest
from blemish.detectors.base import Detector
from blemish.detectors.parameter_types import check_types
from blemish.detectors.registry import create_detector
from blemish.experiments.final import Final
from blemish.experiments.search.chosen import measure_chosen
from blemish.experiments.search.trial_store import TrialStore
from blemish.experiments.space import Setting, Space, to_json
from blemish.experiments.split_catalog import SplitCatalog
from blemish.experiments.store import key_of
from blemish.experiments.trial import Trial, chosen_of, run_trial
from blemish.experiments.validation import validate

TRIALS = "study.sqlite3"
METHODS = ("bayes", "grid")
USUAL_TRIALS = 20


@dataclass(frozen=True)
class SearchPlan:
    """What is searched for, where, and how.

    Attributes:
        split: the category, after a split with folds.
        detector: its name; `preset` and `fixed` are what is set besides the space.
        space: the settings.
        out: folder for the trials and the result.
        method: one of `METHODS`.
        trials: most trials in all, those of earlier runs included; None: 20 by bayes, the whole grid by grid.
        seed: of detector and search.
    """

    split: SplitCatalog
    detector: str
    space: Space
    out: Path
    method: str = "bayes"
    trials: int | None = None
    seed: int = 0
    preset: str | None = None
    fixed: dict[str, Any] = field(default_factory=dict)

    def make(self, setting: Setting) -> Detector:
        """The unfitted detector of a setting."""
        made = create_detector(self.detector, self.preset, **{**self.fixed, **setting, "seed": self.seed})
        check_types(made)
        return made

    def key(self) -> str:
        """The key of what every trial's result depends on."""
        parameters = self.make({}).key_parameters()
        return key_of([
            __version__, self.detector, parameters, to_json(self.space), self.method, self.split.name,
            catalog_digest(self.split.catalog), self.seed,
        ])  # fmt: skip


@dataclass(frozen=True)
class Search:
    """A finished search.

    Attributes:
        plan: what was searched.
        trials: all, in the order of measuring; `measured` of them now.
        chosen: the best of them.
        final: the chosen setting on validation and on the test images.
        importance, importance_note: see `TrialStore.importance`.
        seconds: how long this run took.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    measured: int
    chosen: Trial
    final: Final
    importance: dict[str, float]
    importance_note: str
    seconds: float

    @property
    def failed(self) -> list[Trial]:
        """Trials that failed."""
        return [trial for trial in self.trials if trial.error]

    def to_json(self) -> dict[str, Any]:
        """The whole search, JSON-ready; all that differs between two runs is under `timings`."""
        plan = self.plan
        return {
            "category": plan.split.catalog.category,
            "detector": plan.detector,
            "preset": plan.preset,
            "fixed": plan.fixed,
            "split": plan.split.name,
            "counts": plan.split.catalog.counts(),
            "method": plan.method,
            "seed": plan.seed,
            "space": to_json(plan.space),
            "trials": [trial.to_json() for trial in self.trials],
            "chosen": self.chosen.to_json(),
            **self.final.to_json(),
            "importance": self.importance,
            "importance_note": self.importance_note,
            "timings": {
                "seconds": self.seconds,
                "measured_now": self.measured,
                "trials": [trial.seconds for trial in self.trials],
            },
        }


def run_search(plan: SearchPlan, tell: Callable[[Trial], None] = lambda trial: None) -> Search:
    """Try settings on the validation folds, then measure the best one on the test images.

    Finished trials lie in `plan.out`: the same search goes on where it was, and repeats none. A trial that fails is
    recorded, and the others go on. The test images are looked at when all trials are done, and once for each setting
    that was ever chosen in this folder; `Final.measured` counts them.

    Args:
        plan: what, where, how.
        tell: called with every trial that was measured now.

    Raises:
        UsageError: there is no such method, detector or parameter, or a number of trials below 1.
        BlemishError: every trial failed, or `plan.out` cannot be used.
    """
    if plan.method not in METHODS:
        raise UsageError(f"There is no method {plan.method}: choose one of {', '.join(METHODS)}.")
    if plan.trials is not None and plan.trials < 1:
        raise UsageError(f"{plan.trials} trials find nothing: choose 1 or more.")
    started = time.monotonic()
    key = plan.key()
    store = TrialStore(plan.out / TRIALS, key, plan.space, plan.seed)
    measured = _run_trials(plan, store, tell)
    trials = store.trials()
    chosen = chosen_of(trials, plan.detector)
    final = measure_chosen(plan.split, partial(plan.make, chosen.setting), plan.out, key, chosen.setting)
    importance, note = store.importance()
    seconds = time.monotonic() - started
    return Search(plan, tuple(trials), measured, chosen, final, importance, note, seconds)


def _run_trials(plan: SearchPlan, store: TrialStore, tell: Callable[[Trial], None]) -> int:
    """Run the trials that are missing; their number."""
    propose = store.next_of_grid if plan.method == "grid" else store.next_by_bayes
    done = len(store.trials())
    missing = max(_wanted(plan, store) - done, 0)
    with task(f"Trying settings of {plan.detector}", missing) as advance:
        for number in range(done, done + missing):
            setting = propose()
            if setting is None:
                return number - done
            trial = run_trial(
                number, setting, partial(validate, partial(plan.make, setting), plan.split.choosing)
            )
            store.add(trial)
            tell(trial)
            advance(1)
    return missing


def _wanted(plan: SearchPlan, store: TrialStore) -> int:
    """Trials in all."""
    if plan.method == "bayes":
        return plan.trials or USUAL_TRIALS
    whole = store.size_of_grid()
    return whole if plan.trials is None else min(plan.trials, whole)
