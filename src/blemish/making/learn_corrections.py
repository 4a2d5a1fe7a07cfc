"""A better inspector from corrections, without the photographs that it was fitted on.

What people found good enters the memory bank, past a gate; the calibration is made anew with good parts of the line;
and known defects, from ten on, are learnt by a head beside the bank. Nothing that the frozen network does is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.core.errors import BlemishError, ImageError, NotFoundError, UsageError
from blemish.core.network import CompiledNetwork
from blemish.core.progress import task, track
from blemish.core.storage import file_digest
from blemish.core.types import FloatArray, Prediction
from blemish.line.artifact import KNOWN_DEFECTS, MODEL, NORMAL_BANK_SCORES, NORMAL_POOLED, Artifact
from blemish.line.correction import MOST_REMEMBERED, Correction, CorrectionsRecord, HeadRecord
from blemish.line.machine_parity import TOLERANCE
from blemish.line.manifest import Manifest, ParityRecord
from blemish.line.precision_choice import INT8_MODEL
from blemish.line.region_statistics import area_curve
from blemish.line.rows import NetworkInput
from blemish.line.runtime import Inspector
from blemish.making.bank_graph import BankGraph
from blemish.making.corrected_bank import with_corrected
from blemish.making.corrected_calibration import (
    MOST_GOOD,
    CalibratedAnew,
    GoodOfTheLine,
    calibrate_anew,
    decided_anew,
)
from blemish.making.corrected_goods import (
    LARGEST_SHARE,
    Gate,
    ReadPhotograph,
    choose_patches,
    keep_most_different,
    unseen_distances,
)
from blemish.making.known_defect_head import FEWEST_DEFECTS, farthest_mean
from blemish.view.look import Look
from blemish.view.preprocessing import Preprocessing, standardise
from blemish.view.regions import covered

AT_ONCE = 200
"""Corrected good photographs that are learnt at once: half a gigabyte of patches."""

_PARITY_IMAGES = 4


@dataclass(frozen=True)
class SetAside:
    """A correction that was not learnt from: which photograph, and why in a sentence.

    Attributes:
        name, id: of the photograph.
        detail: why.
        asks_second: whether it waits for a second person.
        deviations: how far it is from all good parts, in robust standard deviations; None where that was not measured.
    """

    name: str
    id: int | None
    detail: str
    asks_second: bool = False
    deviations: float | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Learnt:
    """What an inspector becomes.

    Attributes:
        manifest, members: of the new artifact.
        good: photographs found good whose patches entered the memory bank.
        patches: how many patches these are, and `dropped`, how many more there would have been.
        calibrated: good photographs of the line that the calibration rests on now, besides the others.
        defects: known defects that are remembered now.
        head: of known defects; None where there is none, and `no_head` says why.
        set_aside: corrections that were not learnt from.
    """

    manifest: Manifest
    members: dict[str, bytes]
    good: int
    patches: int
    dropped: int
    calibrated: int
    defects: int
    head: HeadRecord | None
    no_head: str
    set_aside: tuple[SetAside, ...]

    @property
    def waiting(self) -> tuple[SetAside, ...]:
        """Those that wait for a second person."""
        return tuple(one for one in self.set_aside if one.asks_second)


def learn_corrections(
    artifact: Artifact,
    corrections: Sequence[Correction],
    passes: Sequence[Correction] = (),
    *,
    by: str = "local",
) -> Learnt:
    """Learn from what people said of photographs.

    Args:
        artifact: the inspector; what it has learnt from already is passed over.
        corrections: of good and defective parts, each photograph once.
        passes: photographs that passed and of which nobody has said anything: good parts, for the calibration alone.
        by: who lets it learn.

    Raises:
        UsageError: the inspector has no memory bank that can be added to, or nothing could be learnt from.
        BlemishError: the changed network says another thing than was computed beside it.
    """
    inspector, name = Inspector(artifact), artifact.manifest.name
    contract = artifact.manifest.preprocessing
    parts = contract.view is not None and contract.view.parts is not None
    if contract.tiled or parts or artifact.manifest.features is not None:
        raise UsageError(
            f"{name} looks at photographs in pieces, where corrections of whole photographs say too little: fit it "
            "anew with the corrected photographs, or only change its decision."
        )
    graph = BankGraph(artifact.content(MODEL), artifact.manifest.name)
    known = artifact.manifest.corrections or CorrectionsRecord(parent=file_digest(artifact.path))
    new = [one for one in corrections if one.photograph.digest not in known.digests]
    reading = Reading(inspector, graph)
    bad = _Defects()
    for one in reading.all([one for one in new if not one.good], "Reading defects"):
        bad.add(one)
    defects = bad.all(artifact, graph.bank.shape[1])
    gate = Gate.of(artifact, defects)
    good = reading.all([one for one in new if one.good], "Reading good parts")
    accepted = reading.past_the_gate(good, gate)
    normal = inspector.good_patches.normal
    usual = inspector.threshold if normal is None else float(np.median(normal))
    adding = [one for one in accepted if one.score > _least(inspector)]
    choose_patches(graph, adding, usual)
    bank = len(graph.bank) - known.n_patches
    dropped = keep_most_different(adding, max(0, int(LARGEST_SHARE * bank) - known.n_patches))
    added = _joined(adding, graph.bank.shape[1])
    of_line = [_unseen(graph, one, adding) for one in accepted]
    room = min(MOST_GOOD - len(inspector.calibration.scores), MOST_REMEMBERED - len(known.calibrated))
    fresh = [one for one in passes if one.photograph.digest not in known.digests][
        : max(0, room - len(of_line))
    ]
    passed = list(_passes(reading, graph, fresh, added))
    of_line += [one for _, one in passed]
    anew = calibrate_anew(artifact, of_line, defects)
    head = None if anew.head is None else HeadRecord(n_defects=anew.head.n_defects, found=anew.head.found)
    calibrated = [one.correction.photograph.digest for one in accepted] + [digest for digest, _ in passed]
    if not calibrated and not bad.digests:
        raise _nothing(reading.set_aside)
    model = graph.changed(added, anew.head)
    record = CorrectionsRecord(
        parent=file_digest(artifact.path),
        good=(*known.good, *(one.correction.photograph.digest for one in adding if len(one.added)))[
            -MOST_REMEMBERED:
        ],
        calibrated=(*known.calibrated, *calibrated)[-MOST_REMEMBERED:],
        defects=(*known.defects, *bad.digests)[-MOST_REMEMBERED:],
        n_patches=known.n_patches + len(added),
        head=head,
    )
    said = f"learnt from {len(accepted) + len(bad.digests)} corrections"
    manifest = _described(artifact.manifest, anew, record).model_copy(
        update={
            "parity": _parity(graph, model, anew, [*bad.some, *adding, *accepted], added, contract),
            "precisions": (),
        }
    )
    members = artifact.members | anew.members | with_corrected(artifact, adding) | {MODEL: model}
    members.pop(INT8_MODEL, None)  # it is of the bank before
    return Learnt(
        manifest=decided_anew(manifest, anew, by, said),
        members=members if anew.head is not None else _without_head(members),
        good=len({one.correction.photograph.digest for one in adding if len(one.added)}),
        patches=len(added),
        dropped=dropped,
        calibrated=len(calibrated),
        defects=len(record.defects),
        head=head,
        no_head=_no_head(anew, len(record.defects)),
        set_aside=tuple(reading.set_aside),
    )


class Reading:
    """Reads photographs once, and keeps what cannot be learnt from."""

    def __init__(self, inspector: Inspector, graph: BankGraph) -> None:
        self._inspector, self._graph = inspector, graph
        self.set_aside: list[SetAside] = []

    def all(self, corrections: Sequence[Correction], what: str) -> Iterator[ReadPhotograph]:
        """Photographs that can be read and are like those learnt from."""
        for one in track(corrections, what):
            found = self.read(one)
            if isinstance(found, str):
                self.set_aside.append(SetAside(one.photograph.name, one.photograph.id, found))
            else:
                yield found

    def past_the_gate(self, good: Iterable[ReadPhotograph], gate: Gate) -> list[ReadPhotograph]:
        """Those that are not so far from all good parts that a second person is asked, or of whom one was."""
        accepted: list[ReadPhotograph] = []
        for one in good:
            where, away = one.correction.photograph, gate.novelty(one)
            if len(accepted) == AT_ONCE:
                detail = f"{AT_ONCE} good parts are learnt at once: let it learn again for the others."
                self.set_aside.append(SetAside(where.name, where.id, detail))
            elif away > gate.most and not one.correction.confirmed:
                detail = (
                    f"it is {away:.1f} robust deviations from what good parts are, which one person's word does "
                    "not make good: a second person has to say so too."
                )
                self.set_aside.append(SetAside(where.name, where.id, detail, True, away))
            else:
                accepted.append(one)
        return accepted

    def read(self, correction: Correction) -> ReadPhotograph | str:
        """A photograph as the network sees it, or why it cannot be learnt from."""
        inspector, name = self._inspector, correction.photograph.name
        try:
            content = correction.photograph.read()
            if hashlib.sha256(content).hexdigest() != correction.photograph.digest:
                return "its file is not the one that was judged."
            photograph = inspector.open_photograph(content, name)
            given = inspector.input_of(photograph.pixels, name)
        except (ImageError, NotFoundError) as error:
            return str(error)
        assert (
            isinstance(given, NetworkInput) and given.look is not None
        )  # it reads neither parts nor features
        if correction.good and (reason := inspector.unlike(photograph, given)) is not None:
            return f"it is unlike the photographs that were learnt from ({reason}), whatever the part is."
        patches = self._graph.read(np.asarray(given.values, np.float32))
        score = _placed(self._graph, given.look, patches.distances, patches.offset).score
        size = photograph.width, photograph.height
        return ReadPhotograph(correction, given.look, patches, score, size)


def _least(inspector: Inspector) -> float:
    """The score above which a part did not pass: what is under it is well known."""
    return min(inspector.decision.threshold, inspector.decision.review_threshold)


def _joined(adding: Sequence[ReadPhotograph], columns: int) -> FloatArray:
    rows = [one.vectors for one in adding if len(one.added)]
    return np.concatenate(rows) if rows else np.empty((0, columns), np.float32)


def _placed(graph: BankGraph, look: Look, distances: FloatArray, offset: float) -> Prediction:
    """What the bank says of distances, its map where the part lies in its photograph."""
    score, anomaly_map = graph.score(distances, offset)
    return look.placed(Prediction(score, anomaly_map))


def _of_line(graph: BankGraph, one: ReadPhotograph, distances: FloatArray) -> GoodOfTheLine:
    """A good photograph of the line by these distances of its patches."""
    said = _placed(graph, one.look, distances, one.patches.offset)
    counted = said.counted
    levels, areas = area_curve(said.anomaly_map, counted)
    inside = (
        said.anomaly_map if counted is None else said.anomaly_map[covered(counted, *said.anomaly_map.shape)]
    )
    pooled = farthest_mean(one.patches.vectors, distances)
    return GoodOfTheLine(said.score, float(inside.max()), levels, areas, float(distances.max()), pooled)


def _unseen(graph: BankGraph, one: ReadPhotograph, adding: Sequence[ReadPhotograph]) -> GoodOfTheLine:
    return _of_line(graph, one, unseen_distances(graph, one, adding))


def _nearer(graph: BankGraph, one: ReadPhotograph, added: FloatArray) -> FloatArray:
    """Distances of a photograph's patches to the bank with what was added, h x w."""
    to_added = graph.distances_to(one.patches.vectors, added).reshape(one.patches.distances.shape)
    return np.minimum(one.patches.distances, to_added)


