"""Spaces of settings: which values of which parameters are tried, from a file or from the defaults."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.core.errors import UsageError
from blemish.detectors.information import DetectorInfo

DEFAULT = "default"
MOST_SETTINGS = 10_000
_RANGE_KEYS = {"low", "high", "log"}


@dataclass(frozen=True)
class Values:
    """Values to choose from; each is a number, text, truth value, None, or a tuple of these."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Interval:
    """A range of numbers, both ends included; whole numbers where `whole`, evenly by ratio where `log`."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


Space = Mapping[str, Values | Interval]
Setting = dict[str, Any]


def open_space(source: str, info: DetectorInfo) -> Space:
    """The space of a detector: `default`, or that of a TOML or JSON file.

    A file is one table of the parameters, each a list of values, or a range `{low, high, log}`; a range between whole
    numbers has whole numbers. Lists inside a list are tuples, as `taps`. JSON's `null` is None.

    Raises:
        UsageError: the file cannot be read, or says what cannot be meant; there is no default space.
    """
    if source == DEFAULT:
        if not info.space:
            raise UsageError(
                f"There is no default space for {info.name}: write one and name it with --space FILE."
            )
        return space_of(info.space, f"The default space of {info.name}", info)
    return space_of(_read(Path(source)), source, info)


def free_space(space: Space, source: str, given: Mapping[str, Any], preset: Mapping[str, Any]) -> Space:
    """The part of a space that is tried: what is set stays as it is.

    Of a default space that is what neither `given` nor the preset names. A space that the user wrote goes before the
    preset, which it varies; that it should go before what is set beside it as well cannot be meant.

    Args:
        space: all of it.
        source: as of `open_space`.
        given: parameters that the user sets.
        preset: those that the preset sets.

    Raises:
        UsageError: a parameter is set, and the user's space names it too.
    """
    if source == DEFAULT:
        return {name: of for name, of in space.items() if name not in given and name not in preset}
    for name in space:
        if name in given:
            raise UsageError(
                f"{name}={given[name]} is set, and {source} has values of {name} to try: leave one of them out."
            )
    return space


def space_of(table: Mapping[str, Any], source: str, info: DetectorInfo) -> Space:
    """A space from plain values.

    Args:
        table: lists and ranges by parameter.
        source: what to call it in errors.
        info: the detector, which must have the parameters.

    Raises:
        UsageError: a parameter is unknown, or its values cannot be meant.
    """
    if not table:
        raise UsageError(f"{source} names no parameter: give at least one with a list of values.")
    for name in table:
        if name == "seed":
            raise UsageError(f"{source}: seed is no setting to search for; give it with --seed.")
        if name not in info.parameters:
            raise UsageError(
                f"{source}: the detector {info.name} has no parameter {name}; choose among "
                f"{', '.join(info.parameters)}."
            )
    return {name: _dimension(f"{source}: {name}", values) for name, values in table.items()}


def grid(space: Space) -> list[Setting]:
    """Every combination, by scikit-learn's `ParameterGrid`: the last parameter by name changes fastest.

    Raises:
        UsageError: a parameter has a range, or there are more than 10,000 combinations.
    """
    from sklearn.model_selection import ParameterGrid

    ranges = [name for name, dimension in space.items() if isinstance(dimension, Interval)]
    if ranges:
        raise UsageError(
            f"A grid needs a list of values for {ranges[0]}, and the space gives a range: list values, or search with "
            "--method bayes."
        )
    count = math.prod(len(dimension.values) for dimension in space.values() if isinstance(dimension, Values))
    if count > MOST_SETTINGS:
        raise UsageError(f"The grid has {count:,} settings: leave out values, or search with --method bayes.")
    found = ParameterGrid(
        {name: dimension.values for name, dimension in space.items() if isinstance(dimension, Values)}
    )
    return [dict(setting) for setting in found]


def is_finite(space: Space) -> bool:
    """Whether the space has lists only, and no more combinations than a grid may have."""
    sizes = [len(dimension.values) for dimension in space.values() if isinstance(dimension, Values)]
    return len(sizes) == len(space) and math.prod(sizes) <= MOST_SETTINGS


def setting_key(setting: Setting) -> str:
    """A setting as JSON text: equal for equal settings."""
    return json.dumps(setting, sort_keys=True)


def to_json(space: Space) -> dict[str, Any]:
    """The space as JSON-ready values, as a file would give it."""
    return {
        name: [_plain(value) for value in dimension.values]
        if isinstance(dimension, Values)
        else {"low": dimension.low, "high": dimension.high, "log": dimension.log}
        for name, dimension in space.items()
    }


def _read(path: Path) -> Mapping[str, Any]:
    """The table in a TOML or JSON file."""
    try:
        text = path.read_text("utf-8")
        table = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:  # both parsers' errors are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise UsageError(
            f"{path} cannot be read as a space ({reason}): write TOML or JSON, or say default."
        ) from error
    if not isinstance(table, dict):
        raise UsageError(
            f"{path} holds no table: write the parameters with their values, as size = [256, 352]."
        )
    return table


def _dimension(what: str, values: Any) -> Values | Interval:
    if isinstance(values, list | tuple):
        return _values(what, values)
    if isinstance(values, Mapping):
        return _interval(what, values)
    raise UsageError(
        f"{what} = {values!r} is neither a list nor a range: write [values] or {{low, high, log}}."
    )


def _values(what: str, values: Any) -> Values:
    found = tuple(_value(what, value) for value in values)
    if not found:
        raise UsageError(f"{what} has an empty list: give at least one value.")
    if len({json.dumps(value) for value in found}) < len(found):
        raise UsageError(f"{what} has a value twice: give each once.")
    return Values(found)


def _value(what: str, value: Any) -> Any:
    """A value, lists in it as tuples."""
    if isinstance(value, list | tuple):
        return tuple(_value(what, one) for one in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{what} has the value {value}, which is no setting: give finite numbers.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UsageError(f"{what} has the value {value!r}: give numbers, text, true, false, or lists of these.")


def _interval(what: str, values: Mapping[str, Any]) -> Interval:
    odd = sorted(set(values) - _RANGE_KEYS)
    if odd or not {"low", "high"} <= set(values):
        raise UsageError(
            f"{what} is no range{f' ({odd[0]})' if odd else ''}: give low and high, and log = true if wanted."
        )
    low, high, log = values["low"], values["high"], values.get("log", False)
    numbers = [
        number for number in (low, high) if isinstance(number, int | float) and not isinstance(number, bool)
    ]
    if (
        len(numbers) < 2
        or not all(map(math.isfinite, numbers))
        or not low < high
        or not isinstance(log, bool)
    ):
        raise UsageError(
            f"{what} has the range {low!r} to {high!r}: give two numbers, low below high, and log as true or false."
        )
    if log and low <= 0:
        raise UsageError(f"{what} has a logarithmic range from {low}: begin above 0.")
    return Interval(low, high, log, isinstance(low, int) and isinstance(high, int))


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
