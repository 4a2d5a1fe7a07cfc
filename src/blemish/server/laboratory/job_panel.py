"""A panel that follows jobs of some kinds: choose one, see its progress, stop it, read its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError, NotFoundError
from blemish.server.job import Job, JobState
from blemish.server.laboratory.access import QUIET, Access, plainly
from blemish.server.laboratory.fragments import escaped, note, report_frame
from blemish.server.service import Service
from blemish.server.wording import moment
from blemish.station.keys import Role

_MOST_LISTED = 30


class JobPanel:
    """The panel.

    Args:
        service, access: of the page.
        kinds: which jobs it lists.
        place: prefix of its elements' names.
        summary: HTML about a job that is done, from its result.
    """

    def __init__(
        self,
        service: Service,
        access: Access,
        kinds: tuple[str, ...],
        place: str,
        summary: Callable[[Job], str] = lambda job: "",
    ) -> None:
        self._jobs, self._access, self._kinds, self._summary = service.jobs, access, kinds, summary
        self._shown = gr.State(("", ""))
        self.chosen = gr.Dropdown(
            label="Jobs, newest first", choices=self._choices(), value=None, elem_id=f"{place}-jobs"
        )
        self._status = gr.HTML(note("Nothing chosen yet."), elem_id=f"{place}-status")
        self._stop = gr.Button("Stop", visible=False, elem_id=f"{place}-stop")
        self._report = gr.HTML(elem_id=f"{place}-report")
        self._timer = gr.Timer(1.0, active=False)
        self.outputs = [
            self._status, self._report, self._stop, self._timer, self._shown
        ]  # fmt: skip
        inputs = [self.chosen, self._shown]
        self._timer.tick(self._follow, inputs, self.outputs, **QUIET)
        self.chosen.change(self._follow, inputs, self.outputs, **QUIET)
        self._stop.click(self._end, self.chosen, None, **QUIET)

    def begun(self, job: Job) -> Any:
        """The choice of jobs, with this one chosen."""
        return gr.update(choices=self._choices(), value=job.id)

    def refreshed(self) -> Any:
        """The choice of jobs as things are now; the newest is chosen."""
        choices = self._choices()
        return gr.update(choices=choices, value=choices[0][1] if choices else None)

    def _choices(self) -> list[tuple[str, str]]:
        jobs = [job for job in self._jobs.all() if job.request.kind in self._kinds][:_MOST_LISTED]
        return [(f"{moment(job.created)[:16]}  {job.title}", job.id) for job in jobs]

    def _follow(self, chosen: str | None, shown: tuple[str, str], request: gr.Request) -> tuple[Any, ...]:
        """Show a job as it stands; its report is sent once, when it is done."""
        self._access.require(request, Role.VIEWER)
        try:
            job = self._jobs.get(chosen or "")
        except NotFoundError:
            hidden = gr.update(visible=False)
            return note("No job is chosen."), "", hidden, gr.update(active=False), ("", "")
        now = (job.id, str(job.state))
        report = gr.skip() if now == tuple(shown) else self._document(job)
        return (
            job_status(job) + (self._summary(job) if job.state is JobState.DONE else ""),
            report,
            gr.update(visible=not job.state.ended),
            gr.update(active=not job.state.ended),
            now,
        )

    def _document(self, job: Job) -> str:
        if not job.report:
            return ""
        try:
            return report_frame(self._jobs.report(job.id).read_text("utf-8"), f"Report: {job.title}")
        except (OSError, BlemishError):
            return note("The report is not there any more: run the job again.", bad=True)

    def _end(self, chosen: str | None, request: gr.Request) -> None:
        self._access.require(request, Role.ADMIN)
        with plainly():
            self._jobs.stop(chosen or "")


def job_status(job: Job) -> str:
    """A job's state and progress."""
    bar = ""
    if not job.state.ended:
        known = job.progress is not None
        width = 100 * (job.progress or 0)
        value = f'aria-valuenow="{width:.0f}"' if known else ""
        bar = (
            f'<div class="bl-progress {"" if known else "bl-unknown"}" role="progressbar" aria-label="Progress" '
            f'aria-valuemin="0" aria-valuemax="100" {value}><div style="width:{width:.0f}%"></div></div>'
        )
    upload = f"<p>{job.photographs:,} images unpacked.</p>" if job.photographs is not None else ""
    if job.left_out:
        names = ", ".join(job.left_out[:5])
        upload += (
            f"<p>Left out, as no photographs: {escaped(names)}{' ...' if len(job.left_out) > 5 else ''}</p>"
        )
    failed = " bl-note-bad" if job.state in (JobState.FAILED, JobState.INTERRUPTED) else ""
    return (
        f'<div class="bl-job{failed}" role="status" data-state="{job.state}"><h3>{escaped(job.title)}: {job.state}</h3>'
        f"{bar}<p>{escaped(job.says)}</p>{upload}</div>"
    )
