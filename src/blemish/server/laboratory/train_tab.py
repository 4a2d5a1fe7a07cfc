"""The tab Train: from photographs of good parts to an active inspector."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import gradio as gr
from pydantic import ValidationError

from blemish.detectors.registry import DEFAULT_DETECTOR, detector_info, split_label
from blemish.evaluation.facts import chosen_in_words, measured_in_words
from blemish.server.job import Job
from blemish.server.job_requests import TrainRequest
from blemish.server.laboratory.access import PRIVATE, QUIET, Access, plainly, refused
from blemish.server.laboratory.detector_options import OptionFields, detector_choices
from blemish.server.laboratory.fragments import escaped, table
from blemish.server.laboratory.inspect_tab import refreshed
from blemish.server.laboratory.job_panel import JobPanel
from blemish.server.service import Service
from blemish.server.wording import number
from blemish.station.keys import Role

AUGMENTATIONS = (
    ("Mirrored", "flips"),
    ("Turned a little", "turns"),
    ("In another light", "jitter"),
    ("Brighter and darker", "brightness"),
    ("In the light of another day", "light"),
    ("All of these", "flips,turns,jitter,brightness"),
)
"""What the form offers, and the value of `augment`."""


def purpose(detector: str) -> str:
    """What a detector, NAME or NAME:PRESET, is for, and what it learns from."""
    info = detector_info(split_label(detector)[0])
    return f"{info.summary} Learns from {info.learns_from}."


class TrainTab:
    """The tab; `panel` follows its jobs."""

    def __init__(self, service: Service, access: Access, inspector: gr.Dropdown) -> None:
        self._service, self._access = service, access
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=300):
                name = gr.Textbox(
                    label="Name of the inspector",
                    placeholder="screw",
                    info="Letters, digits, dots, dashes.",
                    max_length=80,
                    elem_id="train-name",
                )
                archive = gr.File(
                    label="Photographs of good parts, as a zip",
                    file_types=[".zip"],
                    type="filepath",
                    height=160,
                    elem_id="train-zip",
                )
                folder = gr.Textbox(
                    label="Or a folder on the server", placeholder="/data/screw", elem_id="train-folder"
                )
                detector = gr.Dropdown(
                    label="Detector",
                    info=purpose(DEFAULT_DETECTOR),
                    choices=detector_choices(),
                    value=DEFAULT_DETECTOR,
                    elem_id="train-detector",
                )
                augment = gr.Dropdown(
                    label="Learn from changed copies too",
                    info="Automatic keeps what helps on good photographs held out, and takes several times as long.",
                    choices=[("No", "none"), ("Automatic", "auto"), *AUGMENTATIONS],
                    value="none",
                    elem_id="train-augment",
                )
                quick = gr.Checkbox(
                    label="Quick first run (128 pixels, few epochs)", value=False, elem_id="train-quick"
                )
                self._options = OptionFields("train")
                go = gr.Button("Train", variant="primary", elem_id="train-button")
            with gr.Column(scale=2, min_width=440):
                self.panel = JobPanel(service, access, ("train",), "train", training_summary)
        detector.change(lambda name: gr.update(info=purpose(name)), detector, detector, **QUIET)
        inputs = [name, archive, folder, detector, augment, quick, *self._options.inputs]
        go.click(self._train, inputs, [self.panel.chosen, archive], **PRIVATE)
        self.panel.activate.click(
            self._activate,
            [self.panel.chosen, inspector],
            [self.panel.said, inspector],
            **PRIVATE,
        )

    def _train(
        self,
        name: str,
        archive: str | None,
        folder: str,
        detector: str,
        augment: str,
        quick: bool,
        parameters: str,
        backbone: str,
        weights: str,
        request: gr.Request,
    ) -> tuple[Any, Any]:
        by = self._access.require(request, Role.ADMIN)
        if bool(archive) == bool(folder.strip()):
            raise refused("Choose either a zip or a folder on the server.")
        with plainly():
            options = self._options.read(parameters, backbone, weights)
        try:
            asked = TrainRequest(
                name=name.strip(),
                folder=folder.strip() or "uploaded",
                detector=detector,
                augment=None if augment == "none" else augment,
                quick=quick,
                **options,
            )
        except ValidationError as error:
            field = error.errors()[0]["loc"][0]
            raise refused(
                f"The {field} cannot be used: a name has letters, digits, dots and dashes."
            ) from error
        with plainly():
            if archive:
                job = self._service.jobs.start_training(asked, Path(archive), by)
                Path(archive).unlink(missing_ok=True)
            else:
                job = self._service.jobs.start(asked, by)
        return self.panel.begun(job), None

    def _activate(self, chosen: str | None, inspector: str | None, request: gr.Request) -> tuple[str, Any]:
        by = self._access.require(request, Role.ADMIN)
        with plainly():
            version = self._service.activate_trained(chosen or "", by)
        said = f"{version.title}, is active: it judges from now on."
        return f'<p class="bl-note" role="status">{escaped(said)}</p>', refreshed(self._service, version.name)


def training_summary(job: Job) -> str:
    """What a training has learnt, as a table."""
    result = cast("dict[str, Any]", job.result or {})
    decision = result.get("decision") or {}
    rows = [["Learnt from", f"{result.get('n_train', 0):,} photographs of good parts"]]
    rows.append(["Threshold", number(float(result.get("threshold", 0)))])
    if decision:
        expected, most = decision["expected"], decision["at_most"]
        rows.append(["Good parts rejected", f"{expected:.1%} expected, {most:.1%} at most (95 % confidence)"])
    rows.append(["Laboratory and line agree to", f"{result.get('parity_error', 0):.1e}"])
    rows.append(["Time, size", f"{result.get('seconds', 0):.1f} s, {result.get('megabytes', 0):.1f} MB"])
    if chosen := result.get("chosen"):
        rows.append(["Chosen by the fit", escaped(chosen_in_words(chosen))])
    if measured := result.get("measured"):
        rows.append(["On images held out", escaped(measured_in_words(measured))])
    skipped = result.get("skipped") or []
    if skipped:
        rows.append(
            [
                "Left out, unreadable or damaged",
                escaped(", ".join(Path(one["path"]).name for one in skipped[:5])),
            ]
        )
    if copies := result.get("copies"):
        rows.append(["Copies", f"{len(copies)} left out, as equal photographs count once"])
    if not result.get("n_test"):
        said = "not yet: there were no test photographs; how many defects it finds is not known. "
        rows.append(["Measured", said + "Activate it and evaluate it in the tab Explore"])
    elif "evaluation_error" in result:
        rows.append(["Measured", escaped(f"no: {result['evaluation_error']}")])
    return table(["", ""], rows, "What was learnt")
