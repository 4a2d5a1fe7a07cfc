"""What the numbers mean: a ranked list of sentences, each with its numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from blemish.core.images import IMAGE_PROBLEM_KINDS
from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, TEST, TRAIN
from blemish.explore.defects import InputSize
from blemish.explore.findings import Finding
from blemish.explore.grouping import Grouping
from blemish.explore.statistics import COMPARED, NOTABLE, Comparison

CONFIDENCE = 0.95
FEW_OF_A_TYPE = 10
WANTED_FALSE_REJECTS = 0.01

LEAKS = ("duplicate-across-splits", "near-duplicate-across-splits")
_UNUSABLE = tuple(kind for kind in IMAGE_PROBLEM_KINDS if kind != "wrong-extension")
_QUALITY = ("dark", "bright", "blurred", "low-contrast", "noisy", "clipped", "colour-cast")
_ODD = ("odd-size", "odd-channels", "odd-bit-depth")
_LABELS = ("mask-mismatch", "mask-empty", "mask-missing", "mask-without-image", "duplicate-across-labels")
_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


@dataclass(frozen=True)
class Insight:
    """One sentence worth knowing.

    Attributes:
        weight: how much it matters, 0 to 100; the list is ranked by it.
        kind: one word.
        category: which category it is about.
        sentence: for a person.
        numbers: the numbers in it.
    """

    weight: float
    kind: str
    category: str
    sentence: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The insight as JSON-ready values."""
        return {
            "kind": self.kind,
            "category": self.category,
            "sentence": self.sentence,
            "numbers": self.numbers,
        }


def promised_false_rejects(n_good: int, confidence: float = CONFIDENCE) -> float:
    """Highest false-reject rate that is left open if none of `n_good` unseen good parts is rejected.

    The upper end of the one-sided Clopper-Pearson interval for 0 of n, 1 - (1 - confidence)^(1/n); about 3/n for
    95 %, the "rule of three" (Hanley and Lippman-Hand, JAMA 1983). 1.0 for none.
    """
    return 1.0 if n_good < 1 else 1 - (1 - confidence) ** (1 / n_good)


