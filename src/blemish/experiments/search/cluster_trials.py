"""Trials of a search on the machines of a Ray cluster: one on each processor, the next chosen by what has come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from blemish.cluster.place import Place
from blemish.cluster.workers import spread
from blemish.detectors.registry import import_strangers, strangers
from blemish.experiments.space import Setting, setting_key
from blemish.experiments.trial import Trial

if TYPE_CHECKING:
    from blemish.experiments.search.search import SearchPlan

Propose = Callable[[Sequence[Setting]], Setting | None]
"""The next setting, told of those that are measured now; None when there is none."""


@dataclass(frozen=True)
class _Trials:
    """What a worker does: settings on the validation folds of a plan."""

    plan: SearchPlan
    modules: Sequence[str] = field(default_factory=strangers)
    place: Place = field(default_factory=Place.here)

    def prepare(self) -> None:
        import torch

        self.place.enter()
        torch.set_num_threads(1)
        import_strangers(self.modules)

    def answer(self, items: Sequence[Setting]) -> list[Trial]:
        return [self.plan.measure(setting) for setting in items]


def trials_on_cluster(
    ray: Any, plan: SearchPlan, propose: Propose, count: int, workers: int | None = None
) -> Iterator[Trial]:
    """Trials as they come back, their number not yet set; to be kept before the next is asked for.

    Args:
        ray: as `blemish.cluster.session.cluster` gives it.
        plan: the search.
        propose: asked whenever a worker is free.
        count: at most so many.
        workers: at most so many at a time; None for as many as there are processors.

    Raises:
        BlemishError: no machine of the cluster can measure any.
    """
    begun: list[Setting] = []

    def settings() -> Iterator[Setting]:
        for _ in range(count):
            setting = propose(begun)
            if setting is None:
                return
            begun.append(setting)
            yield setting

    for done in spread(ray, _Trials(plan), settings(), workers=workers):
        (setting,) = done.items
        begun[:] = [one for one in begun if setting_key(one) != setting_key(setting)]
        if done.answers is None:
            sentence = "Every worker that tried this setting ended, most likely for want of memory: use a smaller size."
            yield Trial(0, setting, (), 0.0, sentence)
        else:
            yield from done.answers
