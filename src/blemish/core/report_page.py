"""The page that all reports share: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_STYLES = ("report.css", "report_charts.css")
_SCRIPTS = ("report_files.js", "report_charts.js", "report_tables.js", "report.js")


def render_page(
    package: str,
    template: str,
    plotly: str,
    context: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """Fill a template that extends `page.html.j2`, with style and scripts inside.

    Args:
        package: the package whose folder `templates` holds `template`.
        template: file name of the template; everything it prints is escaped.
        plotly: the text of Plotly's script.
        context: what the template shows.
        filters: more functions that the template calls on values.

    Raises:
        jinja2.UndefinedError: the template names something that `context` lacks.
    """
    import jinja2
    from markupsafe import Markup

    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("blemish.core")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    style, script = _text(_STYLES), _text(_SCRIPTS)
    return environment.get_template(template).render(
        **context, style=Markup(style), script=Markup(script), plotly=Markup(plotly)
    )


def _text(names: Sequence[str]) -> str:
    """Files beside the page's template, one after the other."""
    folder = Path(__file__).parent / "templates"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


def chart(title: str, note: str, figure: Any) -> dict[str, Any]:
    """Title, note and JSON of a Plotly figure, for the macro `chart` of the page."""
    from markupsafe import Markup

    # A `<` would end the script element that holds the JSON.
    try:
        text = figure.to_json()
    except TypeError:  # the quick writer takes no name that is not UTF-8
        text = figure.to_json(engine="json")
    return {"title": title, "note": note, "json": Markup(text.replace("<", "\\u003c"))}
