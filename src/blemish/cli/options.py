"""A verb's options, made of the request that the verb is asked with: each is defined once, as a field of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import update_wrapper
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from blemish.cli.output import JsonOption, emit
from blemish.cli.reporter import working
from blemish.core.errors import UsageError
from blemish.workflows.fields import parsed_setting, parsed_weights
from blemish.workflows.request import UNLISTED, Argument, Option, Outcome, Request

Asked = TypeVar("Asked", bound=Request)


def verb(asked: type[Asked]) -> Callable[[Callable[[Asked], Outcome]], Callable[..., None]]:
    """Make a verb of a function that calls a workflow and prints what came of it.

    With `--json` the result is printed as one document and nothing else. What is not complete ends with exit status 1.

    Args:
        asked: the class of the request.
    """

    def made(function: Callable[[Asked], Outcome]) -> Callable[..., None]:
        def run(request: Asked, json_output: bool) -> None:
            with working(json_output):
                result = function(request)
            if json_output:
                emit(result.to_json())
            if result.exit_status:
                raise SystemExit(result.exit_status)

        return with_options(asked)(update_wrapper(run, function))

    return made


def with_options(asked: type[Asked]) -> Callable[[Callable[[Asked, bool], None]], Callable[..., None]]:
    """Make a command of a function of a request and of whether JSON is wanted: an option for each of its fields.

    Args:
        asked: the class of the request.
    """

    def made(function: Callable[[Asked, bool], None]) -> Callable[..., None]:
        def command(json_output: bool, **given: Any) -> None:
            function(_request(asked, given), json_output)

        parameters = [*_parameters(asked), _parameter("json_output", JsonOption, False)]
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return made


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _parameters(asked: type[Request]) -> Iterator[inspect.Parameter]:
    """The fields as Typer reads them, those that many requests have at last."""
    inherited = {name for base in asked.__bases__ for name in getattr(base, "model_fields", {})}
    for name, field in sorted(asked.model_fields.items(), key=lambda item: item[0] in inherited):
        if UNLISTED in field.metadata:
            continue
        kind, default = _kind_and_default(field)
        marker = _marker(field)
        shown: dict[str, Any] = {"help": field.description, "metavar": marker.metavar}
        for one in field.metadata:
            shown |= {"min": one.ge} if hasattr(one, "ge") else {}
            shown |= {"max": one.le} if hasattr(one, "le") else {}
        if isinstance(marker, Argument):
            info = typer.Argument(**shown)
        else:
            written = _written(name, field)
            off = f"/--no-{written.removeprefix('--')}" if default is True else ""
            info = typer.Option(written + off, envvar=marker.environment, **shown)
        yield _parameter(name, Annotated[kind if default is not None else kind | None, info], default)


def _kind_and_default(field: FieldInfo) -> tuple[Any, Any]:
    """The type and the default of what is typed for a field."""
    kind, kinds = _kind(field), get_args(_kind(field))
    default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
    match get_origin(kind) or kind:
        case origin if origin is Literal:
            names = StrEnum("Choice", {name: name for name in kinds})  # type: ignore[misc]
            return names, names(default) if isinstance(default, str) else default
        case origin if origin is tuple and _has_commas(field):
            return str, ",".join(map(str, default)) or None if isinstance(default, tuple) else default
        case origin if origin is tuple:
            return list[kinds[0]], default or None  # type: ignore[valid-type]
        case origin if origin is dict:
            return list[str], None
        case origin if origin is datetime:
            return str, default
    return kind, default


def _request(asked: type[Asked], given: dict[str, Any]) -> Asked:
    """The request of what was typed.

    Raises:
        UsageError: a value is not possible.
    """
    fields = asked.model_fields
    values = {name: _value(fields[name], value) for name, value in given.items() if value not in (None, [])}
    try:
        return asked(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise UsageError(
            f"{_written(name, fields[name])} {first['input']} is not possible: "
            f"{first['msg'].removeprefix('Value error, ').lower()}."
        ) from error


def _value(field: FieldInfo, typed: Any) -> Any:
    """A field's value of what was typed for it."""
    if get_origin(_kind(field)) is dict:
        files = get_args(_kind(field))[1] is Path
        return dict(map(parsed_weights if files else parsed_setting, typed))
    if get_origin(_kind(field)) is tuple and _has_commas(field):
        return tuple(part.strip() for part in typed.split(",") if part.strip())
    return typed.value if get_origin(_kind(field)) is Literal else typed


def _kind(field: FieldInfo) -> Any:
    """The type of a field, without None."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    kind = kinds[0] if type(None) in get_args(field.annotation) else field.annotation
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _marker(field: FieldInfo) -> Argument | Option:
    return next((one for one in field.metadata if isinstance(one, Argument | Option)), Option())


def _has_commas(field: FieldInfo) -> bool:
    marker = _marker(field)
    return isinstance(marker, Option) and not marker.repeated


def _written(name: str, field: FieldInfo) -> str:
    """What a field is called on the command line."""
    marker = _marker(field)
    if isinstance(marker, Argument):
        return marker.metavar
    return marker.name or f"--{name.replace('_', '-')}"
