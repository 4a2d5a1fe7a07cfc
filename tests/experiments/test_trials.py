"""Trials on disk: no setting twice, the same ones after an interruption, and what matters told from what does not."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

from blemish.core.errors import BlemishError
from blemish.detectors.registry import detector_info
from blemish.experiments.search.trial_store import FEWEST_FOR_IMPORTANCE, STARTUP_TRIALS, TrialStore
from blemish.experiments.space import Space, Values, setting_key, space_of
from blemish.experiments.trial import Trial, chosen_of

INFO = detector_info("patchcore")
FINITE = space_of({"taps": [[8, 16], [16]], "weights": [None, "a", "b"]}, "it", INFO)
OPEN = space_of(
    {"top": {"low": 0.001, "high": 1.0, "log": True}, "size": {"low": 64, "high": 512}}, "it", INFO
)


def auroc(setting: dict[str, Any]) -> float:
    """Best at a top of 0.1; the size hardly matters."""
    return 0.95 - 0.2 * abs(math.log10(setting["top"] / 0.1)) + 1e-5 * setting["size"]


def run(path: Path, space: Space, count: int, seed: int = 0, reopened: bool = False) -> list[Trial]:
    store = TrialStore(path, "key", space, seed)
    for number in range(len(store.trials()), count):
        if reopened:
            store = TrialStore(path, "key", space, seed)
        setting = store.next_by_bayes()
        if setting is None:
            break
        reached = auroc(setting) if "top" in setting else 0.5 + 0.1 * number
        store.add(Trial(number, setting, (reached - 0.01, reached + 0.01), 0.5))
    return store.trials()


def test_a_finite_space_is_exhausted_and_no_setting_comes_twice(tmp_path: Path) -> None:
    found = run(tmp_path / "study.sqlite3", FINITE, 20)
    assert len(found) == 6 == len({setting_key(trial.setting) for trial in found})
    assert {trial.setting["taps"] for trial in found} == {(8, 16), (16,)}
    assert {trial.setting["weights"] for trial in found} == {None, "a", "b"}
    assert TrialStore(tmp_path / "study.sqlite3", "key", FINITE, 0).next_of_grid() is None
    assert TrialStore(tmp_path / "study.sqlite3", "another", FINITE, 0).trials() == []


def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = run(tmp_path / "a.sqlite3", OPEN, 14)
    run(tmp_path / "b.sqlite3", OPEN, 5)
    assert run(tmp_path / "b.sqlite3", OPEN, 14, reopened=True) == whole
    assert run(tmp_path / "c.sqlite3", OPEN, 14, seed=1) != whole


def test_bayes_looks_where_it_is_good(tmp_path: Path) -> None:
    late = []
    for seed in range(4):
        found = run(tmp_path / "study.sqlite3", OPEN, 40, seed)
        late += [auroc(trial.setting) for trial in found[STARTUP_TRIALS:]]
        best = chosen_of(found, "patchcore")
        assert 0.05 < best.setting["top"] < 0.2
        (tmp_path / "study.sqlite3").unlink()
    drawn_at_random = 0.95 - 0.2 * 2.5 / 3 + 1e-5 * 288
    assert sum(late) / len(late) > drawn_at_random + 0.04


def test_importance_needs_trials_and_finds_what_matters(tmp_path: Path) -> None:
    run(tmp_path / "study.sqlite3", OPEN, FEWEST_FOR_IMPORTANCE - 1)
    shares, note = TrialStore(tmp_path / "study.sqlite3", "key", OPEN, 0).importance()
    assert shares == {} and f"{FEWEST_FOR_IMPORTANCE} are needed" in note
    run(tmp_path / "study.sqlite3", OPEN, 30)
    store = TrialStore(tmp_path / "study.sqlite3", "key", OPEN, 0)
    shares, note = store.importance()
    assert list(shares) == ["top", "size"] and shares["top"] > 0.8
    assert sum(shares.values()) == pytest.approx(1) and "30 trials" in note
    assert store.importance()[0] == shares
    same = TrialStore(tmp_path / "same.sqlite3", "key", OPEN, 0)
    for number in range(12):
        same.add(Trial(number, {"top": 0.1 + number / 100, "size": 64}, (0.7, 0.7), 0.1))
    assert same.importance() == (
        {},
        "All trials reached the same AUROC, so no parameter can be said to matter.",
    )


def test_importance_of_many_choices_takes_no_age(tmp_path: Path) -> None:
    many: Space = {"size": Values(tuple(range(40))), "other": Values(("a", "b"))}
    store = TrialStore(tmp_path / "study.sqlite3", "key", many, 0)
    for number in range(40):
        setting = {"size": number, "other": "ab"[number % 2]}
        store.add(Trial(number, setting, ((number // 10) / 4,), 0.1))
    started = time.monotonic()
    shares, _ = store.importance()
    assert time.monotonic() - started < 20 and shares["size"] > 0.9


def test_failed_trials_are_kept_and_never_chosen(tmp_path: Path) -> None:
    store = TrialStore(tmp_path / "study.sqlite3", "key", OPEN, 0)
    store.add(Trial(0, {"top": 0.5, "size": 100}, (), 0.2, "It cannot be fitted."))
    with pytest.raises(BlemishError, match=r"All 1 settings of patchcore failed.*It cannot be fitted"):
        chosen_of(store.trials(), "patchcore")
    store.add(Trial(1, {"top": 0.6, "size": 100}, (0.4, 0.6), 0.2))
    store.add(Trial(2, {"top": 0.7, "size": 100}, (0.5, 0.5), 0.2))
    failed, first, second = TrialStore(tmp_path / "study.sqlite3", "key", OPEN, 0).trials()
    assert failed.error == "It cannot be fitted." and math.isnan(failed.auroc)
    assert failed.to_json() == {
        "number": 0,
        "setting": {"top": 0.5, "size": 100},
        "error": "It cannot be fitted.",
    }
    assert chosen_of([failed, first, second], "patchcore") == first, "the first of equals"
    assert store.next_by_bayes() is not None


def test_a_file_that_holds_no_trials_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(BlemishError, match=r"cannot be used for the trials of a search.*another --out"):
        TrialStore(tmp_path / "study.sqlite3", "key", OPEN, 0)
