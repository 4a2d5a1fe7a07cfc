"""Which images are set aside: folds of a cross-validation, and a share that is held out.

Images of one group, as the photographs of one part, always stand on one side.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from blemish.core.errors import UsageError

Positions = npt.NDArray[np.intp]
Groups = Sequence[Hashable]
"""For each image the group that it belongs to."""


def fold_positions(n: int, folds: int, seed: int, groups: Groups | None = None) -> list[Positions]:
    """Part 0 .. n-1 into `folds` shuffled parts of nearly equal size; each part is sorted.

    With `groups`, one for each of the n, a group is in one part whole, and there are no more parts than groups.

    Raises:
        UsageError: fewer than 2 folds, or all images in one group, which would leave nothing to learn from.
    """
    if folds < 2:
        raise UsageError(f"{folds} folds leave no image to learn from: choose 2 or more.")
    rng = np.random.default_rng(seed)
    if groups is None:
        return [np.sort(part) for part in np.array_split(rng.permutation(n), min(folds, n))]
    members = _members(groups)
    _refuse_one(members)
    parts: list[list[int]] = [[] for _ in range(min(folds, len(members)))]
    # The largest groups first, each to the part that has the fewest images so far: so the parts stay nearly equal.
    for group in sorted(rng.permutation(len(members)).tolist(), key=lambda group: -len(members[group])):
        min(parts, key=len).extend(members[group])
    return [np.sort(np.asarray(part, np.intp)) for part in parts]


def held_out_positions(count: int, share: float, seed: int, groups: Groups | None = None) -> Positions:
    """Sorted positions of the `share` of `count` images that are held out: at least 1, and never all.

    With `groups`, one for each of the images, whole groups are held out: nearly the share, at least one group.

    Raises:
        UsageError: all images are in one group.
    """
    rng = np.random.default_rng((seed, count))
    held = min(max(1, round(share * count)), count - 1)
    if groups is None:
        return np.sort(rng.permutation(count)[:held])
    members = _members(groups)
    _refuse_one(members)
    order = [members[group] for group in rng.permutation(len(members)).tolist()]
    chosen: list[int] = []
    for group in order:
        if len(chosen) + len(group) <= held:
            chosen += group
    return np.sort(np.asarray(chosen or min(order, key=len), np.intp))


def _members(groups: Groups) -> list[list[int]]:
    """Positions of each group's images, the groups in the order of their first image."""
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    return list(members.values())


def _refuse_one(members: Sequence[Sequence[int]]) -> None:
    if len(members) < 2:
        raise UsageError(
            f"All {sum(map(len, members))} good photographs are one group, and none can be judged by the others: group "
            "them otherwise with --group-by, or photograph other parts too."
        )
