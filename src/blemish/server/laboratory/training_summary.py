"""What a training has learnt, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from blemish.evaluation.facts import chosen_in_words, measured_in_words
from blemish.server.job import Job
from blemish.server.laboratory.fragments import escaped, table
from blemish.server.wording import number


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
        rows.append(["Measured", said + "Choose photographs with defects among them and measure it"])
    elif "evaluation_error" in result:
        rows.append(["Measured", escaped(f"no: {result['evaluation_error']}")])
    return table(["", ""], rows, "What was learnt")
