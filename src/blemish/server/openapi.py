"""The OpenAPI document, with every problem that a route can answer, and its page, which needs no internet."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from blemish.server.problems import CONTENT_TYPE, InvalidValue, Problem

_REFERENCE = "#/components/schemas/{model}"
_ALWAYS = {
    "403": "The key's role does not allow this, or the request comes from another web site.",
    "408": "The request took too long to arrive.",
    "413": "The request, or a photograph in it, is too large.",
    "422": "A value or a photograph cannot be used.",
    "500": "Something unexpected happened; the server's log says what.",
    "507": "The server's disk is full.",
    "503": "The server is full, starting, stopping, or its database does not answer; see Retry-After.",
}
_WITH_KEY = {
    "401": "There is no key, or one that opens nothing.",
    "429": "The key makes too many requests; see Retry-After.",
}
_NOT_FOUND = {"404": "What was asked for does not exist."}
_WITH_FORM = {
    "400": "The body cannot be read.",
    "415": "The body is not a form, or a file in it is not an image.",
}
_CHANGED_MEANWHILE = "Somebody else has changed the inspector meanwhile; nothing is changed."
_CONFLICTS = (
    ("/v1/inspectors/{name}/decision", "put", _CHANGED_MEANWHILE),
    ("/v1/inspectors/{name}/decision/undo", "post", _CHANGED_MEANWHILE),
    ("/v1/inspectors/{name}/shadow", "post", "A version judges beside already; nothing is changed."),
    ("/v1/inspections/{number}/void", "post", "It is void already; nothing is changed."),
    ("/v1/inspections/{number}/void/undo", "post", "It is not void; nothing is changed."),
    ("/v1/keys/{name}", "delete", "It is the last key of an admin; nothing is changed."),
    ("/v1/stations/{name}/start", "post", "It runs already; nothing is changed."),
    ("/v1/stations/{name}/stop", "post", "This server does not run it; nothing is changed."),
    ("/v1/settings/retention", "put", "The command line has fixed something else; nothing is changed."),
)
_NO_LABORATORY = {"501": "The laboratory is not installed here; the answer names the extra."}
_NEED_LABORATORY = (("/v1/jobs", "post"), ("/v1/jobs/train", "post"), ("/v1/gallery/clusters", "get"))
_ADDRESSED = (
    "/v1/inspect", "/v1/inspections/", "/v1/inspectors/", "/v1/jobs", "/v1/keys/", "/v1/uploads/",
    "/v1/review-queue", "/v1/stations/", "/v1/insight",
)  # fmt: skip


def install(app: FastAPI, keys_required: bool) -> None:
    """Let an application describe itself, once, when first asked."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, keys_required)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's documentation says


def _document(app: FastAPI, keys_required: bool) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Problem, InvalidValue):
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for path, operations in found["paths"].items():
        for operation in operations.values():
            _describe(path, operation, keys_required)
    for path, method, said in _CONFLICTS:
        _add_problems(found["paths"][path][method], {"409": said})
    for path, method in _NEED_LABORATORY:
        _add_problems(found["paths"][path][method], _NO_LABORATORY)
    return found


def _describe(path: str, operation: dict[str, Any], keys_required: bool) -> None:
    """Add the problems of an operation, and that it needs no key where none is required."""
    problems = dict(_ALWAYS)
    if "security" in operation:
        problems |= _WITH_KEY
        if not keys_required:
            operation["security"].append({})
    if path.startswith(_ADDRESSED):
        problems |= _NOT_FOUND
    if "requestBody" in operation:
        problems |= _WITH_FORM
    _add_problems(operation, problems)


def _add_problems(operation: dict[str, Any], problems: dict[str, str]) -> None:
    responses = operation["responses"]
    for status, said in problems.items():
        content = {CONTENT_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
        responses[status] = {"description": said, "content": content}
        if status in ("429", "503"):
            responses[status]["headers"] = {
                "Retry-After": {
                    "description": "Seconds.",
                    "schema": {"type": "string", "pattern": "^[0-9]+$"},
                }
            }
