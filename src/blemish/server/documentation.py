"""`/docs`: the OpenAPI document as a plain page, without scripts and without the internet."""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
details { border: 1px solid #8886; border-radius: .5rem; margin: .5rem 0; padding: .5rem 1rem }
summary { cursor: pointer } summary:focus-visible { outline: 2px solid }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .75rem .25rem 0;
vertical-align: top; border-top: 1px solid #8884 }
"""
_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    return HTMLResponse(_page(request.app.openapi()), headers=_POLICY)


def _page(document: dict[str, Any]) -> str:
    info = document["info"]
    operations = "".join(
        _operation(path, method, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f'<details id="{html.escape(name)}"><summary><code>{html.escape(name)}</code></summary>'
        f"<p>{html.escape(schema.get('description', ''))}</p>{_table(_properties(schema))}</details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{html.escape(info['title'])} API {html.escape(info['version'])}</h1>"
        f"<p>{html.escape(info['description'])} The document for programs: "
        f'<a href="openapi.json">/openapi.json</a>.</p>'
        f"<h2>Routes</h2>{operations}<h2>Documents</h2>{schemas}</main></body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    said = html.escape(operation.get("description", operation.get("summary", "")))
    parameters = [
        (p["name"], f"{p['in']}, {_kind(p['schema'])}", p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    body = [
        (f"body ({kind})", _kind(content["schema"]), "")
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    fields = [
        field
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for field in _properties(content["schema"])
    ]
    answers = [
        (
            status,
            ", ".join(_kind(c.get("schema", {})) for c in answer.get("content", {}).values()),
            answer["description"],
        )
        for status, answer in sorted(operation["responses"].items())
    ]
    return (
        f'<details><summary><span class="method">{method.upper()}</span> <code>{html.escape(path)}</code> '
        f"{said}</summary>{_table(parameters + body + fields)}<h3>Answers</h3>{_table(answers)}</details>"
    )


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    return "<table>" + "".join(_row(*row) for row in rows) + "</table>"


def _row(name: str, kind: str, said: str) -> str:
    shown = html.escape(kind)
    if kind.isidentifier() and kind[0].isupper():
        shown = f'<a href="#{shown}">{shown}</a>'
    return f"<tr><th><code>{html.escape(name)}</code></th><td>{shown}</td><td>{html.escape(said)}</td></tr>"


def _properties(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (name, _kind(one), one.get("description", "")) for name, one in schema.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " ".join(str(schema[key]) for key in ("type", "format", "const") if key in schema)
