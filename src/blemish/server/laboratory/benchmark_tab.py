"""The tab Benchmark: detectors side by side on the same photographs."""

from __future__ import annotations

from typing import Any

import gradio as gr
from pydantic import ValidationError

from blemish.detectors.registry import detector_info, detector_names
from blemish.server.job_requests import BenchmarkRequest
from blemish.server.laboratory.access import PRIVATE, Access, plainly, refused
from blemish.server.laboratory.detector_options import OptionFields, detector_choices
from blemish.server.laboratory.job_panel import JobPanel
from blemish.server.service import Service
from blemish.station.keys import Role

_FIRST = [
    name for name in detector_names() if detector_info(name).gives_maps and not detector_info(name).trains
][-2:]
"""Two that show places and need no training, to begin with."""


class BenchmarkTab:
    """The tab; `panel` follows its jobs."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=280):
                folder = gr.Textbox(
                    label="Folder with good and defective photographs on the server",
                    placeholder="/data/screw",
                    elem_id="benchmark-folder",
                )
                detectors = gr.Dropdown(
                    label="Detectors",
                    choices=detector_choices(),
                    value=_FIRST,
                    multiselect=True,
                    elem_id="benchmark-detectors",
                )
                quick = gr.Checkbox(
                    label="Quick (128 pixels, few epochs)", value=True, elem_id="benchmark-quick"
                )
                self._options = OptionFields("benchmark", several=True)
                go = gr.Button("Compare", variant="primary", elem_id="benchmark-button")
            with gr.Column(scale=3, min_width=440):
                self.panel = JobPanel(service, access, ("benchmark",), "benchmark")
        inputs = [folder, detectors, quick, *self._options.inputs]
        go.click(self._start, inputs, self.panel.chosen, **PRIVATE)

    def _start(
        self,
        folder: str,
        detectors: list[str],
        quick: bool,
        parameters: str,
        backbone: str,
        weights: str,
        request: gr.Request,
    ) -> Any:
        by = self._access.require(request, Role.ADMIN)
        with plainly():
            options = self._options.read(parameters, backbone, weights)
        try:
            asked = BenchmarkRequest(
                folder=folder.strip(), detectors=tuple(detectors), quick=quick, **options
            )
        except ValidationError as error:
            raise refused(
                "Name a folder on the server, one detector or more, and options as their fields show them."
            ) from error
        with plainly():
            return self.panel.begun(self._service.jobs.start(asked, by))
