"""Errors as problem details, RFC 9457: https://www.rfc-editor.org/rfc/rfc9457."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from blemish.core.errors import (
    ArtifactError,
    BlemishError,
    ConflictError,
    DatabaseError,
    GalleryError,
    ImageError,
    MissingExtraError,
    NotFoundError,
    OverloadedError,
    UsageError,
)
from blemish.server.errors import FieldError, shortage
from blemish.station.records import NAME_PATTERN

_PATTERNS = {
    NAME_PATTERN: "a name has letters, digits, dots, dashes and underscores, 80 at most, a letter or digit first",
}
"""What is wrong where a pattern does not match, for people."""

CONTENT_TYPE = "application/problem+json"

_IMAGE_STATUS = {"too-large": 413, "unsupported": 415, "not-an-image": 415, "animated": 415}

logger = logging.getLogger("blemish.server")


class InvalidValue(BaseModel):
    """One value of a request that cannot be used."""

    where: str = Field(description="Place of the value, such as `query.limit`.")
    reason: str


class Problem(BaseModel):
    """Why a request was not answered, as RFC 9457 says."""

    type: str = "about:blank"
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was wrong and the way out, one sentence for a person.")
    kind: str | None = Field(default=None, description="One word for the cause, for photographs.")
    errors: list[InvalidValue] | None = Field(default=None, description="Values that cannot be used.")


class ProblemError(HTTPException):
    """Ends a request with a problem."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, kind: str | None = None
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind


def problem_response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    kind: str | None = None,
    errors: list[InvalidValue] | None = None,
) -> JSONResponse:
    """A problem as an answer."""
    problem = Problem(title=_title(status), status=status, detail=detail, kind=kind, errors=errors)
    return JSONResponse(
        problem.model_dump(exclude_none=True), status, dict(headers or {}), media_type=CONTENT_TYPE
    )


def response_of(error: Exception, home: str = "") -> JSONResponse:
    """The answer to an error of any kind; what is unexpected is logged and told to nobody.

    Files below `home`, where the server keeps things, are named from there on.
    """
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error, ())
    if isinstance(error, OverloadedError):
        return problem_response(503, str(error), {"Retry-After": str(error.retry_after)})
    if short := shortage(error):
        status, said = short
        logger.error("A request was not answered: %s", said)
        return problem_response(status, said, {"Retry-After": "5"} if status == 503 else None)
    sentence = str(error).replace(f"{home}/", "") if home else str(error)
    if isinstance(error, ImageError):
        return problem_response(image_status(error.kind), sentence, kind=error.kind)
    if isinstance(error, FieldError):
        wrong = InvalidValue(where=f"body.{error.field}", reason=_clause(str(error)))
        return problem_response(422, str(error), errors=[wrong])
    if isinstance(error, BlemishError):
        status = _status_of(error)
        return problem_response(status, sentence, {"Retry-After": "5"} if status == 503 else None)
    logger.error("A request failed unexpectedly.", exc_info=error)
    return problem_response(500, "Something unexpected happened: the server's log says what.")


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to an error, as applications want it."""
    if isinstance(error, RequestValidationError):
        return _of_validation(error, _body_names(request.scope.get("route")))
    service = getattr(request.app.state, "service", None)
    return response_of(error, str(service.home.path) if service else "")


def install(app: FastAPI) -> None:
    """Let an application answer every error with a problem."""
    for kind in (HTTPException, RequestValidationError, BlemishError, OSError, MemoryError, Exception):
        app.add_exception_handler(kind, answer)


def _status_of(error: BlemishError) -> int:
    stated = getattr(error, "status", None)
    if isinstance(stated, int):
        return stated
    kinds: tuple[tuple[type[BlemishError], int], ...] = (
        (NotFoundError, 404), (ConflictError, 409), (DatabaseError, 503), (GalleryError, 503), (MissingExtraError, 501),
        (ArtifactError, 422), (UsageError, 422),
    )  # fmt: skip
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def _of_http(error: HTTPException) -> JSONResponse:
    detail = str(error.detail)
    if error.status_code == 404 and detail == _title(404):
        detail = "There is nothing at this address: /docs lists what there is."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
        way_out = f"use {allowed}" if allowed else "/docs lists what it takes"
        detail = f"This address does not take this method: {way_out}."
    return problem_response(error.status_code, detail, error.headers, getattr(error, "kind", None))


def _of_validation(error: RequestValidationError, known: Collection[str]) -> JSONResponse:
    # Without the values themselves: they may be secrets, and need not be JSON.
    found = [InvalidValue(where=_place(one), reason=_reason(one, known)) for one in list(error.errors())[:20]]
    found.sort(key=lambda one: "is not known here" not in one.reason)  # a wrong name explains what is missing
    first = found[0] if found else InvalidValue(where="body", reason="it is not what it should be")
    return problem_response(422, f"{first.where} cannot be used: {first.reason}.", errors=found)


def meant(given: str, known: Collection[str]) -> str:
    """What a name that is not known was likely meant to be, as a clause; empty if nothing is near."""
    near = difflib.get_close_matches(given, known, 1, 0.6)
    return f", is {near[0]} meant" if near else ""


def _reason(error: Any, known: Collection[str]) -> str:
    if error["type"] == "extra_forbidden":
        return f"it is not known here{meant(str(error['loc'][-1]), known)}"
    if error["type"] == "model_attributes_type":
        return "it is no JSON object: send one, with Content-Type: application/json"
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(str(error["ctx"]["pattern"]), str(error["msg"]))
    if error["type"] == "missing":
        return "it is missing"
    return str(error["msg"]).removeprefix("Value error, ")


def _clause(sentence: str) -> str:
    """A sentence as a reason, which has no full stop."""
    return sentence.removesuffix(".")


def _body_names(route: Any) -> Collection[str]:
    """What the fields of a route's JSON body are called."""
    body = getattr(route, "body_field", None)
    return sorted(
        {
            name
            for model in _models(body.field_info.annotation if body else None)
            for name in model.model_fields
        }
    )


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    """The models in a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inside in get_args(kind):
        yield from _models(inside)


def _place(error: Any) -> str:
    return ascii(".".join(str(part) for part in error["loc"]))[1:-1][:200]


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def image_status(kind: str) -> int:
    """The HTTP status for an image that cannot be used, 4xx, by the word for its cause."""
    return _IMAGE_STATUS.get(kind, 422)
