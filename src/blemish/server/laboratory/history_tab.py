"""The tab History: what was inspected, how it goes over time, and one click to correct a verdict."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.core.types import Verdict
from blemish.server.laboratory.access import QUIET, Access, plainly
from blemish.server.laboratory.charts import pareto_chart, reject_rate_chart, score_chart
from blemish.server.laboratory.feedback import feedback_row, known_types, say
from blemish.server.laboratory.fragments import escaped, note, table
from blemish.server.laboratory.inspect_tab import inspector_names
from blemish.server.laboratory.pictures import THUMBNAIL, pictures, thumbnail
from blemish.server.laboratory.shown import chip, verdict_banner
from blemish.server.service import Service
from blemish.server.wording import VERDICT_WORDS, moment, number
from blemish.station.keys import Role
from blemish.station.records import InspectionFilter, InspectionRecord, Truth

PAGE_LENGTH = 20
_PERIODS = {"Last hour": 1 / 24, "Last 24 hours": 1.0, "Last 7 days": 7.0, "Last 30 days": 30.0, "All": None}
_BY_HOUR = timedelta(days=3)
"""History shorter than this is charted by the hour, a longer one by the day."""

_VERDICTS: dict[str, Verdict | None] = {
    "All": None,
    **{word: verdict for verdict, word in VERDICT_WORDS.items()},
}
_TRUTHS: dict[str, Truth | None] = {"All": None, "Really good": "good", "Really defective": "bad"}

# Buttons inside the table tell the page which was pressed, and for which inspection.
_CLICKS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (button) trigger('click', {action: button.dataset.do, number: Number(button.dataset.number)});
});
"""


