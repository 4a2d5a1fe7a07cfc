"""What corrections do to an inspector: false rejects, escapes and AUROC before and after, on photographs not corrected.

    python bench/corrections.py ../shared/data/screw ../shared/data/metal_plate ../shared/data/magnetic_tile [--write]

Each test set is split into two halves, by kind of defect and with a fixed seed. One half is a stream: an inspector who
knows the truth corrects the verdicts that are wrong, 5, 20 and 50 of them, and where the stream runs out of wrong ones
also confirms right ones; what passed without a word counts as good. What is learnt is measured on the other half, which
nobody has corrected; then the halves change places, so that every test photograph is measured once. Then the same with
a tenth of the corrections wrong. Gates and weights were chosen on good photographs and painted defects, never on these.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring.corrections_chart import write_chart
from measuring.pages import ROOT, origin, table, write_block
from sklearn.metrics import roc_auc_score

import blemish
from blemish.core.storage import file_digest
from blemish.core.types import Verdict
from blemish.data.catalog import open_catalog
from blemish.data.entries import ANOMALOUS, TEST
from blemish.line.artifact import MODEL, read_artifact, write_artifact
from blemish.line.correction import Correction, LinePhotograph
from blemish.line.decision import Decision
from blemish.line.runtime import Inspector
from blemish.making.bank_graph import BankGraph, Patches
from blemish.making.known_defect_head import farthest_mean
from blemish.making.learn_corrections import Learnt, Reading, learn_corrections

PAGE = ROOT / "docs" / "corrections.md"
CHART = ROOT / "docs" / "images" / "corrections.svg"
COUNTS, WRONG, SEED = (5, 20, 50), 0.1, 20


@dataclass(frozen=True)
class Photograph:
    """A test photograph: where it is, what it shows, and what the inspector said of it before."""

    path: Path
    good: bool
    kind: str
    verdict: Verdict
    score: float
    patches: Patches
    unlike: bool

    @property
    def wrong(self) -> bool:
        """Whether a person who knows the truth would correct the verdict."""
        return self.good != (self.verdict is Verdict.PASS)


@dataclass(frozen=True)
class Measured:
    """What an inspector does to photographs: scores, which are rejected, and which pass."""

    good: np.ndarray
    scores: np.ndarray
    rejected: np.ndarray
    passed: np.ndarray

    @classmethod
    def of(cls, photographs: Sequence[Photograph], scores: Sequence[float], decision: Decision) -> Measured:
        """By these scores and this decision."""
        verdicts = [
            _verdict(score, one.unlike, decision) for one, score in zip(photographs, scores, strict=True)
        ]
        return cls(
            np.array([one.good for one in photographs]),
            np.asarray(scores),
            np.array([one is Verdict.REJECT for one in verdicts]),
            np.array([one is Verdict.PASS for one in verdicts]),
        )

    def joined(self, other: Measured) -> Measured:
        """Both together; scores are of two inspectors, so that AUROC is taken of each."""
        return Measured(
            *(np.append(getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        )

    @property
    def false_rejects(self) -> float:
        """Share of good parts that are rejected."""
        return float(np.mean(self.rejected[self.good]))

    @property
    def escapes(self) -> float:
        """Share of defective parts that pass."""
        return float(np.mean(self.passed[~self.good]))

    @property
    def auroc(self) -> float:
        """Of the scores."""
        return float(roc_auc_score(~self.good, self.scores))


def _verdict(score: float, unlike: bool, decision: Decision) -> Verdict:
    """As the runtime judges."""
    said = decision.verdict(score)
    return Verdict.NOT_JUDGED if unlike and said is not Verdict.REJECT else said


@dataclass(frozen=True)
class Row:
    """One line of the table: what was corrected, and what became of it, over both halves."""

    part: str
    asked: int
    noisy: bool
    wrong_verdicts: float
    confirmed: float
    waiting: float
    head: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]


def photographs_of(root: Path, inspector: Inspector, graph: BankGraph, most: int) -> list[Photograph]:
    """The test photographs of a category, or as many drawn from them, each with the inspector's verdict.

    The network sees each once.
    """
    table_of = open_catalog(root).table
    test = table_of[table_of["split"] == TEST]
    if len(test) > most:
        test = test.iloc[np.sort(np.random.default_rng(SEED).permutation(len(test))[:most])]
    found = []
    for path, label, kind in zip(test["path"], test["label"], test["defect_type"], strict=True):
        photograph = inspector.open_photograph(Path(path).read_bytes(), path)
        given = inspector.input_of(photograph.pixels, path)
        unlike = inspector.unlike(photograph, given) is not None
        patches = graph.read(given.values)
        score, _ = graph.score(patches.distances, patches.offset)
        verdict = _verdict(score, unlike, inspector.decision)
        found.append(Photograph(Path(path), label != ANOMALOUS, str(kind), verdict, score, patches, unlike))
    return found


def scores_after(path: Path, before: BankGraph, photographs: Sequence[Photograph]) -> list[float]:
    """What the written inspector says of photographs, from patches that are known: it says the same (parity gate)."""
    artifact = read_artifact(path)
    after = BankGraph(artifact.content(MODEL), path.stem)
    added, head, scores = after.bank[len(before.bank) :], after.head, []
    for one in photographs:
        known = one.patches
        to_added = before.distances_to(known.vectors, added).reshape(known.distances.shape)
        distances = np.minimum(known.distances, to_added)
        score, _ = before.score(distances, known.offset)
        if head is not None:
            score += float(head.of(farthest_mean(known.vectors, distances)[None])[0])
        scores.append(score)
    first = Inspector(artifact).inspect(photographs[0].path).score
    assert abs(first - scores[0]) < 1e-3 * abs(first), (first, scores[0])
    return scores


def halves(photographs: Sequence[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Two halves with as many of each kind, in a drawn order."""
    rng, first, second = np.random.default_rng(SEED), [], []
    for number, kind in enumerate(sorted({one.kind for one in photographs})):
        mine = [one for one in photographs if one.kind == kind]
        order = [mine[place] for place in rng.permutation(len(mine))]
        middle = (len(order) + number % 2) // 2  # of odd numbers the larger half in turn
        first += order[:middle]
        second += order[middle:]
    return [[some[i] for i in rng.permutation(len(some))] for some in (first, second)]  # type: ignore[return-value]


