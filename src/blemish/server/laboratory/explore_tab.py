"""The tab Explore: reports on photographs, and on what an inspector is worth on them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from pydantic import ValidationError

from blemish.server.job_requests import EvaluateRequest, ExploreRequest, JobRequest, StressRequest
from blemish.server.laboratory.access import PRIVATE, QUIET, Access, plainly, refused
from blemish.server.laboratory.detector_options import OptionFields
from blemish.server.laboratory.inspect_tab import inspector_names
from blemish.server.laboratory.job_panel import JobPanel
from blemish.server.service import Service
from blemish.station.keys import Role

_EXPLORE, _EVALUATE = "Explore the photographs", "Evaluate an inspector on them"
_STRESS = "Disturb them, and see what an inspector bears"


class ExploreTab:
    """The tab; `panel` follows its jobs, `inspector` is the choice of one to evaluate."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=280):
                folder = gr.Textbox(
                    label="Folder of photographs on the server",
                    placeholder="/data/screw",
                    elem_id="explore-folder",
                )
                what = gr.Radio(
                    label="What to do",
                    choices=[_EXPLORE, _EVALUATE, _STRESS],
                    value=_EXPLORE,
                    elem_id="explore-what",
                )
                self.inspector = gr.Dropdown(
                    label="Inspector to measure",
                    choices=inspector_names(service),
                    visible=False,
                    elem_id="explore-inspector",
                )
                self._options = OptionFields("explore", detectors=False)
                go = gr.Button("Make the report", variant="primary", elem_id="explore-button")
            with gr.Column(scale=3, min_width=440):
                self.panel = JobPanel(service, access, ("explore", "evaluate", "stress"), "explore")
        what.change(lambda chosen: gr.update(visible=chosen != _EXPLORE), what, self.inspector, **QUIET)
        inputs = [folder, what, self.inspector, *self._options.inputs]
        go.click(self._start, inputs, self.panel.chosen, **PRIVATE)

    def _start(
        self,
        folder: str,
        what: str,
        name: str | None,
        parameters: str,
        backbone: str,
        weights: str,
        request: gr.Request,
    ) -> Any:
        by = self._access.require(request, Role.ADMIN)
        with plainly():
            options = self._options.read(parameters, backbone, weights)
        try:
            if what == _EXPLORE:
                asked: JobRequest = ExploreRequest(folder=folder.strip(), **options)
            else:
                measuring = StressRequest if what == _STRESS else EvaluateRequest
                asked = measuring(folder=folder.strip(), inspector=name or "")
        except ValidationError as error:
            raise refused("Name a folder on the server, and to measure one an inspector.") from error
        with plainly():
            return self.panel.begun(self._service.start_job(asked, by))
