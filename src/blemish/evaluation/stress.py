"""Stress: test photographs disturbed in memory, and judged by an inspector at its stored decision."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemish.core.cores import available_cores
from blemish.core.errors import BlemishError, CatalogError, ImageError
from blemish.core.images import read_image
from blemish.core.progress import task
from blemish.core.storage import file_digest
from blemish.core.types import ByteArray
from blemish.evaluation.disturbances import Disturbance, is_grey
from blemish.evaluation.result import Failure
from blemish.evaluation.stress_result import Point, Promise, Stress, StressCurve
from blemish.line.journal import Journal, state_of

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog

Judge = Callable[[ByteArray], float]
"""The anomaly score of a uint8 RGB photograph."""

MOST_WORKERS = 8
"""Judges at work at once: each has a network of its own, of one thread, which is faster than one network of all."""

_OF_COLOUR = "white-balance"


@dataclass(frozen=True)
class Trial:
    """One disturbance at one strength."""

    disturbance: Disturbance
    strength: float

    @property
    def name(self) -> str:
        """As scores are kept by, `blur 1.5`."""
        return f"{self.disturbance.name} {self.strength:g}"

    @property
    def is_neutral(self) -> bool:
        """Whether the photograph is left as it is."""
        return self.strength == self.disturbance.neutral


@dataclass(frozen=True)
class StressPlan:
    """What is to be measured.

    Attributes:
        trials: all disturbances at all strengths.
        photographs: rows of the catalog's table, in the order of judging: good and defective ones in turn, so that what
            an interruption leaves is a sample too.
        learnt: photographs left out as the inspector has learnt from them.
    """

    category: str
    disturbances: tuple[Disturbance, ...]
    trials: tuple[Trial, ...]
    photographs: tuple[Any, ...]
    learnt: int


@dataclass
class _Judged:
    """What came of one photograph: a score a trial, by its name, or why there is none."""

    path: Path
    scores: dict[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    grey: bool = True
    anew: bool = False


def plan_stress(
    catalog: Catalog,
    learnt: frozenset[str],
    disturbances: tuple[Disturbance, ...],
    steps: int,
    limit: int | None,
    seed: int,
) -> StressPlan:
    """Choose photographs of the test split: as many good as defective ones where there are, types in equal shares.

    Args:
        catalog: one category.
        learnt: SHA-256 of the files that the inspector has learnt from, which are not judged.
        disturbances: what is tried.
        steps: strengths on each side of the neutral one.
        limit: most photographs; all when None.
        seed: of the sample and its order.

    Raises:
        CatalogError: there are no test photographs, or the inspector has learnt from all.
    """
    table = catalog.test()
    if table.empty:
        raise CatalogError(
            f"{catalog.root} has no test photographs to disturb: name a folder with good parts (test/good) that the "
            "inspector has not learnt from, and with defective ones if there are any."
        )
    chosen: list[Any] = []
    left_out = 0
    wanted = len(table) if limit is None else limit
    for row in _in_turn(table, seed):
        if len(chosen) == wanted:
            break
        if learnt and file_digest(Path(row.path)) in learnt:
            left_out += 1
        else:
            chosen.append(row)
    if not chosen:
        raise CatalogError(
            f"The inspector has learnt from all {left_out} test photographs of {catalog.root}: measure it on others."
        )
    trials = tuple(Trial(one, strength) for one in disturbances for strength in one.strengths(steps))
    return StressPlan(catalog.category, disturbances, trials, tuple(chosen), left_out)


def measure_stress(
    plan: StressPlan,
    judges: Sequence[Judge],
    threshold: float,
    promise: Promise,
    *,
    bit_depth: int = 16,
    journal: Journal | None = None,
) -> Stress:
    """Judge every photograph of the plan under every trial; each is decoded once.

    Ctrl-C ends it, and the figures are then of the photographs judged so far.

    Args:
        plan: what to measure.
        judges: each is called by one thread at a time.
        threshold: a part is rejected when its score is above.
        promise: what the threshold promises.
        bit_depth: bits that 16-bit photographs really use.
        journal: where scores lie as soon as they are there; those of an earlier run are not judged again.

    Raises:
        CatalogError: no photograph could be read.
        BlemishError: a score is not finite.
    """
    started, stopped, done = time.perf_counter(), False, []
    try:
        for judged in _judged_all(plan, judges, bit_depth, journal):
            done.append(judged)
            if journal is not None and judged.anew:
                kept = {"grey": judged.grey, "scores": judged.scores}
                journal.add(judged.path, state_of(judged.path), kept)
    except KeyboardInterrupt:
        if not any(judged.failure is None for judged in done):
            raise
        stopped = True
    usable = [(row, one) for row, one in zip(plan.photographs, done, strict=False) if one.failure is None]
    failed = tuple(one.failure for one in done if one.failure is not None)
    if not usable:
        raise CatalogError(
            f"None of the {len(failed)} test photographs could be read; the first: {failed[0].path}: "
            f"{failed[0].detail}"
        )
    curves, left_out = _curves(plan, usable, threshold)
    return Stress(
        category=plan.category,
        threshold=threshold,
        promise=promise,
        curves=curves,
        types=_counted([str(row.defect_type) for row, _ in usable]),
        failed=failed,
        learnt=plan.learnt,
        left_out=left_out,
        wanted=len(plan.photographs),
        judged=sum(one.anew for _, one in usable),
        seconds=time.perf_counter() - started,
        stopped=stopped,
    )


def workers() -> int:
    """How many judges this machine's cores are best shared among."""
    return min(MOST_WORKERS, available_cores())


