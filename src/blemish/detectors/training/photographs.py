"""Which photographs a training learns from, which it holds out, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blemish.core.folds import Groups, held_out_positions

GOOD = "good"


@dataclass(frozen=True)
class Label:
    """What is known of a training photograph: its defect type ("good" for none), and its mask where there is one."""

    defect_type: str = GOOD
    mask: Path | None = None

    @property
    def defective(self) -> bool:
        """Whether it shows a defect."""
        return self.defect_type != GOOD


@dataclass(frozen=True)
class TrainingPhotographs:
    """The photographs of a training.

    Attributes:
        learnt: those that are learnt from.
        held_out: those that tell when to stop, and what good parts score as if unseen.
        labels: of the defective ones among them; all others are good.
    """

    learnt: list[Path]
    held_out: list[Path]
    labels: Mapping[Path, Label] = field(default_factory=dict)

    @property
    def all(self) -> list[Path]:
        """Those learnt from, and then those held out."""
        return [*self.learnt, *self.held_out]

    def labels_of(self, paths: Iterable[Path]) -> list[Label]:
        """The label of each."""
        return [self.labels.get(path, Label()) for path in paths]


def hold_out(
    paths: Sequence[Path], share: float, seed: int, groups: Groups | None = None
) -> tuple[list[Path], list[Path]]:
    """All but a seeded share of photographs, and that share; those of a group (one for each) stand on one side."""
    held = set(held_out_positions(len(paths), share, seed, groups).tolist())
    learnt = [path for position, path in enumerate(paths) if position not in held]
    return learnt, [path for position, path in enumerate(paths) if position in held]