def corrected(
    stream: Sequence[Photograph], count: int, noisy: bool
) -> tuple[list[Correction], list[Correction], int]:
    """Corrections of a stream, those that passed before the last without a word, and how many verdicts were wrong."""
    wrong = [place for place, one in enumerate(stream) if one.wrong][:count]
    right = [place for place, one in enumerate(stream) if not one.wrong]
    places = wrong + right[: count - len(wrong)]
    end = max(places, default=-1) if len(wrong) == count else len(stream) - 1
    rng = np.random.default_rng(SEED + count)
    flipped = set(rng.permutation(places)[: max(1, round(WRONG * len(places)))].tolist()) if noisy else set()
    said = [_correction(stream[place], stream[place].good != (place in flipped)) for place in places]
    passed = [
        _correction(one, True)
        for place, one in enumerate(stream[: end + 1])
        if place not in set(places) and one.verdict is Verdict.PASS
    ]
    return said, passed, len(wrong)


def _correction(one: Photograph, good: bool) -> Correction:
    return Correction(LinePhotograph(one.path.name, file_digest(one.path), one.path.read_bytes), good)


def remembered(read: Callable[[object, Correction], object]) -> Callable[[object, Correction], object]:
    """What the inspector that is learnt from sees on a photograph is the same each time: it is computed once."""
    known: dict[str, object] = {}

    @functools.wraps(read)
    def reading(own: object, one: Correction) -> object:
        key = one.photograph.digest
        if key not in known:
            known[key] = read(own, one)
        found = known[key]
        return found if isinstance(found, str) else dataclasses.replace(found, correction=one)  # type: ignore[type-var]

    reading.forget = known.clear  # type: ignore[attr-defined]
    return reading


