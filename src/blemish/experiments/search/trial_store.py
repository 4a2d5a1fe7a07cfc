"""The trials of a search on disk, in Optuna's format: what was measured, and what is measured next."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.json_values import with_tuples
from blemish.experiments.space import (
    Interval,
    Setting,
    Space,
    Values,
    grid,
    is_finite,
    setting_key,
)
from blemish.experiments.trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

STARTUP_TRIALS = 8
FEWEST_FOR_IMPORTANCE = 10
_ATTEMPTS = 12


class TrialStore:
    """The trials of one search, in a SQLite file that may hold several searches.

    A trial is written when it is finished, in one transaction: whoever is killed loses the one under way. What comes
    next depends on the seed and the finished trials alone, so an interrupted search ends like any other.

    Args:
        path: the SQLite file, made if there is none.
        key: what the results depend on; another key is another search.
        space: where settings come from.
        seed: of the proposals.
    """

    def __init__(self, path: Path, key: str, space: Space, seed: int) -> None:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import QueuePool

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._seed = space, seed
        self._distributions = {name: _distribution(dimension) for name, dimension in space.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not by a URL, which holds no name that is not UTF-8.
        connect = partial(sqlite3.connect, path.absolute(), check_same_thread=False)
        engine = {"creator": connect, "poolclass": QueuePool}
        try:
            storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
            self._kept = optuna.create_study(
                storage=storage, study_name=key, direction="maximize", load_if_exists=True
            )
        except (SQLAlchemyError, RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())[:120]
            raise BlemishError(
                f"{path} cannot be used for the trials of a search ({reason}): choose another --out."
            ) from error

    def trials(self) -> list[Trial]:
        """The finished trials, in the order of measuring."""
        return [
            _trial(number, one.user_attrs) for number, one in enumerate(self._kept.get_trials(deepcopy=False))
        ]

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        import optuna

        state = optuna.trial.TrialState.FAIL if trial.error else optuna.trial.TrialState.COMPLETE
        self._kept.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=None if trial.error else trial.auroc,
                params=_params(trial.setting, self._space),
                distributions=self._distributions,
                user_attrs={
                    "setting": setting_key(trial.setting),
                    "folds": list(trial.aurocs),
                    "seconds": trial.seconds,
                    "error": trial.error,
                },
            )
        )

    def next_of_grid(self, begun: Sequence[Setting] = ()) -> Setting | None:
        """The first setting of the grid that has neither been measured nor begun; None when there is none."""
        known = self._known(begun)
        return next((setting for setting in grid(self._space) if setting_key(setting) not in known), None)

    def size_of_grid(self) -> int:
        """Settings of the grid."""
        return len(grid(self._space))

    def next_by_bayes(self, begun: Sequence[Setting] = ()) -> Setting | None:
        """A setting that has neither been measured nor begun, proposed by TPE; None when none is left.

        Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011. The first 8 are drawn at random.
        Where TPE proposes only what is known, an unknown setting is drawn at random. What is begun elsewhere counts
        among the bad ones until it is measured (the "constant liar"), so that those at work try different things.

        Args:
            begun: settings that others measure now.
        """
        import optuna

        known = self._known(begun)
        finished = self._kept.get_trials(deepcopy=False)
        running = [self._running(setting) for setting in begun]
        for attempt in range(_ATTEMPTS):
            entropy = np.random.SeedSequence(
                (self._seed, len(finished) + len(begun), attempt)
            ).generate_state(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = optuna.samplers.TPESampler(
                    seed=int(entropy[0]),
                    n_startup_trials=STARTUP_TRIALS,
                    multivariate=True,
                    constant_liar=bool(begun),
                )
            # In memory: what is only proposed must leave no trace in the file.
            proposing = optuna.create_study(direction="maximize", sampler=sampler)
            proposing.add_trials([*finished, *running])
            setting = _setting(proposing.ask(self._distributions).params, self._space)
            if setting_key(setting) not in known:
                return setting
        if not is_finite(self._space):
            return None
        left = [setting for setting in grid(self._space) if setting_key(setting) not in known]
        rng = np.random.default_rng((self._seed, len(finished) + len(begun)))
        return left[int(rng.integers(len(left)))] if left else None

    def importance(self) -> tuple[dict[str, float], str]:
        """Share of the AUROC's variance that each parameter explains (fANOVA), largest first, and a note.

        Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014. Without shares the
        note says why. Values are numbered, in the order of the space: split one against the rest, as categories
        are, the cost would grow exponentially with how many there are.
        """
        import optuna

        done = [trial for trial in self.trials() if not trial.error]
        varied = [
            name
            for name in self._space
            if len({setting_key({name: trial.setting[name]}) for trial in done}) > 1
        ]
        if len(done) < FEWEST_FOR_IMPORTANCE:
            return (
                {},
                f"{len(done)} trials are too few to tell which parameter matters: {FEWEST_FOR_IMPORTANCE} are needed.",
            )
        if not varied or np.ptp([trial.auroc for trial in done]) == 0:
            return {}, "All trials reached the same AUROC, so no parameter can be said to matter."
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        numbered = optuna.create_study(direction="maximize")
        numbered.add_trials([self._numbered(trial) for trial in done])
        found = optuna.importance.get_param_importances(numbered, evaluator=evaluator, params=varied)
        return {name: float(share) for name, share in found.items()}, f"From {len(done)} trials, by fANOVA."

    def _numbered(self, trial: Trial) -> FrozenTrial:
        """A finished trial as Optuna has it, with the number of each choice in its place."""
        import optuna

        distributions: dict[str, BaseDistribution] = {}
        params = _params(trial.setting, self._space)
        for name, distribution in self._distributions.items():
            if isinstance(distribution, optuna.distributions.CategoricalDistribution):
                params[name] = distribution.choices.index(params[name])
                # Optuna leaves out what could have had one value only, and cannot measure it.
                distribution = optuna.distributions.IntDistribution(0, len(distribution.choices) - 1)
            distributions[name] = distribution
        return optuna.trial.create_trial(value=trial.auroc, params=params, distributions=distributions)

    def _running(self, setting: Setting) -> FrozenTrial:
        """A setting that is measured now, as Optuna has it."""
        import optuna

        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=_params(setting, self._space),
            distributions=self._distributions,
        )

    def _known(self, begun: Sequence[Setting]) -> set[str]:
        return {setting_key(one) for one in [*(trial.setting for trial in self.trials()), *begun]}


def _trial(number: int, kept: Mapping[str, Any]) -> Trial:
    setting = {name: with_tuples(value) for name, value in json.loads(kept["setting"]).items()}
    return Trial(number, setting, tuple(kept["folds"]), float(kept["seconds"]), str(kept["error"]))


def _distribution(dimension: Values | Interval) -> BaseDistribution:
    """As Optuna has it; choices are JSON texts, for Optuna knows no tuples."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Values):
        return CategoricalDistribution([json.dumps(value) for value in dimension.values])
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _params(setting: Setting, space: Space) -> dict[str, Any]:
    return {name: json.dumps(v) if isinstance(space[name], Values) else v for name, v in setting.items()}


def _setting(params: Mapping[str, Any], space: Space) -> Setting:
    return {
        name: with_tuples(json.loads(value)) if isinstance(space[name], Values) else value
        for name, value in params.items()
    }