def good_parts_needed(rate: float, confidence: float = CONFIDENCE) -> int:
    """How many unseen good parts, none rejected, it takes to promise a false-reject rate; 0 < rate < 1."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - rate))


def insights_of(
    category: str,
    table: pd.DataFrame,
    findings: Sequence[Finding],
    regions: pd.DataFrame,
    size: InputSize,
    comparisons: Sequence[Comparison],
) -> list[Insight]:
    """The insights of one category, those that matter most first.

    Args:
        category: its name.
        table: `Survey.table`.
        findings: its findings.
        regions: `DefectMap.table()`.
        size: the recommended input size.
        comparisons: normal against defective.
    """
    found = [
        *_about_findings(category, findings, len(table)),
        *_about_good_parts(category, table),
        *_about_defect_types(category, table),
        *_about_places(category, regions),
        *_about_light(category, comparisons),
        *_about_single_numbers(category, comparisons),
        Insight(
            55 if size.small else 30,
            "input-size",
            category,
            f"Use an input of {size.recommended} px: {size.reason}",
            {"recommended_size": size.recommended, "smallest_pixels": size.smallest.get(size.recommended)},
        ),
    ]
    return ranked(found)


def ranked(insights: Iterable[Insight]) -> list[Insight]:
    """Insights, those that matter most first."""
    return sorted(insights, key=lambda insight: -insight.weight)


def grouping_insight(category: str, grouping: Grouping) -> Insight:
    """That good photographs look like several of one part, and the option that keeps them together."""
    return Insight(80, "group-by", category, grouping.sentence, asdict(grouping))


def _about_findings(category: str, findings: Sequence[Finding], n_images: int) -> Iterator[Insight]:
    """Leaks first, then what cannot be used, what is labelled wrongly, and what was photographed badly."""
    kinds = Counter(finding.kind for finding in findings)
    groups = (
        (
            100,
            "leak",
            LEAKS,
            "The same photographs in train and in test",
            "results would flatter; remove them",
        ),
        (
            90,
            "unusable",
            _UNUSABLE,
            "Files that cannot be read",
            "they count nowhere; take or copy them again",
        ),
        (
            85,
            "labels",
            _LABELS,
            "Wrong, missing or empty masks or labels",
            "pixel metrics suffer; correct them",
        ),
        (
            70,
            "quality",
            _QUALITY,
            "Photographs outside of what is normal here",
            "look at each before training",
        ),
        (66, "odd-format", _ODD, "Photographs of another format than nearly all", "bring them in line"),
        (50, "copies", ("duplicate", "near-duplicate"), "Copies within a split", "they teach nothing new"),
    )
    for weight, kind, members, what, way_out in groups:
        counts = {member: kinds[member] for member in members if kinds[member]}
        if not counts:
            continue
        total = sum(counts.values())
        named = ", ".join(f"{member} {count}" for member, count in counts.items())
        share = total / max(n_images, 1)
        yield Insight(
            weight + min(share, 1) * 5,
            kind,
            category,
            f"{what}: {total} of {n_images} ({named}); {way_out}.",
            {"files": total, "share": share, **counts},
        )


def _about_good_parts(category: str, table: pd.DataFrame) -> Iterator[Insight]:
    """How many good parts there are, and what can be promised with them."""
    readable = table[table["width"].notna() & (table["label"] == NORMAL)]
    train, test = (int((readable["split"] == split).sum()) for split in (TRAIN, TEST))
    promise = promised_false_rejects(train)
    needed = good_parts_needed(WANTED_FALSE_REJECTS)
    sentence = (
        f"{train} good photographs to learn from: if each is scored as if unseen and none is rejected, at most "
        f"{_percent(promise)} of good parts will be rejected (95 % confidence)"
    )
    if train < needed:
        more = f"photograph {needed - train} more good parts"
        sentence += f"; for {_percent(WANTED_FALSE_REJECTS)} it takes {needed}: {more}"
    numbers = {"n_good_train": train, "n_good_test": test, "false_reject_rate": promise, "needed": needed}
    yield Insight(60 if train >= needed else 75, "good-parts", category, sentence + ".", numbers)
    anomalous = int((table["label"] == ANOMALOUS).sum())
    if anomalous and test < 10:
        yield Insight(
            64,
            "good-test-parts",
            category,
            f"Only {test} good photographs in test: false rejects cannot be measured "
            f"(none of {test} rejected still leaves {_percent(promised_false_rejects(test))} open); "
            "set some good photographs aside.",
            {"n_good_test": test},
        )


def _about_defect_types(category: str, table: pd.DataFrame) -> Iterator[Insight]:
    """Pareto of the defect types, the balance of the classes, and what to photograph next."""
    test = table[table["split"] == TEST]
    counts = Counter(test.loc[test["label"] == ANOMALOUS, "defect_type"])
    total, good = sum(counts.values()), int((test["defect_type"] == GOOD).sum())
    if not total:
        yield Insight(
            62,
            "no-defects",
            category,
            "No defective photographs: a detector can learn, but how many defects it finds cannot be measured; "
            "photograph at least ten defective parts of each type.",
            {"n_defective": 0},
        )
        return
    ranked, head, seen = counts.most_common(), [], 0
    for name, count in ranked:
        head.append(f"{name} {count}")
        seen += count
        if seen >= 0.8 * total:
            break
    if len(ranked) > 1:
        sentence = (
            f"{len(head)} of {len(ranked)} defect types make up {seen / total:.0%} of the {total} defective "
            f"photographs: {', '.join(head)}."
        )
        if ranked[0][1] < 1.5 * ranked[-1][1]:
            sentence = (
                f"No defect type stands out: each of the {len(ranked)} has {ranked[-1][1]} to {ranked[0][1]} of the "
                f"{total} defective photographs."
            )
        yield Insight(
            46,
            "pareto",
            category,
            sentence,
            {"n_defective": total, "types": dict(ranked)},
        )
    rare = {name: count for name, count in ranked if count < FEW_OF_A_TYPE}
    if rare:
        named = ", ".join(f"{name} ({count})" for name, count in list(rare.items())[:6])
        sentence = (
            f"Photograph next: more of {named}; under {FEW_OF_A_TYPE} of a type, its recall is a guess."
        )
        yield Insight(58, "photograph-next", category, sentence, {"rare": rare})
    if good:
        ratio = total / good
        if not 1 / 3 <= ratio <= 3:
            yield Insight(
                48,
                "imbalance",
                category,
                f"{total} defective against {good} good in test: accuracy and average precision depend on this "
                "ratio, and it is not the line's; judge by AUROC and by the two error rates.",
                {"n_defective": total, "n_good": good, "ratio": ratio},
            )


def _about_places(category: str, regions: pd.DataFrame) -> Iterator[Insight]:
    """The ninth of the picture where most defects are, if they are not spread evenly."""
    if len(regions) < 8:
        return
    # A mask of many pieces is one defect: each photograph counts once.
    weights = 1 / regions.groupby("path")["path"].transform("size").to_numpy(float)
    grid, _, _ = np.histogram2d(regions["y"], regions["x"], bins=3, range=((0, 1), (0, 1)), weights=weights)
    shares = grid / grid.sum()
    row, column = np.unravel_index(int(shares.argmax()), shares.shape)
    share = float(shares[row, column])
    place = "centre" if row == column == 1 else f"{_ROWS[row]} {_COLUMNS[column]}"
    numbers = {"place": place, "share": share, "even_share": 1 / 9, "n_regions": len(regions)}
    if share >= 0.3:
        sentence = (
            f"{share:.0%} of the defects lie in the {place} ninth of the picture, 11 % if spread evenly."
        )
        yield Insight(45, "hot-zone", category, sentence, numbers)


def _about_light(category: str, comparisons: Sequence[Comparison]) -> Iterator[Insight]:
    """Defective photographs that differ from good ones in plain numbers, such as the light."""
    plain = {"brightness", "contrast", "cast_a", "cast_b", "aspect_ratio", "noise", "focus"}
    alike = [c for c in comparisons if c.measure in plain]
    telling = [c for c in alike if c.p_value * len(alike) < 0.001 and abs(c.effect) >= NOTABLE]
    if not telling:
        return
    most = max(telling, key=lambda comparison: abs(comparison.effect))
    named = ", ".join(c.measure.replace("_", " ") for c in telling)
    yield Insight(
        65,
        "light",
        category,
        f"Good and defective test photographs differ in {named} (most in {most.measure.replace('_', ' ')}: median "
        f"{most.normal:.3g} against {most.defective:.3g}, Cliff's delta {most.effect:+.2f}): make sure that a "
        "detector judges the defect, not how it was photographed.",
        {
            "measures": [c.measure for c in telling],
            "effect": most.effect,
            "p_value": most.p_value,
        },
    )


def _about_single_numbers(category: str, comparisons: Sequence[Comparison]) -> Iterator[Insight]:
    """How far a single further number, such as a handcrafted feature, tells good from defective by itself."""
    further = [c for c in comparisons if c.measure not in COMPARED]
    telling = [c for c in further if c.p_adjusted < 0.001 and abs(c.effect) >= NOTABLE]
    if not telling:
        return
    most = max(telling, key=lambda comparison: abs(comparison.effect))
    plain = max((abs(c.effect) for c in comparisons if c.measure in COMPARED), default=0.0)
    if abs(most.effect) < plain + 0.02:
        return  # the light says it already
    area = (1 + abs(most.effect)) / 2
    yield Insight(
        47,
        "single-number",
        category,
        f"{most.measure.replace('_', ' ').capitalize()} alone tells good from defective with an AUROC of "
        f"{area:.2f}, the best of {len(further)} further measures, chosen on these "
        "photographs: a detector must do better than that to have learnt more.",
        {"measure": most.measure, "auroc": area, "p_adjusted": most.p_adjusted, "n_measures": len(further)},
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %" if rate < 0.1 else f"{100 * rate:.0f} %"
