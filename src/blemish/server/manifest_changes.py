"""How two versions of an inspector differ, in words, from what their manifests say. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator

from blemish.evaluation.facts import checked_in_words, chosen_in_words, looked_at
from blemish.line.correction import CorrectionsRecord
from blemish.line.decision import Decision
from blemish.line.manifest import Manifest
from blemish.server.version_documents import Kind
from blemish.server.wording import number, share

_OF_REGIONS = ("ignore", "include", "mask", "foreground")
_MOST_CHARACTERS = 60


def kind_of_change(before: Manifest, after: Manifest) -> Kind:
    """What a version was made by: a fit, corrections, a change of the regions, or one of the decision."""
    if before.scoring_digest == after.scoring_digest:
        return "same" if before.decision == after.decision else "decision"
    if before.training == after.training and before.corrections != after.corrections:
        return "corrections"
    same_fit = before.training.created == after.training.created and before.detector == after.detector
    return "regions" if same_fit and before.training.digests == after.training.digests else "fitted"


def changes_in_words(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """What is another than before, a sentence each; empty where nothing is."""
    said: list[str] = []
    if before.scoring_digest != after.scoring_digest:
        said += [*_detector(before, after), *_regions(before, after), *_photographs(before, after)]
        said += [*_corrections(before, after), *_calibration(before, after)]
    return (*said, *_decision(before.decision, after.decision))


def _detector(before: Manifest, after: Manifest) -> Iterator[str]:
    if before.detector.name != after.detector.name:
        yield f"Detector {after.detector.name} instead of {before.detector.name}."
    else:
        old, new = before.detector.parameters, after.detector.parameters
        for name in sorted(old.keys() | new.keys()):
            if name not in _OF_REGIONS and old.get(name) != new.get(name):
                yield f"Parameter {name}: {_value(new.get(name))} instead of {_value(old.get(name))}."
        chosen = chosen_in_words(before.detector.chosen), chosen_in_words(after.detector.chosen)
        if chosen[0] != chosen[1]:
            yield f"Chosen by the fit: {chosen[1] or 'nothing'} instead of {chosen[0] or 'nothing'}."
    if before.input_in_words != after.input_in_words:
        yield f"Input of {after.input_in_words} instead of {before.input_in_words}."
    if before.preprocessing.bit_depth != after.preprocessing.bit_depth:
        yield f"Bit depth {after.preprocessing.bit_depth} instead of {before.preprocessing.bit_depth}."
    if before.training.seed != after.training.seed:
        yield f"Seed {after.training.seed} instead of {before.training.seed}."


def _regions(before: Manifest, after: Manifest) -> Iterator[str]:
    old, new = looked_at(before), looked_at(after)
    if old != new:
        yield f"Looks at {new or 'the whole photograph'}; before, at {old or 'the whole photograph'}."
    elif before.preprocessing.view != after.preprocessing.view:
        yield "The photograph is looked at otherwise: alignment, parts or scale have changed."
    checked = checked_in_words(before), checked_in_words(after)
    if checked[0] != checked[1]:
        yield f"Not judged: {checked[1] or 'nothing, all photographs are judged'}."


def _photographs(before: Manifest, after: Manifest) -> Iterator[str]:
    """Which photographs were learnt from besides, as far as their digests tell."""
    old, new = before.training, after.training
    if old.digests == new.digests:
        return
    counted = len(old.digests) == old.n_images and len(new.digests) == new.n_images
    known, fresh = set(old.digests), set(new.digests)
    if not counted:  # of very many photographs a manifest keeps one digest for all
        yield f"Learnt from {new.n_images:,} photographs instead of {old.n_images:,}."
        return
    added, gone, kept = len(fresh - known), len(known - fresh), len(known & fresh)
    parts = [f"{added:,} new", f"{kept:,} as before", *([f"{gone:,} no longer"] if gone else [])]
    yield f"Learnt from {new.n_images:,} photographs: {', '.join(parts)}."


def _corrections(before: Manifest, after: Manifest) -> Iterator[str]:
    """What was learnt from corrections besides, or no longer."""
    old, new = (one.corrections or CorrectionsRecord(parent="0" * 64) for one in (before, after))
    for word, had, has in (
        ("parts found good in the memory bank", old.good, new.good),
        ("good parts of the line in the calibration", old.calibrated, new.calibrated),
        ("known defects remembered", old.defects, new.defects),
    ):
        if had != has:
            yield f"{len(has):,} {word} instead of {len(had):,}."
    if (old.head is None) != (new.head is None):
        yield (
            "Known defects are learnt by a head beside the memory bank."
            if new.head
            else "No head of known defects any more."
        )


def _calibration(before: Manifest, after: Manifest) -> Iterator[str]:
    old, new = before.calibration, after.calibration
    if (old.n_scores, old.n_groups, old.method) != (new.n_scores, new.n_groups, new.method):
        counts = [one.n_scores if one.n_groups is None else one.n_groups for one in (old, new)]
        yield f"Calibrated on {counts[1]:,} independent good scores ({new.method}) instead of {counts[0]:,}."


def _decision(before: Decision, after: Decision) -> Iterator[str]:
    if before.threshold != after.threshold:
        yield f"Rejects above {number(after.threshold)} instead of {number(before.threshold)}."
    if before.review_threshold != after.review_threshold:
        where = (
            "Reviews nothing"
            if after.review_threshold == after.threshold
            else f"Reviews above {number(after.review_threshold)}"
        )
        yield f"{where} instead of {number(before.review_threshold)}."
    if (before.expected, before.at_most) != (after.expected, after.at_most):
        yield (
            f"Promises {share(after.expected)} of good parts rejected, {share(after.at_most)} at most, instead of "
            f"{share(before.expected)} and {share(before.at_most)}."
        )
    if before.pixels != after.pixels:
        yield "What counts as a region has changed."


def _value(value: object) -> str:
    """A parameter's value, shortened."""
    said = value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= _MOST_CHARACTERS else f"{said[: _MOST_CHARACTERS - 1]}…"