def _passes(
    reading: Reading, graph: BankGraph, passes: Sequence[Correction], added: FloatArray
) -> Iterator[tuple[str, GoodOfTheLine]]:
    """Digest and scores of photographs that passed, one held at a time; what cannot be read is no loss."""
    before = list(reading.set_aside)
    for one in reading.all(passes, "Scoring parts that passed"):
        yield one.correction.photograph.digest, _of_line(graph, one, _nearer(graph, one, added))
    reading.set_aside[:] = before


class _Defects:
    """Means of the farthest patches of defects that are read one by one."""

    def __init__(self) -> None:
        self._rows: list[FloatArray] = []
        self.digests: list[str] = []
        self.some: list[ReadPhotograph] = []

    def add(self, one: ReadPhotograph) -> None:
        """Remember one, and the first of them whole."""
        self._rows.append(farthest_mean(one.patches.vectors, one.patches.distances))
        self.digests.append(one.correction.photograph.digest)
        if len(self.some) < _PARITY_IMAGES // 2:
            self.some.append(one)

    def all(self, artifact: Artifact, columns: int) -> FloatArray:
        """Those that the artifact remembers, and the new ones, M x K."""
        known = [artifact.array(KNOWN_DEFECTS)] if KNOWN_DEFECTS in artifact.members else []
        rows = np.stack(self._rows) if self._rows else np.empty((0, columns), np.float32)
        return np.asarray(np.concatenate([*known, rows])[-MOST_REMEMBERED:], np.float32)