def rows_of(root: Path, path: Path, folder: Path, most: int) -> list[Row]:
    """All lines of one category, whose inspector is at `path`."""
    artifact = read_artifact(path)
    inspector, graph = Inspector(artifact), BankGraph(artifact.content(MODEL), root.name)
    both = halves(photographs_of(root, inspector, graph, most))
    rows = []
    before = [Measured.of(half, [one.score for one in half], inspector.decision) for half in both]
    for noisy in (False, True):
        for count in COUNTS:
            measured, learnt, wrong = list[Measured](), list[Learnt](), list[int]()
            for stream, other in (both, both[::-1]):
                said, passed, n_wrong = corrected(stream, count, noisy)
                learnt.append(learn_corrections(artifact, said, passed))
                wrong.append(n_wrong)
                out = folder / "after.blemish"
                write_artifact(out, learnt[-1].manifest, learnt[-1].members)
                scores = scores_after(out, graph, other)
                measured.append(Measured.of(other, scores, learnt[-1].manifest.decision))
            rows.append(_row(root.name, count, noisy, wrong, learnt, before[::-1], measured))
            print(rows[-1], flush=True)
    return rows


def _row(
    part: str,
    count: int,
    noisy: bool,
    wrong: Sequence[int],
    learnt: Sequence[Learnt],
    before: Sequence[Measured],
    after: Sequence[Measured],
) -> Row:
    heads = [f"{one.head.found:.0%}" if one.head else "-" for one in learnt]
    return Row(
        part,
        count,
        noisy,
        float(np.mean(wrong)),
        count - float(np.mean(wrong)),
        float(np.mean([len(one.waiting) for one in learnt])),
        ", ".join(heads),
        _figures(before),
        _figures(after),
    )


def _figures(measured: Sequence[Measured]) -> tuple[float, float, float]:
    """False rejects and escapes of both halves together, and the mean of their AUROC."""
    whole = measured[0].joined(measured[1])
    return whole.false_rejects, whole.escapes, float(np.mean([one.auroc for one in measured]))


def shown(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    head = (
        "part", "corrections", "of wrong verdicts", "wait", "head finds",
        "false rejects", "escapes", "AUROC",
    )  # fmt: skip
    lines = []
    for row in rows:
        said = f"{row.asked}{', a tenth of them wrong' if row.noisy else ''}"
        figures = [
            f"{old:.1%} -> {new:.1%}" for old, new in zip(row.before[:2], row.after[:2], strict=True)
        ] + [f"{row.before[2]:.3f} -> {row.after[2]:.3f}"]
        lines.append((row.part, said, f"{row.wrong_verdicts:g}", f"{row.waiting:g}", row.head, *figures))
    return table(head, lines)


def _kept(path: Path | None) -> list[Row]:
    """Rows that an earlier run has kept; none where there is no such file."""
    if path is None or not path.exists():
        return []
    found = json.loads(path.read_text())
    return [Row(**row | {name: tuple(row[name]) for name in ("before", "after")}) for row in found]


def main() -> None:
    """Measure, print, and with --write put table and chart onto the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", nargs="*", type=Path, help="folders of one category each, with test photographs"
    )
    parser.add_argument("--inspectors", type=Path, help="folder of NAME.blemish that were fitted before")
    parser.add_argument("--most", type=int, default=10_000, help="test photographs of a category, drawn")
    parser.add_argument(
        "--save", type=Path, help="also keep the rows in this JSON file, or add those it holds"
    )
    parser.add_argument("--write", action="store_true", help="write onto docs/corrections.md")
    options = parser.parse_args()
    reading = remembered(Reading.read)
    Reading.read = reading  # type: ignore[method-assign]
    rows = _kept(options.save)
    with tempfile.TemporaryDirectory() as work:
        for root in options.data:
            path = (options.inspectors or Path(work)) / f"{root.name}.blemish"
            if not path.exists():
                blemish.fit(root, path)
            rows += rows_of(root, path, Path(work), options.most)
            reading.forget()  # type: ignore[attr-defined]
    if options.save:
        options.save.write_text(json.dumps([dataclasses.asdict(row) for row in rows]))
    text = f"{shown(rows)}\n\n{origin()}"
    print(text)
    if options.write:
        write_chart(rows, CHART)
        write_block(PAGE, "corrections", text)


if __name__ == "__main__":
    main()
