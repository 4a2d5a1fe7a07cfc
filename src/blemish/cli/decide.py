"""`blemish decide`: where an inspector rejects, what that does, and another decision. Needs no torch."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.workflows import decide as workflow
from blemish.workflows.decide import DecideRequest, DecideResult

if TYPE_CHECKING:
    from blemish.core.known_defects import Escapes
    from blemish.line.decision import Decision
    from blemish.line.pixel_decision import PixelDecision
    from blemish.workflows.preview import PreviewResult

_IDS = 10
"""Numbers of inspections that are printed at most."""

_RULES = {
    "threshold": "given by hand",
    "quantile": "as an earlier Blemish chose it",
    "f1": "the best F1",
    "cost": "the least cost",
}


@verb(DecideRequest)
def decide(request: DecideRequest) -> DecideResult | PreviewResult:
    """Show or change where an inspector rejects.

    Without options it shows what each rate does to good parts, and with --from-defects to known defects. What is asked
    for becomes a new decision in the file, without learning anew; the ones before stay in it, and --undo goes back.

    \b
    blemish decide part.blemish
    blemish decide part.blemish --false-reject-rate 0.02 --review-rate 0.1
    blemish decide part.blemish --from-defects defects/ --recall 0.95 --report decide.html
    blemish decide part.blemish --from-defects defects/ --cost-missed 50 --cost-false-reject 1
    blemish decide part.blemish --pixel-rate 0.05 --smallest-region 14px
    blemish decide part.blemish --undo
    blemish decide part --home station/ --false-reject-rate 0.02 --preview
    """
    from blemish.cli.histogram import score_lines

    if request.preview:
        return _previewed(request)
    result = workflow.decide(request)
    decision = result.decision
    console.print(f"{result.manifest.name}: decision {decision.version}", style="bold")
    for name, said in _facts(result):
        console.print(f"  {name:<20} {said}", style="yellow" if name == "gave way" else None)
    console.print("")
    _print_rows(result)
    console.print("")
    marks = {"rejects above": decision.threshold}
    if decision.review_threshold < decision.threshold:
        marks["to review above"] = decision.review_threshold
    for line in score_lines(result.calibration.scores, result.scores, marks):
        console.print(line)
    console.print("")
    if result.report is not None:
        console.print(f"Report: {result.report}")
    if result.before is not None:
        for line in _changes(result.before, decision):
            console.print(line)
        console.print(f"Written: {result.out}")
        if not decision.restores:
            console.print(f"Undo: blemish decide {shlex.quote(str(result.out))} --undo")
    return result


def _previewed(request: DecideRequest) -> PreviewResult:
    """Say what the past would have been."""
    from blemish.workflows.preview import preview

    result = preview(request)
    previewed, decision = result.previewed, result.decision
    console.print(f"{result.inspector}: decision {decision.version}, not in effect", style="bold")
    for line in _changes(result.before, decision)[1:]:
        console.print(line)
    console.print("")
    history = previewed.history
    console.print(f"Of the latest {history.n} inspections {history.changed} would have another verdict:")
    rows = [["  was", "would be", "parts"]]
    print_table([*rows, *([f"  {one.before}", one.after, str(one.n)] for one in history.turns)], 2)
    for name, parts in (("found bad", history.bad), ("found good", history.good)):
        if parts.n:
            console.print(
                f"  of {parts.n} parts that people {name}: {parts.rejected_before} rejected before, "
                f"{parts.rejected_after} after; {parts.passed_before} passed before, {parts.passed_after} after"
            )
    if previewed.regions is not None:
        console.print(f"  {previewed.regions.sentence()}")
    if history.newest:
        shown = ", ".join(str(number) for number in history.changed_ids[:_IDS])
        console.print(f"  the newest that would change: {shown}")
    console.print("")
    console.print("Nothing is changed. Without --preview it is.")
    return result


def _facts(result: DecideResult) -> list[tuple[str, str]]:
    """What the decision in effect is and does, each with a name."""
    from blemish.core.conformal import told
    from blemish.core.known_defects import escapes
    from blemish.line.decision_table import shares, too_small

    decision, calibration = result.decision, result.calibration
    facts = [("rejects above", rejects_in_words(decision))]
    if decision.review_threshold < decision.threshold:
        more = decision.review_expected - decision.expected
        facts.append(("to review above", f"{decision.review_threshold:.4g}: {more:.1%} of good parts more"))
    if result.manifest.detector.gives_maps:
        facts.append(("regions", regions_in_words(decision.pixels)))
    counted = "groups of good photographs" if calibration.groups is not None else "good photographs"
    said = f"{calibration.n} {counted}, which promise no rate under {told(calibration.smallest_rate)}"
    if short := too_small(calibration):
        said += f"; {short[0]:g} takes {short[1]} more"
    facts.append(("rests on", said))
    if result.scores is not None:
        rejected, reviewed, passed = shares(decision, result.scores)
        expected = escapes(result.scores, decision.threshold).expected
        facts.append(
            (
                "known defects",
                f"{len(result.scores)}: {rejected} rejected, {reviewed} to review, {passed} passed; expect up to "
                f"{expected:.1%} of others like them to be missed",
            )
        )
    if decision.gave_way:
        facts.append(("gave way", decision.gave_way))
    made = f"{decision.made:%Y-%m-%d %H:%M} UTC by {decision.by}"
    facts.append(("made", made + (f": {decision.note}" if decision.note else "")))
    if decision.restores:
        facts.append(("restores", f"decision {decision.restores}"))
    return facts


def rejects_in_words(decision: Decision) -> str:
    """The threshold, how it came about, and what it promises."""
    said = (
        f"{decision.threshold:.4g}, {rule_in_words(decision)}: {decision.expected:.2%} of good parts expected, "
        f"{decision.at_most:.2%} at most (95 %)"
    )
    return f"{said}; {decision.tail.sentence()}" if decision.tail else said


def regions_in_words(pixels: PixelDecision) -> str:
    """Where on the map a region is."""
    said = f"above {pixels.threshold:.4g}"
    if pixels.rate is not None:
        said += f", which {pixels.rate:.2%} of good parts reach"
    if pixels.low is not None:
        said += f", grown down to {pixels.low:.4g}"
    if pixels.smallest_side:
        said += f", none smaller than {pixels.smallest_side:.4g} x {pixels.smallest_side:.4g} pixels"
    if pixels.merge_distance:
        said += f", one where no farther apart than {pixels.merge_distance:.4g} pixels"
    return said


def rule_in_words(decision: Decision) -> str:
    """How a decision's threshold came about, and what it saw."""
    rate = f"{decision.false_reject_rate or decision.expected:.4g}"
    seen, said = decision.seen, _RULES.get(decision.rule, f"for a false-reject rate of {rate}")
    if seen is None:
        return said
    if decision.rule == "recall":
        said = f"for a recall of {seen.recall:g}"
    if seen.cost is not None:
        said += (
            f" of {seen.cost_missed:g} for a miss and {seen.cost_false_reject:g} for a false reject where "
            f"{seen.defective_share:g} of parts are defective, {seen.cost:.3g} a part"
        )
    if seen.f1 is not None:
        said += f" of {seen.f1:.3f}"
    return f"{said}, seen {seen.n} known defects of which it misses {seen.missed}"