def _described(manifest: Manifest, anew: CalibratedAnew, record: CorrectionsRecord) -> Manifest:
    """What the artifact says of itself, but for parity and decision."""
    groups = None if anew.calibration.groups is None else anew.calibration.n
    calibration = manifest.calibration.model_copy(
        update={"n_scores": len(anew.calibration.scores), "n_groups": groups}
    )
    # A head speaks of the photograph as a whole, so that the map's highest value is no longer the score.
    by_peak = manifest.detector.score_is_maximum and record.head is None
    if manifest.corrections is not None and manifest.corrections.head is not None and record.head is None:
        by_peak = True  # the head was all that stood between them
    return manifest.model_copy(
        update={
            "calibration": calibration,
            "corrections": record,
            "detector": manifest.detector.model_copy(update={"score_is_maximum": by_peak}),
        }
    )


def _without_head(members: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in members.items() if name != NORMAL_BANK_SCORES}


def _parity(
    graph: BankGraph,
    model: bytes,
    anew: CalibratedAnew,
    photographs: Sequence[ReadPhotograph],
    added: FloatArray,
    contract: Preprocessing,
) -> ParityRecord:
    """Compare what the changed network says with what is computed beside it, on a few of the photographs.

    Raises:
        BlemishError: they differ by more than is allowed.
    """
    some, largest = photographs[:_PARITY_IMAGES], 0.0
    with task("Checking the changed network", len(some) or None) as advance:
        runtime = CompiledNetwork(model, outputs=("score",))
        for one in some:
            distances = _nearer(graph, one, added)
            score, _ = graph.score(distances, one.patches.offset)
            if anew.head is not None:
                score += float(anew.head.of(farthest_mean(one.patches.vectors, distances)[None])[0])
            said = float(runtime(standardise(one.look.picture, contract)[None])[0].flat[0])
            largest = max(largest, abs(said - score) / max(abs(score), 1e-6))
            advance(1)
    if not largest <= TOLERANCE:
        raise BlemishError(
            f"The changed network differs by {largest:.1e} of the score from what was computed beside it, where "
            f"{TOLERANCE:.0e} is allowed, so nothing was written: fit the inspector anew, and report this."
        )
    return ParityRecord(n_images=max(1, len(some)), max_relative_error=largest)


def _no_head(anew: CalibratedAnew, defects: int) -> str:
    """Why there is no head of known defects; "" where there is one."""
    if anew.head is not None:
        return ""
    if NORMAL_POOLED not in anew.members:
        return "This inspector was fitted before Blemish kept what known defects are told from: fit it anew for that."
    if defects < FEWEST_DEFECTS:
        return f"{defects} known defects are remembered; {FEWEST_DEFECTS} make the inspector learn them."
    return (
        f"The {defects} known defects do not differ enough from good parts, or from each other, to be learnt."
    )


def _nothing(set_aside: Sequence[SetAside]) -> UsageError:
    if set_aside:
        first = set_aside[0]
        return UsageError(
            f"None of {len(set_aside)} corrections could be learnt from; the first, {first.name}: {first.detail}"
        )
    return UsageError("There is nothing new to learn from: correct some verdicts first.")
