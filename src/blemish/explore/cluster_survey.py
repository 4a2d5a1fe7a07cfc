"""Photographs looked at on the machines of a Ray cluster, for the survey: a dead machine costs none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blemish.cluster.place import Place
from blemish.cluster.workers import spread
from blemish.data.checks import Examined
from blemish.data.entries import Problem
from blemish.explore.looking import Look, Seen

_LARGEST_CHUNK = 16
"""Photographs that a worker is given at a time; what it has seen of as many waits where another is late."""

_CHUNKS_A_WORKER = 8


@dataclass
class _Looking:
    """What a worker does."""

    look: Look
    backbone: str | None
    weights: Path | None
    place: Place = field(default_factory=Place.here)

    def prepare(self) -> None:
        import torch

        from blemish.explore.backbone import embedding

        self.place.enter()
        torch.set_num_threads(1)
        self._embed = embedding(self.backbone, self.weights) if self.backbone else None

    def answer(self, items: Sequence[int]) -> list[Seen]:
        return [self.look.at(index, self._embed) for index in items]


@dataclass(frozen=True)
class ClusterLookers:
    """Workers of a cluster, each with a backbone of its own.

    Attributes:
        ray: as `blemish.cluster.session.cluster` gives it.
        backbone: what embeds; None for nothing.
        weights: file of its weights, under the same path on every machine; None for the usual ones.
        workers: at most so many; None for as many as there are processors.
    """

    ray: Any
    backbone: str | None = None
    weights: Path | None = None
    workers: int | None = None

    @property
    def embeds(self) -> bool:
        """Whether they embed too."""
        return self.backbone is not None

    def look(self, look: Look, order: Sequence[int]) -> Iterator[Seen]:
        """Each photograph once, in this order; one that no worker survives is told as unreadable.

        Raises:
            BlemishError: no machine of the cluster can look.
        """
        room = self.workers or int(self.ray.cluster_resources().get("CPU", 1))
        chunk = max(1, min(_LARGEST_CHUNK, len(order) // (_CHUNKS_A_WORKER * room)))
        work = _Looking(look, self.backbone, self.weights)
        ahead: dict[int, Seen] = {}
        places = iter(order)
        awaited = next(places, None)
        for done in spread(self.ray, work, order, chunk, self.workers):
            answers = done.answers or [_not_seen(look, index) for index in done.items]
            ahead |= {one.index: one for one in answers}
            while awaited in ahead:
                yield ahead.pop(awaited)
                awaited = next(places, None)


def _not_seen(look: Look, index: int) -> Seen:
    row = look.rows[index]
    detail = "every worker that took it ended: explore it by itself on one machine."
    return Seen(index, Examined(row, (Problem("unreadable", row.path, detail),)))
