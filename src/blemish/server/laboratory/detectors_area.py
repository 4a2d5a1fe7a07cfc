"""A tab for each detector: learn it, and see what it makes of the photograph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.detectors.registry import detector_families, split_label
from blemish.server.job import Job, JobState
from blemish.server.job_requests import EvaluateRequest, TrainRequest
from blemish.server.laboratory.access import PRIVATE, QUIET, Access, plainly, refused
from blemish.server.laboratory.detector_options import DetectorFields
from blemish.server.laboratory.figures_table import counted, figures_table
from blemish.server.laboratory.fitted import JOB, SHELF, Fitted, FittedInspectors
from blemish.server.laboratory.fragments import escaped, note
from blemish.server.laboratory.job_panel import job_status
from blemish.server.laboratory.photographs_area import PhotographsArea
from blemish.server.laboratory.pictures import pictures
from blemish.server.laboratory.shown import verdict_banner
from blemish.server.laboratory.training_summary import training_summary
from blemish.server.service import Service
from blemish.station.keys import Role

FAMILIES = {
    "memory": "Memory",
    "density": "Density",
    "distilled": "Distillation",
    "reconstruction": "Autoencoders",
    "supervised": "From defects",
    "classical": "Classical",
    "combined": "Combined",
    "others": "Others",
}
"""What the tabs of the families are called."""


class DetectorsArea:
    """The tabs, and under them what the detector of the open one makes of the photograph.

    Attributes:
        detector: name of the one whose tab is open.
        seen: by family the detector whose tab was open last.
        fitted: the choice of what was learnt with it.
        ended: counts the jobs that have ended while the page was open.
        groups: what only an admin may do, hidden at first.
    """

    def __init__(
        self, service: Service, access: Access, area: PhotographsArea, learnt: FittedInspectors
    ) -> None:
        self._service, self._access, self._area, self._learnt = service, access, area, learnt
        self._families = detector_families()
        first = next(iter(self._families.values()))[0]
        self.detector = gr.State(first)
        self.ended = gr.State(0)
        self.seen = gr.State({family: names[0] for family, names in self._families.items()})
        self._job = gr.State("")
        self.groups: list[gr.Column] = []
        self._fields: dict[str, DetectorFields] = {}
        self.tabs = gr.Tabs(elem_id="families")
        self.inner: dict[str, gr.Tabs] = {}
        with self.tabs:
            for family, names in self._families.items():
                with gr.Tab(FAMILIES.get(family, family.capitalize()), id=family) as tab:
                    tab.select(_seen_of(family), self.seen, self.detector, **QUIET)
                    self._family(family, names)
        status = gr.HTML(elem_id="status")
        with gr.Row(equal_height=True, elem_classes="bl-right"):
            self.fitted = gr.Dropdown([], value=None, label=f"Learnt with {first}", elem_id="fitted")
            measure = gr.Button(
                "Measure on the test photographs", visible=False, elem_id="measure", min_width=200
            )
            activate = gr.Button("Put it on the line", visible=False, elem_id="activate", min_width=160)
            stop = gr.Button("Stop", visible=False, elem_id="stop", min_width=90)
        result = gr.HTML(elem_id="result")
        timer = gr.Timer(1.0, active=False)
        following = [self._job, status, stop, timer, self.fitted, self.ended]
        self._begun = [self._job, status, stop, timer]
        catalog = area.catalog
        for fields in self._fields.values():
            fields.learn.click(
                self._learn(fields), [catalog, *fields.inputs], self._begun, **PRIVATE
            )  # fmt: skip
        timer.tick(self._follow, [self._job, catalog, self.detector, self.ended], following, **QUIET)
        stop.click(self._stop, self._job, None, **QUIET)
        gr.on(
            [self.detector.change, catalog.change],
            self._choices,
            [catalog, self.detector],
            self.fitted,
            trigger_mode="always_last",
            **QUIET,
        )
        gr.on(
            [self.fitted.change, area.photograph.change, area.own.change, self.ended.change],
            self._show,
            [catalog, area.photograph, area.own, self.fitted, self.detector],
            [result, measure, activate],
            trigger_mode="always_last",
            show_progress_on=result,
            **PRIVATE,
        )
        measure.click(self._measure, [catalog, self.fitted], self._begun, **PRIVATE)
        activate.click(self._activate, self.fitted, status, **PRIVATE)

    def family_of(self, detector: str) -> str | None:
        """The family whose tabs have this detector's; None where there is no such detector."""
        return next((family for family, names in self._families.items() if detector in names), None)

    def seen_with(self, detector: str) -> dict[str, str]:
        """`seen` where this detector's tab is open."""
        families = self._families.items()
        return {family: detector if detector in names else names[0] for family, names in families}

    def begun(self) -> tuple[Any, ...]:
        """What `following` is when the page is opened: a training that is on its way is followed."""
        running = [
            job
            for job in self._service.jobs.all()
            if job.request.kind in ("train", "evaluate") and not job.state.ended
        ]
        return self._started(running[-1]) if running else ("", "", gr.update(visible=False), gr.skip())

    @property
    def following(self) -> list[Any]:
        """What `begun` gives."""
        return self._begun

    def _family(self, family: str, names: list[str]) -> None:
        with gr.Tabs(elem_id=f"family-{family}") as self.inner[family]:
            for name in names:
                with gr.Tab(name, id=name) as tab:
                    fields = self._fields[name] = DetectorFields(name)
                    self.groups.append(fields.group)
                    tab.select(_opened(family, name), self.seen, [self.detector, self.seen], **QUIET)

    def _choices(self, key: str | None, detector: str, request: gr.Request) -> Any:
        self._access.require(request, Role.VIEWER)
        return self._updated(key, detector)

    def _updated(self, key: str | None, detector: str, wanted: str | None = None) -> Any:
        label = f"Learnt with {detector}"
        try:
            found = self._learnt.of(self._area.opened(key), detector) if key else []
        except (gr.Error, BlemishError):
            found = []
        keys = [one.key for one in found]
        value = wanted if wanted in keys else next(iter(keys), None)
        return gr.update(choices=[(one.label, one.key) for one in found], value=value, label=label)

    def _learn(self, fields: DetectorFields) -> Callable[..., tuple[Any, ...]]:
        def learn(request: gr.Request, key: str | None, *values: Any) -> tuple[Any, ...]:
            by = self._access.require(request, Role.ADMIN)
            opened = self._area.opened(key)
            with plainly():
                return self._started(self._service.start_job(fields.request(opened, *values), by))

        return learn

    def _started(self, job: Job) -> tuple[Any, ...]:
        return job.id, job_status(job), gr.update(visible=True), gr.update(active=True)

    def _follow(
        self, identity: str, key: str | None, detector: str, ended: int, request: gr.Request
    ) -> tuple[Any, ...]:
        """Show how far the job is; when it has ended, what it has learnt is chosen."""
        self._access.require(request, Role.VIEWER)
        hidden, still = gr.update(visible=False), gr.update(active=False)
        try:
            job = self._service.jobs.get(identity)
        except BlemishError:
            return "", "", hidden, still, gr.skip(), gr.skip()
        if not job.state.ended:
            return identity, job_status(job), gr.skip(), gr.skip(), gr.skip(), gr.skip()
        shown: Any = gr.skip()
        asked = job.request
        if isinstance(asked, TrainRequest) and split_label(asked.detector)[0] == detector:
            shown = self._updated(key, detector, f"{JOB}:{job.id}")
        said = "" if job.state is JobState.DONE else job_status(job)
        return "", said, hidden, still, shown, ended + 1

    def _stop(self, identity: str, request: gr.Request) -> None:
        self._access.require(request, Role.ADMIN)
        with plainly():
            self._service.jobs.stop(identity)

    def _show(
        self,
        key: str | None,
        photograph: str | None,
        own: str | None,
        fitted: str | None,
        detector: str,
        request: gr.Request,
    ) -> tuple[str, Any, Any]:
        """What the chosen inspector makes of the photograph."""
        self._access.require(request, Role.VIEWER)
        hidden = gr.update(visible=False)
        if not key:
            return "", hidden, hidden
        if not fitted:
            return note(f"Nothing was learnt with {detector} from these photographs yet."), hidden, hidden
        opened = self._area.opened(key)
        try:
            one = self._learnt.get(fitted, opened)
        except BlemishError as error:
            return note(str(error)), hidden, hidden
        admin = self._access.allows(request, Role.ADMIN)
        shelf = fitted.startswith(f"{SHELF}:")
        return (
            f"{self._judged(one, key, photograph, own)}{self._figures(one)}",
            gr.update(visible=admin and shelf and one.figures is None and bool(opened.test)),
            gr.update(visible=admin and not shelf),
        )

    def _judged(self, one: Fitted, key: str, photograph: str | None, own: str | None) -> str:
        chosen = self._area.chosen(key, photograph, own)
        if chosen is None:
            return note("Choose a photograph of the test split, or one of your own.")
        sent, truth = chosen
        with plainly():
            judgement = self._service.reinspection.of_photograph(one.version, sent)
        banner = verdict_banner(judgement, [sent.file_name, one.label])
        return banner + pictures(judgement, truth)

    def _figures(self, one: Fitted) -> str:
        learnt = ""
        if one.job is not None:
            summary = training_summary(self._service.jobs.get(one.job))
            learnt = f"<details><summary>What was learnt</summary>{summary}</details>"
        if one.figures is None:
            return note("It was not measured on these test photographs.") + learnt
        why = "; ".join(dict.fromkeys(str(said) for said in (one.figures.get("undefined") or {}).values()))
        caption = f"Measured on {counted(one.figures)}"
        table = figures_table([(one.label, one.figures)], caption)
        return f"{table}{f'<p class=bl-facts>{escaped(why)}</p>' if why else ''}{learnt}"

    def _measure(self, key: str | None, fitted: str | None, request: gr.Request) -> tuple[Any, ...]:
        by = self._access.require(request, Role.ADMIN)
        opened = self._area.opened(key)
        name = (fitted or "").partition(":")[2]
        with plainly():
            asked = EvaluateRequest(folder=str(opened.folder), inspector=name)
            return self._started(self._service.start_job(asked, by))

    def _activate(self, fitted: str | None, request: gr.Request) -> str:
        by = self._access.require(request, Role.ADMIN)
        kind, _, identity = (fitted or "").partition(":")
        if kind != JOB:
            raise refused("Only what was learnt here can be put on the line here.")
        with plainly():
            version = self._service.activate_trained(identity, by)
        return note(f"{version.title}, judges on the line from now on.")


def _seen_of(family: str) -> Callable[[dict[str, str]], str]:
    return lambda seen: seen[family]


def _opened(family: str, name: str) -> Callable[[dict[str, str]], tuple[str, dict[str, str]]]:
    return lambda seen: (name, {**seen, family: name})
