"""The search: settings tried on validation folds, and the chosen one measured once on the test part."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import BlemishError, UsageError
from blemish.core.progress import task
from blemish.data.catalog import Catalog
from blemish.data.digest import catalog_digest
from blemish.detectors.base import Detector
from blemish.detectors.parameter_types import check_types
from blemish.detectors.registry import create_detector
from blemish.experiments.search.final import Final, measure_chosen
from blemish.experiments.search.space import Space, to_json
from blemish.experiments.search.trials import Trial, TrialStore, best_of, measured_trial
from blemish.experiments.search.validation import validate

STUDY = "study.sqlite3"
METHODS = ("bayes", "grid")
USUAL_TRIALS = 20


@dataclass(frozen=True)
class Plan:
    """What is searched for, where, and how.

    Attributes:
        catalog: after a split with folds.
        detector: its name; `preset` and `fixed` are what is set besides the space.
        space: the settings.
        out: folder for the study and the result.
        method: one of `METHODS`.
        trials: most trials in all, those of earlier runs included; None: 20 by bayes, the whole grid by grid.
        seed: of detector and search.
    """

    catalog: Catalog
    detector: str
    space: Space
    out: Path
    method: str = "bayes"
    trials: int | None = None
    seed: int = 0
    preset: str | None = None
    fixed: dict[str, Any] = field(default_factory=dict)

    def make(self, setting: dict[str, Any]) -> Detector:
        """The unfitted detector of a setting."""
        made = create_detector(self.detector, self.preset, **{**self.fixed, **setting, "seed": self.seed})
        check_types(made)
        return made

    def key(self) -> str:
        """SHA-256 over everything that a trial's result depends on."""
        parameters = self.make({}).parameters()
        depends_on = [
            __version__, self.detector, parameters, to_json(self.space), self.method, self.catalog.split_name,
            catalog_digest(self.catalog), self.seed,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(depends_on, default=str, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        plan: what was searched.
        trials: all, in the order of measuring; `measured` of them now.
        chosen: the best of them.
        final: the chosen setting on validation and on the test part.
        importance, importance_note: see `TrialStore.importance`.
        seconds: how long this run took.
    """

    plan: Plan
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
            "category": plan.catalog.category,
            "detector": plan.detector,
            "preset": plan.preset,
            "fixed": plan.fixed,
            "split": plan.catalog.split_name,
            "counts": plan.catalog.counts(),
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


def run_search(plan: Plan, tell: Callable[[Trial], None] = lambda trial: None) -> SearchResult:
    """Try settings on the validation folds, then measure the best one on the test part.

    Finished trials lie in `plan.out`: the same search goes on where it was, and repeats none. A trial that fails is
    recorded, and the others go on. The test part is touched when all trials are done, and once for each setting that
    was ever chosen in this folder; `Final.measured` counts them.

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
    store = TrialStore(plan.out / STUDY, key, plan.space, plan.seed)
    measured = _run_trials(plan, store, tell)
    trials = store.trials()
    chosen = best_of(trials)
    if chosen is None:
        raise BlemishError(
            f"All {len(trials)} settings of {plan.detector} failed; the first: {trials[0].error}"
        )
    final = measure_chosen(plan.catalog, lambda: plan.make(chosen.setting), plan.out, key, chosen.setting)
    importance, note = store.importance()
    seconds = time.monotonic() - started
    return SearchResult(plan, tuple(trials), measured, chosen, final, importance, note, seconds)


def _run_trials(plan: Plan, store: TrialStore, tell: Callable[[Trial], None]) -> int:
    """Run the trials that are missing; their number."""
    propose = store.next_of_grid if plan.method == "grid" else store.next_by_bayes
    done = len(store.trials())
    missing = _wanted(plan, store) - done
    for_all = f"Trying settings of {plan.detector}"
    with task(for_all, max(missing, 0)) as advance:
        for number in range(done, done + missing):
            setting = propose()
            if setting is None:
                return number - done
            trial = _run_trial(plan, number, setting)
            store.add(trial)
            tell(trial)
            advance(1)
    return max(missing, 0)


def _wanted(plan: Plan, store: TrialStore) -> int:
    """Trials in all."""
    if plan.method == "bayes":
        return plan.trials or USUAL_TRIALS
    whole = store.size_of_grid()
    return whole if plan.trials is None else min(plan.trials, whole)


def _run_trial(plan: Plan, number: int, setting: dict[str, Any]) -> Trial:
    """One setting on the validation folds; a failure is recorded."""
    return measured_trial(number, setting, lambda: validate(lambda: plan.make(setting), plan.catalog))
