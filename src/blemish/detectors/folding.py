"""Which photographs a detector sets aside to score them as if unseen: those of one group always together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blemish.core.folds import Positions, fold_positions
from blemish.data.catalog import Catalog


@dataclasses.dataclass(repr=False)
class Folding:
    """A detector's folds, by its seed and by the groups of the catalog that it was given last."""

    _groups: Mapping[Path, str] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def know_groups(self, catalog: Catalog) -> None:
        """Keep together from now on what is a group in this catalog."""
        self._groups = catalog.groups()

    def groups_of(self, paths: Sequence[Path]) -> list[str] | None:
        """The group of each photograph; None where the catalog had no groups."""
        return [self._groups.get(path, f"/{path}") for path in paths] if self._groups else None

    def drawn(self, paths: Sequence[Path], most: int, seed: int) -> Positions:
        """Positions of at least `most` of the photographs, or all, drawn by chance: of a group all or none."""
        order = np.random.default_rng(seed).permutation(len(paths))
        groups = self.groups_of(paths)
        if groups is None or len(order) <= most:
            return order[:most]
        members: dict[str, list[int]] = {}
        for position in order.tolist():
            members.setdefault(groups[position], []).append(position)
        chosen: list[int] = []
        for group in members.values():
            if len(chosen) >= most:
                break
            chosen += group
        return np.asarray(chosen, np.intp)

    def fold_parts(self, paths: Sequence[Path], folds: int, seed: int) -> list[Positions]:
        """The photographs' positions in `folds` parts, or fewer; see `blemish.core.folds.fold_positions`."""
        return fold_positions(len(paths), folds, seed, self.groups_of(paths))
