"""Whether the values of a detector's parameters are of the kind that they are declared with."""

from __future__ import annotations

import dataclasses
import json
import types
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin, get_type_hints

from blemish.core.errors import UsageError
from blemish.detectors.base import Detector
from blemish.view_planning.alignment import require_alignment

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}


def check_types(detector: Detector) -> None:
    """Refuse a value of another kind than its parameter's, before it is compared with anything.

    Raises:
        UsageError: a parameter is of another kind, or `align` or `augment` cannot be meant.
    """
    hints = get_type_hints(type(detector))
    for field in dataclasses.fields(detector):
        if field.init and not _fits(getattr(detector, field.name), hints[field.name]):
            value, kind = getattr(detector, field.name), _kind_of(hints[field.name])
            usual = "" if field.default is None else f", as --set {field.name}={_as_written(field.default)}"
            raise UsageError(f"{field.name}={value} is not possible for {detector.name}: give {kind}{usual}.")
    require_alignment(detector.align)
    detector.check_augment()


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the declared kind; a whole number is a number, true is neither."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(one, get_args(hint)[0]) for one in value)
    if hint in (int, float):
        wanted = Integral if hint is int else Real
        return isinstance(value, wanted) and not isinstance(value, bool)
    return isinstance(value, hint)


def _kind_of(hint: Any) -> str:
    """The declared kind in words."""
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_kind_of(one) for one in get_args(hint) if one is not types.NoneType)
    if get_origin(hint) is tuple:
        what = "whole numbers" if get_args(hint)[0] is int else "texts"
        return f"{_KINDS[tuple]} of {what}"
    return _KINDS[hint]


def _as_written(value: object) -> str:
    """A value as one would write it after --set."""
    if isinstance(value, tuple):
        return f"'{json.dumps(value)}'"
    return value if isinstance(value, str) else json.dumps(value)