class HistoryTab:
    """What others need of the tab.

    Attributes:
        similar: number of a record whose similar defects are asked for; changes when they are.
        inspector, defect_type: the choices of these.
        inputs, outputs: for `show`, which reads the history anew.
    """

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        self._cursor, self._opened, self.similar = gr.State(None), gr.State(None), gr.State(None)
        with gr.Row():
            period = gr.Dropdown(
                list(_PERIODS), value="Last 7 days", label="Period", elem_id="history-period", min_width=120
            )
            self.inspector = gr.Dropdown(
                ["All", *inspector_names(service)], value="All", label="Inspector", elem_id="history-inspector",
                min_width=120,
            )  # fmt: skip
            verdict = gr.Dropdown(
                list(_VERDICTS), value="All", label="Verdict", elem_id="history-verdict", min_width=100
            )
            truth = gr.Dropdown(
                list(_TRUTHS), value="All", label="Found to be", elem_id="history-truth", min_width=130
            )
            self.defect_type = gr.Dropdown(
                ["All", *known_types(service)], value="All", label="Defect type", elem_id="history-type",
                min_width=120,
            )  # fmt: skip
            refresh = gr.Button("Refresh", elem_id="history-refresh", min_width=90)
        self._said = gr.HTML(elem_id="history-message")
        self._summary = gr.HTML(elem_id="history-charts")
        self._table = gr.HTML(elem_id="history-table", js_on_load=_CLICKS)
        with gr.Row():
            newest = gr.Button("Newest", elem_id="history-newest")
            self._older = gr.Button("Older", elem_id="history-older")
        self._detail = gr.HTML(elem_id="history-detail")
        self._row = feedback_row(service, access, self._opened, "history")
        self.inputs = [period, self.inspector, verdict, truth, self.defect_type]
        self.outputs = [self._summary, self._table, self._cursor, self._older]
        for change in (*(choice.input for choice in self.inputs), refresh.click, newest.click):
            change(self.show, self.inputs, self.outputs, **QUIET)
        self._older.click(self._show_older, [self._cursor, *self.inputs], self.outputs[1:], **QUIET)
        self._table.click(
            self._act,
            self.inputs,
            [*self.outputs, self._said, self._detail, self._opened, self._row, self.similar],
            **QUIET,
        )

    def show(self, request: gr.Request, *chosen: str) -> tuple[Any, ...]:
        """Charts and the newest page of the table."""
        self._access.require(request, Role.VIEWER)
        return self._shown(*chosen)

    def _shown(self, *chosen: str) -> tuple[Any, ...]:
        which = _filter(*chosen)
        with plainly():
            return self._charts(which), *self._page(which, None)

    def _show_older(self, request: gr.Request, cursor: str | None, *chosen: str) -> tuple[Any, ...]:
        self._access.require(request, Role.VIEWER)
        with plainly():
            return self._page(_filter(*chosen), cursor)

    def _act(self, request: gr.Request, event: gr.EventData, *chosen: str) -> tuple[Any, ...]:
        """What a button of the table asks for."""
        action, number_of = str(event.action), int(event.number)
        with plainly():
            if action in ("good", "bad"):
                by = self._access.require(request, Role.OPERATOR)
                said = say(self._service, number_of, "good" if action == "good" else "bad", None, "", by)
                message = f'<p class="bl-note" role="status">{escaped(said)}</p>'
                return *self._shown(*chosen), message, gr.skip(), gr.skip(), gr.skip(), gr.skip()
            self._access.require(request, Role.VIEWER)
            unchanged = [gr.skip()] * len(self.outputs)
            record = self._service.log.get(number_of)
        if action == "similar":
            return *unchanged, "", gr.skip(), gr.skip(), gr.skip(), number_of
        return *unchanged, "", self._opened_record(record), number_of, gr.update(visible=True), gr.skip()

    def _opened_record(self, record: InspectionRecord) -> str:
        """A record in full, judged again from its kept photograph."""
        try:
            judgement = self._service.reinspection.of_record(record)
        except BlemishError as error:
            return note(str(error))
        facts = [moment(record.time), record.file_name, f"inspection {record.id}", f"by {record.by}"]
        if record.note:
            facts.append(f"note: {record.note}")
        return verdict_banner(judgement, facts) + pictures(judgement)

    def _charts(self, which: InspectionFilter) -> str:
        statistics = self._service.statistics
        summary = statistics.summary(which)
        oldest = next(iter(self._service.log.records(which)), None)
        short = oldest is not None and datetime.now(UTC) - oldest.time < _BY_HOUR
        figures = {
            "inspected": f"{summary.n:,}",
            "passed": f"{summary.passed:,}",
            "for review": f"{summary.reviewed:,}",
            "rejected": f"{summary.rejected:,}",
            "not judged": f"{summary.not_judged:,}",
            "reject rate": f"{summary.reject_rate:.1%}" if summary.n > summary.not_judged else "none",
            "confirmed": f"{summary.confirmed:,}",
            "contradicted": f"{summary.contradicted:,}",
        }
        shown = "".join(
            f"<div><strong>{value}</strong><span>{name}</span></div>" for name, value in figures.items()
        )
        return (
            f'{self._drifts(which)}<div class="bl-figures">{shown}</div><div class="bl-charts">'
            f"{reject_rate_chart(statistics.reject_rates(which, 'hour' if short else 'day'))}"
            f"{score_chart(statistics.scores(which, 300))}{pareto_chart(statistics.pareto(which))}</div>"
        )

    def _drifts(self, which: InspectionFilter) -> str:
        """What has changed at the inspectors that judge, a sentence each; nothing where nothing has."""
        active = [one for one in self._service.shelf.active_all() if which.inspector in (None, one.name)]
        drifts = [self._service.drift.drift(version.name) for version in active]
        return "".join(
            note(f"{one.inspector}: {one.message}", bad=True) for one in drifts if one.state == "drifted"
        )

    def _page(self, which: InspectionFilter, cursor: str | None) -> tuple[str, str | None, Any]:
        page = self._service.log.page(which, PAGE_LENGTH, cursor)
        if not page.records:
            return (
                note("No inspection matches: choose another period or filter."),
                None,
                gr.update(interactive=False),
            )
        rows = [self._row_of(record) for record in page.records]
        head = ["", "Time", "Inspector", "Verdict", "Score / threshold", "File", "Found to be", "Correct"]
        return (
            table(head, rows, f"{len(rows)} inspections, newest first"),
            page.next_cursor,
            gr.update(interactive=page.next_cursor is not None),
        )

    def _row_of(self, record: InspectionRecord) -> list[str]:
        number_of, told = (
            record.id,
            f'<div class="bl-type">{escaped(record.type)}</div>' if record.type else "",
        )
        found = {"good": "really good", "bad": "really defective", None: ""}[record.truth]
        if record.defect_type:
            found += f" ({record.defect_type})"
        buttons = [
            _button(truth, number_of, word, f"Inspection {number_of} is {said}", record.truth == truth)
            for truth, word, said in (
                ("good", "Good", "really good"),
                ("bad", "Defective", "really defective"),
            )
        ]
        if record.image_suffix and record.gives_map and self._service.past_defects is not None:
            buttons.append(
                _button("similar", number_of, "Similar", f"Defects similar to inspection {number_of}")
            )
        opened = (
            f'<button type="button" class="bl-open" data-do="open" data-number="{number_of}" '
            f'aria-label="Open inspection {number_of}">{kept_thumbnail(self._service, record)}</button>'
        )
        return [
            opened,
            escaped(moment(record.time)),
            escaped(f"{record.inspector} v{record.version}"),
            f"{chip(record.verdict)}{told}",
            f"{number(record.score)} / {number(record.threshold)}",
            escaped(record.file_name[:40]),
            escaped(found),
            f'<div class="bl-actions">{"".join(buttons)}</div>',
        ]


def kept_thumbnail(service: Service, record: InspectionRecord, side: int = THUMBNAIL) -> str:
    """The kept photograph in small, or a word where it is not kept."""
    with suppress(BlemishError):  # not kept, or removed since, as the policy says
        image = service.reinspection.decoded(service.reinspection.kept(record))
        return thumbnail(image, f"Photograph of inspection {record.id}", side)
    return '<span class="bl-none">not kept</span>'


def _button(action: str, number_of: int, text: str, label: str, pressed: bool = False) -> str:
    return (
        f'<button type="button" data-do="{action}" data-number="{number_of}" aria-label="{escaped(label)}" '
        f'aria-pressed="{str(pressed).lower()}"{" disabled" if pressed else ""}>{escaped(text)}</button>'
    )


def _filter(period: str, inspector: str, verdict: str, truth: str, defect_type: str) -> InspectionFilter:
    days = _PERIODS.get(period)
    return InspectionFilter(
        since=datetime.now(UTC) - timedelta(days=days) if days else None,
        inspector=None if inspector in ("All", None) else inspector,
        verdict=_VERDICTS.get(verdict),
        truth=_TRUTHS.get(truth),
        defect_type=None if defect_type in ("All", None) else defect_type,
    )
