"""Under the detectors: several of them on the same photograph, and what they are worth on the test photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import gradio as gr
from pydantic import ValidationError

from blemish.core.errors import BlemishError
from blemish.detectors.registry import detector_info, detector_names
from blemish.server.job import Job
from blemish.server.job_requests import BenchmarkRequest
from blemish.server.laboratory.access import PRIVATE, QUIET, Access, plainly, refused
from blemish.server.laboratory.detector_options import OptionFields, detector_choices
from blemish.server.laboratory.figures_table import figures_table
from blemish.server.laboratory.fitted import Fitted, FittedInspectors
from blemish.server.laboratory.fragments import escaped, note
from blemish.server.laboratory.job_panel import JobPanel
from blemish.server.laboratory.photographs_area import PhotographsArea
from blemish.server.laboratory.pictures import COMPARED, made_of_photograph, map_figure, overlay_figure
from blemish.server.laboratory.shown import chip, comparison
from blemish.server.service import Service
from blemish.server.wording import number
from blemish.station.judgement import Judgement
from blemish.station.keys import Role

_MOST_COMPARED = 8
_FIRST = [
    name for name in detector_names() if detector_info(name).gives_maps and not detector_info(name).trains
][-2:]
"""Two that show places and need no training, to begin with."""


class ComparisonArea:
    """The area; `chosen` is the choice of what is compared, `panel` follows the benchmarks.

    Attributes:
        several: what only an admin may do, hidden at first.
    """

    def __init__(
        self,
        service: Service,
        access: Access,
        area: PhotographsArea,
        learnt: FittedInspectors,
        ended: gr.State,
    ) -> None:
        self._service, self._access, self._area, self._learnt = service, access, area, learnt
        gr.HTML("<h2>Comparison</h2>")
        with gr.Row(equal_height=True, elem_classes="bl-right"):
            self.chosen = gr.Dropdown(
                [],
                value=[],
                multiselect=True,
                max_choices=_MOST_COMPARED,
                label="Learnt from these photographs",
                elem_id="compared",
            )
            go = gr.Button(
                "Compare on the photograph", variant="primary", elem_id="compare", scale=0, min_width=230
            )
        shown = gr.HTML(elem_id="comparison")
        with (
            gr.Accordion(
                "Learn and measure several at once", open=False, visible=False, elem_id="several"
            ) as self.several,
            gr.Row(equal_height=False),
        ):
            with gr.Column(scale=1, min_width=280):
                detectors = gr.Dropdown(
                    detector_choices(),
                    value=_FIRST,
                    multiselect=True,
                    label="Detectors",
                    elem_id="benchmark-detectors",
                )
                quick = gr.Checkbox(
                    label="Quick (128 pixels, few epochs)", value=True, elem_id="benchmark-quick"
                )
                self._options = OptionFields("benchmark", several=True)
                start = gr.Button("Measure them", elem_id="benchmark-button")
            with gr.Column(scale=3, min_width=300):
                self.panel = JobPanel(service, access, ("benchmark",), "benchmark", benchmark_summary)
        gr.on(
            [area.catalog.change, ended.change],
            self._choices,
            [area.catalog, self.chosen],
            self.chosen,
            trigger_mode="always_last",
            **QUIET,
        )
        inputs = [area.catalog, area.photograph, area.own, self.chosen]
        go.click(self._compare, inputs, shown, **PRIVATE)
        given = [area.catalog, detectors, quick, *self._options.inputs]
        start.click(self._start, given, self.panel.chosen, **PRIVATE)

    def _choices(self, key: str | None, chosen: list[str] | None, request: gr.Request) -> Any:
        """What was learnt of the catalog; the newest of each detector is chosen where nothing is."""
        self._access.require(request, Role.VIEWER)
        try:
            found = self._learnt.of(self._area.opened(key)) if key else []
        except (gr.Error, BlemishError):
            found = []
        keys = [one.key for one in found]
        newest = {one.detector: one.key for one in reversed(found)}
        kept = [one for one in chosen or [] if one in keys and one not in newest.values()]
        value = [*kept, *newest.values()][-_MOST_COMPARED:]
        return gr.update(choices=[(one.label, one.key) for one in found], value=value)

    def _compare(
        self,
        key: str | None,
        photograph: str | None,
        own: str | None,
        chosen: list[str] | None,
        request: gr.Request,
    ) -> str:
        self._access.require(request, Role.VIEWER)
        opened = self._area.opened(key)
        if not chosen:
            raise refused("Choose two or more of what was learnt; learn it in the tabs above.")
        with plainly():
            fitted = [self._learnt.get(one, opened) for one in chosen[:_MOST_COMPARED]]
        sent = self._area.chosen(key, photograph, own)
        if sent is None:
            raise refused("Choose a photograph at the top.")
        with plainly():
            judged = [self._service.reinspection.of_photograph(one.version, sent[0]) for one in fitted]
        return side_by_side(fitted, judged)

    def _start(
        self,
        key: str | None,
        detectors: list[str],
        quick: bool,
        parameters: str,
        backbone: str,
        weights: str,
        request: gr.Request,
    ) -> Any:
        by = self._access.require(request, Role.ADMIN)
        opened = self._area.opened(key)
        with plainly():
            options = self._options.read(parameters, backbone, weights)
        try:
            asked = BenchmarkRequest(
                folder=str(opened.folder), detectors=tuple(detectors), quick=quick, **options
            )
        except ValidationError as error:
            raise refused("Choose one detector or more, and options as their fields show them.") from error
        with plainly():
            return self.panel.begun(self._service.start_job(asked, by))


def side_by_side(fitted: Sequence[Fitted], judged: Sequence[Judgement]) -> str:
    """A card for each with its pictures, what they say together, and what was measured of them."""
    cards = "".join(map(_card, judged))
    figures = [(one.label, one.figures) for one in fitted]
    return (
        f'<div class="bl-cards bl-compared">{cards}</div>'
        f"{figures_table(figures, 'Measured on the test photographs, the best first')}"
        f"{comparison(judged) if len(judged) > 1 else ''}"
    )


def _card(one: Judgement) -> str:
    said, score = one.inspection, f"{number(one.inspection.score)} / {number(one.inspection.threshold)}"
    made = made_of_photograph(one)
    return (
        f'<article class="bl-card"><div class="bl-text"><strong>{escaped(one.version.name)}</strong><br>'
        f"{chip(said.verdict)} {score}</div>{overlay_figure(one)}{map_figure(one, COMPARED)}{made}</article>"
    )


def benchmark_summary(job: Job) -> str:
    """The figures of a finished benchmark by detector."""
    cells = cast("list[dict[str, Any]]", (job.result or {}).get("cells") or [])
    rows: list[tuple[str, Mapping[str, Any] | None]] = [
        (f"{one['detector']}, {one['category']}", one["metrics"]) for one in cells if "metrics" in one
    ]
    failed = "".join(
        note(f"{one['detector']}: {one['error']}", bad=True) for one in cells if one.get("error")
    )
    return figures_table(rows, "Measured on the test photographs, the best first") + failed
