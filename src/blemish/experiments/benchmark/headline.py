"""A comparison in a few sentences: who ranks best, and how its threshold decides; who decides best; who is fastest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blemish.evaluation.worth import Worth, decision_in_words, ranked_and_decided, ranking_in_words
from blemish.experiments.benchmark.table import Row, Table


def headline(table: Table) -> str:
    """The result in sentences that never praise a ranking without what is missed at the threshold."""
    rows = list(table.mean.compared().values())
    ranked = _extreme(rows, "image_auroc", highest=True)
    if ranked is None:
        return "No detector has figures on every category."
    n = len(table.blocks) - 1
    over = "" if n == 1 else f" on the mean of {n} categories"
    sentences = [_ranking(ranked, over, alone=len(rows) == 1)]
    decides = _extreme(rows, "f1", highest=True)
    if decides is not None and decides.value("f1") > ranked.value("f1"):
        sentences.append(_decision(decides))
    if len(rows) > 1 and all(row.worth.missed_share > 0.5 for row in rows):
        sentences.append("Every one of them misses more than half of the defective parts at its threshold.")
    fastest = _extreme(rows, "ms", highest=False)
    if fastest is not None and len(rows) > 1:
        sentences.append(_speed(fastest, ranked))
    return " ".join(sentences)


def _ranking(row: Row, over: str, alone: bool) -> str:
    best = "" if alone else " best"
    if row.worth.ranks_by_chance and not alone:
        clause = (
            f"No detector ranks parts better than guessing{over}: {row.label} reaches {_auroc(row.worth)}"
        )
    else:
        clause = f"{row.label} ranks parts{best}{over}, with {ranking_in_words(row.worth)}"
    return f"{ranked_and_decided(clause, row.worth)}."


def _auroc(worth: Worth) -> str:
    """The AUROC without the remark that it is guessing, which has been made."""
    low, high = worth.interval
    return f"an image AUROC of {worth.auroc:.3f}" + (
        "" if math.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
    )


def _decision(row: Row) -> str:
    return f"{row.label} has the highest F1 at its threshold, {row.value('f1'):.3f}: it {decision_in_words(row.worth)}."


def _speed(fastest: Row, ranked: Row) -> str:
    time = f"{fastest.value('ms'):.1f} ms an image"
    if fastest is ranked:
        return f"It is also the fastest, at {time}."
    rest = f", with an AUROC of {fastest.value('image_auroc'):.3f}; it {decision_in_words(fastest.worth)}"
    return (
        f"{fastest.label} is the fastest, at {time}{rest}. {ranked.label} takes {ranked.value('ms'):.1f} ms."
    )


def _extreme(rows: Sequence[Row], key: str, highest: bool) -> Row | None:
    known = [row for row in rows if not math.isnan(row.value(key))]
    return (max if highest else min)(known, key=lambda row: row.value(key)) if known else None