def _print_rows(result: DecideResult) -> None:
    """The table: rate, threshold, good parts rejected, known defects missed."""
    head = ["rate", "threshold", "good rejected", "at most (95 %)"]
    head += ["known defects missed", "95 % interval"] if result.scores is not None else []
    rows = [[*head, ""]]
    for row in result.rows:
        cells = ["-" if row.rate is None else f"{row.rate:.2%}", f"{row.threshold:.4g}"]
        cells += [f"{row.expected:.2%}", f"{row.at_most:.2%}"]
        cells += _missed(row.escapes) if row.escapes else []
        rows.append([*cells, row.in_effect and f"< {row.in_effect}"])
    wide = max(len(row[-1]) for row in rows)
    print_table([[*row[:-1], row[-1].ljust(wide)] for row in rows], 0)


def _missed(escapes: Escapes) -> list[str]:
    return [f"{escapes.missed} of {escapes.n}", f"{escapes.low:.1%} to {escapes.high:.1%}"]


def _changes(before: Decision, now: Decision) -> list[str]:
    """What is another than it was."""
    pairs = {
        "false-reject rate": (_rate(before), _rate(now)),
        "rejects above": (f"{before.threshold:.4g}", f"{now.threshold:.4g}"),
        "good parts rejected": (f"{before.expected:.2%}", f"{now.expected:.2%}"),
        "to review above": (_review(before), _review(now)),
        "regions": (regions_in_words(before.pixels), regions_in_words(now.pixels)),
    }
    changed = [f"  {name:<20} {old} -> {new}" for name, (old, new) in pairs.items() if old != new]
    head = f"Decision {now.version} instead of {before.version}:"
    return [head, *changed] if changed else [f"{head} it decides as that one does."]


def _rate(decision: Decision) -> str:
    return "none asked for" if decision.false_reject_rate is None else f"{decision.false_reject_rate:.4g}"


def _review(decision: Decision) -> str:
    reviews = decision.review_threshold < decision.threshold
    return f"{decision.review_threshold:.4g}" if reviews else "nothing"
