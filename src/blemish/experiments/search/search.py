"""The search: settings tried on validation folds, and the chosen one measured once on the test images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.core.progress import task
from blemish.data.digest import catalog_digest
from blemish.detectors.base import Detector
from blemish.detectors.chosen import NETWORKS, ChosenDetector
from blemish.detectors.registry import detector_info
from blemish.experiments.final import Final
from blemish.experiments.search.chosen import measure_chosen
from blemish.experiments.search.cluster_trials import Propose, trials_on_cluster
from blemish.experiments.search.trial_store import TrialStore
from blemish.experiments.space import Setting, Space, to_json
from blemish.experiments.split_catalog import SplitCatalog
from blemish.experiments.store import by_content, key_of
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
        chosen: the detector with what is set of it besides the space.
        space: the settings.
        out: folder for the trials and the result.
        method: one of `METHODS`.
        trials: most trials in all, those of earlier runs included; None: 20 by bayes, the whole grid by grid.
        seed: of detector and search.
        taken_out: what the detector's default space names too, and stays as it is set.
    """

    split: SplitCatalog
    chosen: ChosenDetector
    space: Space
    out: Path
    method: str = "bayes"
    trials: int | None = None
    seed: int = 0
    taken_out: dict[str, Any] = field(default_factory=dict)

    @property
    def detector(self) -> str:
        """The detector's name."""
        return self.chosen.name

    @property
    def fixed(self) -> dict[str, Any]:
        """What is set of every trial besides the preset, with the files of weights."""
        if not any(name in self.space for name in NETWORKS):
            return self.chosen.settings()
        files = [f"{name}={file}" for name, file in self.chosen.weights.items()]
        return dict(self.chosen.parameters) | ({"weights": files} if files else {})

    @property
    def varied(self) -> list[str]:
        """Parameters of the preset that the space tries other values of."""
        presets = detector_info(self.detector).presets
        return [name for name in self.space if name in presets.get(self.chosen.preset or "", {})]

    def settings(self, setting: Setting) -> dict[str, Any]:
        """All that is set in a trial besides the preset."""
        return self.chosen.settings(**setting)

    def make(self, setting: Setting) -> Detector:
        """The unfitted detector of a setting."""
        return self.chosen.make(**setting, seed=self.seed)

    def measure(self, setting: Setting) -> Trial:
        """A setting on the validation folds; its number is set by whoever keeps it."""
        return run_trial(0, setting, partial(validate, partial(self.make, setting), self.split.choosing))

    def key(self) -> str:
        """The key of what every trial's result depends on."""
        parameters = by_content(self.make({}).key_parameters())
        files = by_content({name: str(file) for name, file in self.chosen.weights.items()})
        return key_of([
            __version__, self.detector, parameters, to_json(self.space), self.method, self.split.name,
            catalog_digest(self.split.catalog), self.seed, *([files] if files else []),
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
            "preset": plan.chosen.preset,
            "fixed": plan.fixed,
            "taken_out": plan.taken_out,
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


def run_search(
    plan: SearchPlan,
    tell: Callable[[Trial], None] = lambda trial: None,
    ray: Any = None,
    workers: int | None = None,
) -> Search:
    """Try settings on the validation folds, then measure the best one on the test images.

    Finished trials lie in `plan.out`: the same search goes on where it was, and repeats none. A trial that fails is
    recorded, and the others go on. The test images are looked at when all trials are done, and once for each setting
    that was ever chosen in this folder; `Final.measured` counts them.

    Args:
        plan: what, where, how.
        tell: called with every trial that was measured now.
        ray: a cluster that measures the trials, as `blemish.cluster.session.cluster` gives it; None for this process.
        workers: trials at a time on it; None for as many as it has processors.

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
    measured = _run_trials(plan, store, tell, ray, workers)
    trials = store.trials()
    chosen = chosen_of(trials, plan.detector)
    final = measure_chosen(plan.split, partial(plan.make, chosen.setting), plan.out, key, chosen.setting)
    importance, note = store.importance()
    seconds = time.monotonic() - started
    return Search(plan, tuple(trials), measured, chosen, final, importance, note, seconds)


def _run_trials(
    plan: SearchPlan, store: TrialStore, tell: Callable[[Trial], None], ray: Any, workers: int | None
) -> int:
    """Run the trials that are missing; their number."""
    propose = store.next_of_grid if plan.method == "grid" else store.next_by_bayes
    done = len(store.trials())
    missing = max(_wanted(plan, store) - done, 0)
    with task(f"Trying settings of {plan.detector}", missing) as advance:
        found = (
            _trials_here(plan, propose, missing)
            if ray is None
            else trials_on_cluster(ray, plan, propose, missing, workers)
        )
        measured = 0
        for trial in found:
            store.add(trial)
            tell(replace(trial, number=done + measured))
            measured += 1
            advance(1)
    return measured


def _trials_here(plan: SearchPlan, propose: Propose, count: int) -> Iterator[Trial]:
    """Trials in this process, one after another."""
    for _ in range(count):
        setting = propose(())
        if setting is None:
            return
        yield plan.measure(setting)


def _wanted(plan: SearchPlan, store: TrialStore) -> int:
    """Trials in all."""
    if plan.method == "bayes":
        return plan.trials or USUAL_TRIALS
    whole = store.size_of_grid()
    return whole if plan.trials is None else min(plan.trials, whole)
