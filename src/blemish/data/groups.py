"""Groups: photographs of one part, which must not be judged by each other.

Who scores a good photograph as if unseen has not seen it if another photograph of the same part was learnt from. So
photographs of a group stand in one fold. What belongs together is said as `folder`, `5s`, `number:100`, or as a regular
expression, whose syntax is RE2's: its time is linear in the length of a name, whatever the expression.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
import pyarrow.compute
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from blemish.core.errors import UsageError
from blemish.core.file_names import as_text
from blemish.core.photograph_time import taken_at
from blemish.data.entries import NORMAL, TRAIN, named

FOLDER, NUMBER = "folder", "number:"
WAYS = "folder, seconds as 5s, numbers as number:100, or a regular expression of names, as '^(.*)_[0-9]+'"
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
_NUMBERS = re.compile(r"number:(\d+)")
_LAST_NUMBER = re.compile(r"(\d{1,18})\D*$")
_LONGEST = 500


def groups_by(paths: Sequence[Path], by: str) -> list[str]:
    """For each photograph the name of its group.

    Args:
        paths: the photographs.
        by: `folder`: those of one folder are a group. `5s`: those taken within five seconds of each other, by EXIF time
            or else by file time. `number:100`: those the last numbers in whose names are within 100 of each other, as
            counters of frames are. Anything else is a regular expression: those in whose names its first capturing
            group, or the whole of it where it has none, finds the same; a name without a match is a group of its own.

    Raises:
        UsageError: `by` cannot be meant, or finds nothing in any name.

    Example:
        >>> groups_by([Path("a_1.png"), Path("a_2.png"), Path("b_1.png")], "^(.*)_")
        ['a', 'a', 'b']
    """
    if by == FOLDER:
        return [str(path.parent) for path in paths]
    if found := _SECONDS.fullmatch(by):
        return _within([taken_at(path) for path in paths], float(found[1]))
    if found := _NUMBERS.fullmatch(by):
        return _numbers_within(paths, int(found[1]))
    return _by_expression(paths, by)


def with_groups(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """A catalog's table with the column `group`.

    Raises:
        UsageError: `by` cannot be meant, finds nothing in any name, or puts all good training photographs together.
    """
    paths = [Path(path) for path in table["path"]]
    groups = groups_by(paths, by)
    learnt = ((table["split"] == TRAIN) & (table["label"] == NORMAL)).to_numpy()
    together = {group for group, is_learnt in zip(groups, learnt, strict=True) if is_learnt}
    if len(together) == 1 and learnt.sum() > 1:
        raise UsageError(
            f"--group-by {by} puts all {learnt.sum()} good photographs into one group, and none could be judged by the "
            f"others: choose among {WAYS}."
        )
    return table.assign(group=pd.Series(groups, table.index, dtype=object))


def joined(first: npt.NDArray[np.intp], second: Sequence[str]) -> npt.NDArray[np.intp]:
    """Two ways to group the same rows as one: who is together in either is together; numbered by the first row of each.

    Args:
        first: for each row the number of its group.
        second: for each row the name of its group.
    """
    count = len(first)
    rows = np.tile(np.arange(count), 2)
    leaders = np.concatenate([_firsts(first.tolist()), _firsts(second)])
    graph = coo_array((np.ones(2 * count, np.bool_), (rows, leaders)), shape=(count, count))
    _, pieces = connected_components(graph, directed=False)
    return _firsts(pieces.tolist())


def _firsts(keys: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """For each key the position of the first one equal to it."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, position) for position, key in enumerate(keys)], np.intp)


def _by_expression(paths: Sequence[Path], by: str) -> list[str]:
    """Groups by what a regular expression finds in the files' names."""
    names = [as_text(path.name) for path in paths]
    column = pyarrow.array(names, pyarrow.string())
    try:
        if len(by) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} characters")
        wanted = r"\2" if re.compile(by).groups else r"\1"
        matched = pyarrow.compute.match_substring_regex(column, by).to_pylist()
        whole = rf"(?s)^.*?({by}).*$"
        found = pyarrow.compute.replace_substring_regex(column, whole, wanted).to_pylist()
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        reason = (str(error).splitlines() or ["it cannot be read"])[0][:200].rstrip(".:")
        raise UsageError(f"--group-by {by} cannot be meant ({reason}): choose among {WAYS}.") from error
    if not any(matched):
        raise UsageError(
            f"--group-by {by} finds nothing in any of the {len(paths)} names, as {named(names[:1])}: choose among "
            f"{WAYS}."
        )
    # A slash is in no name, so that a name that stands alone is not taken for what was found in another.
    return [group if fits else f"/{path}" for group, fits, path in zip(found, matched, paths, strict=True)]


def _numbers_within(paths: Sequence[Path], most: int) -> list[str]:
    """Groups by the last number in each name; names without one are groups of their own."""
    numbers = [_LAST_NUMBER.search(path.stem) for path in paths]
    if not any(numbers):
        raise UsageError(
            f"--group-by number:{most} finds no number in any of the {len(paths)} names: choose among {WAYS}."
        )
    have = [place for place, number in enumerate(numbers) if number]
    together = _within([float(number[1]) for number in numbers if number], most)
    groups = [f"/{path}" for path in paths]
    for place, group in zip(have, together, strict=True):
        groups[place] = group
    return groups


def _within(values: Sequence[float], most: float) -> list[str]:
    """Number of the run that each value belongs to: sorted, neighbours in a run differ by at most `most`."""
    order = sorted(range(len(values)), key=values.__getitem__)
    groups, run = ["1"] * len(values), 1
    for before, after in pairwise(order):
        run += round(values[after] - values[before], 3) > most  # what floats add to times is no distance
        groups[after] = str(run)
    return groups