def _judged_all(
    plan: StressPlan, judges: Sequence[Judge], bit_depth: int, journal: Journal | None
) -> Iterator[_Judged]:
    """What came of each photograph, in the plan's order, by as many threads as there are judges."""
    free: queue.SimpleQueue[Judge] = queue.SimpleQueue()
    for judge in judges:
        free.put(judge)
    ending = threading.Event()

    def work(row: Any) -> _Judged:
        judge, path = free.get(), Path(row.path)
        try:
            kept = None if journal is None else journal.result_of(path, state_of(path))
            judged = _Judged(path) if kept is None else _Judged(path, dict(kept["scores"]), grey=kept["grey"])
            return _judge(judged, plan.trials, judge, bit_depth, ending)
        finally:
            free.put(judge)

    each = len(plan.trials)
    with (
        task("Judging disturbed photographs", len(plan.photographs) * each) as advance,
        ThreadPoolExecutor(len(judges), thread_name_prefix="stress") as pool,
    ):
        futures = [pool.submit(work, row) for row in plan.photographs]
        try:
            for future in futures:
                yield future.result()
                advance(each)
        finally:
            ending.set()  # those under way give up at their next trial
            for future in futures:
                future.cancel()


def _judge(
    judged: _Judged, trials: Sequence[Trial], judge: Judge, bit_depth: int, ending: threading.Event
) -> _Judged:
    """The scores of one photograph under the trials that it has none of; what does not change it is judged once."""
    missing = [trial for trial in trials if trial.name not in judged.scores]
    if not missing:
        return judged
    try:
        image = read_image(judged.path, bit_depth=bit_depth)
    except ImageError as error:
        return _Judged(judged.path, failure=Failure(judged.path, error.detail))
    judged.grey, judged.anew = is_grey(image), True
    plain: float | None = None
    for trial in missing:
        if ending.is_set():
            break
        changed = image if trial.is_neutral else trial.disturbance(image, trial.strength)
        if changed is image or np.array_equal(changed, image):
            plain = judge(image) if plain is None else plain
            score = plain
        else:
            score = judge(changed)
        if not np.isfinite(score):
            raise BlemishError(f"{judged.path}: its anomaly score is not finite: fit the inspector again.")
        judged.scores[trial.name] = score
    return judged


def _curves(
    plan: StressPlan, usable: Sequence[tuple[Any, _Judged]], threshold: float
) -> tuple[tuple[StressCurve, ...], tuple[str, ...]]:
    """The curve of each disturbance that these photographs can undergo, and a sentence on each of the others."""
    labels = np.array([row.label == "anomalous" for row, _ in usable], np.bool_)
    all_grey = all(one.grey for _, one in usable)
    curves, left_out = [], []
    for disturbance in plan.disturbances:
        if disturbance.name == _OF_COLOUR and all_grey and len(plan.disturbances) > 1:
            left_out.append(f"{disturbance.title}: all photographs are grey.")
            continue
        points = [
            Point.of(
                trial.strength,
                labels,
                np.array([one.scores[trial.name] for _, one in usable], np.float64),
                threshold,
            )
            for trial in plan.trials
            if trial.disturbance is disturbance
        ]
        curves.append(StressCurve(disturbance, tuple(points)))
    return tuple(curves), tuple(left_out)


def _in_turn(table: Any, seed: int) -> Iterator[Any]:
    """All rows in a seeded order: a good one, a defective one, of every type in turn, as long as there are both."""
    rng = np.random.default_rng(seed)
    rows = list(table.itertuples(index=False))
    by_type: dict[str, list[Any]] = {}
    for place in rng.permutation(len(rows)):
        row = rows[place]
        by_type.setdefault("" if row.label == "normal" else str(row.defect_type), []).append(row)
    good = iter(by_type.pop("", []))
    defective = _taking_turns([iter(by_type[name]) for name in sorted(by_type)])
    return _taking_turns([good, defective])


def _taking_turns(groups: Sequence[Iterator[Any]]) -> Iterator[Any]:
    """One of each in turn, as long as each has any."""
    nothing = object()
    left = list(groups)
    while left:
        for group in tuple(left):
            one = next(group, nothing)
            if one is nothing:
                left.remove(group)
            else:
                yield one


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (name != "good", name))}
