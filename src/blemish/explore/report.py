"""The report of an exploration: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from blemish.core.pictures import encoded, uri_of
from blemish.core.progress import track
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.data.entries import ANOMALOUS, TEST, TRAIN
from blemish.explore import figures
from blemish.explore.exploration import CategoryExploration, Exploration
from blemish.explore.findings import Finding
from blemish.explore.map_figure import map_figure
from blemish.explore.samples import Sample, defect_samples, sample_histograms
from blemish.explore.statistics import (
    compared_rows,
    further_measures,
    size_statistics,
    unlike_measures,
    with_aspect_ratio,
)

# What keeps the file under 15 MB beside Plotly's 5 MB, however many photographs there are.
MOST_POINTS, _FEWEST_POINTS = 2000, 120
MOST_SAMPLES, _FEWEST_SAMPLES = 40, 3
MOST_FINDINGS, _FEWEST_FINDINGS = 300, 12
MAP_BYTES, SAMPLE_BYTES, FINDING_BYTES = 2_800_000, 3_200_000, 1_500_000
MOST_TYPES = 24
_SHEET_SIDE, _SHEET_COLUMNS, _SHEET_QUALITY = 40, 40, 70

_DISTRIBUTIONS = ("brightness", "contrast", "focus", "aspect_ratio")
_MOST_FURTHER = 4
_STRONGEST, _SAMPLES_AT_ONCE = 10, 2
_TAKEN_FOR = {
    "mvtec": "MVTec AD: train/good, test/good, test/DEFECT, ground_truth/DEFECT",
    "btad": "BTAD: train/ok, test/ok, test/ko, ground_truth",
    "visa": "VisA: its own tables",
    "folders": "plain folders: good/ and bad/; a fifth of the good ones is set aside for test",
    "manifest": "a manifest: one row per photograph",
    "images": "photographs of good parts only",
}


def write_report(exploration: Exploration, out: Path, title: str) -> None:
    """Write one self-contained HTML report.

    Pictures, points of the map and listed findings are capped over all categories, and what is left out is said,
    so that the file stays under 15 MB for any number of photographs.

    Args:
        exploration: what `explore_catalogs` returned, not yet closed.
        out: the HTML file; replaced as a whole when the report is ready.
        title: heading and window title.

    Raises:
        BlemishError: the file cannot be written.
    """
    categories = exploration.categories
    n = len(categories)
    limits = {
        "points": max(_FEWEST_POINTS, MOST_POINTS // n),
        "samples": max(_FEWEST_SAMPLES, MOST_SAMPLES // n),
        "findings": max(_FEWEST_FINDINGS, MOST_FINDINGS // n),
        "map_bytes": MAP_BYTES // n,
        "sample_bytes": SAMPLE_BYTES // n,
        "finding_bytes": FINDING_BYTES // n,
    }
    sections = [
        _section(number, explored, limits) for number, explored in enumerate(track(categories, "Report"), 1)
    ]
    counts = {explored.category: explored.survey.catalog.counts() for explored in categories}
    context = {
        "title": title,
        "facts": _facts(exploration),
        "sections": sections,
        "structure": _structure(categories),
        "balance": chart(
            "Class balance",
            "Photographs by split and defect type. The ratio of defective to good is not the line's: it moves "
            "accuracy, precision and average precision, but not the AUROC or the two error rates.",
            figures.balance_figure(counts),
        ),
        "insights": exploration.insights[:40],
        "several": n > 1,
    }
    write_text(out, render_page("blemish.explore", "explore.html.j2", get_plotlyjs(), context))


def _facts(exploration: Exploration) -> dict[str, str]:
    sizes = [len(explored.survey.table) for explored in exploration.categories]
    findings = exploration.findings
    return {
        "Categories": str(len(sizes)),
        "Photographs": f"{sum(sizes):,}",
        "Problems": f"{len(findings):,}" if findings else "none found",
        "Recommended input": f"{exploration.recommended_size} px",
    }


def _structure(categories: Sequence[CategoryExploration]) -> dict[str, Any]:
    """The table of counts: a row for each category, its test defects by type, and totals."""
    rows = []
    for number, explored in enumerate(categories, 1):
        counts = explored.survey.catalog.counts()
        types = {kind: count for kind, count in counts[TEST].items() if kind != "good"}
        ratio = explored.imbalance()
        rows.append(
            {
                "anchor": f"category-{number}",
                "category": explored.category,
                "train": counts[TRAIN].get("good", 0),
                "good": counts[TEST].get("good", 0),
                "types": types,
                "defective": sum(types.values()),
                "masks": int(explored.survey.table["mask"].notna().sum()),
                "ratio": "–" if ratio is None else f"{ratio:.2g} : 1",
                "problems": len(explored.findings),
            }
        )
    names = ("train", "good", "defective", "masks", "problems")
    return {"rows": rows, "totals": {name: sum(row[name] for row in rows) for name in names}}


def _section(number: int, explored: CategoryExploration, limits: dict[str, int]) -> dict[str, Any]:
    """Everything the template shows of one category."""
    survey = explored.survey
    catalog = survey.catalog
    kinds = Counter(finding.kind for finding in explored.findings)
    unreadable = int(survey.table["width"].isna().sum())
    return {
        "anchor": f"category-{number}",
        "category": explored.category,
        "root": str(catalog.root),
        "layout": catalog.layout,
        "taken_for": _TAKEN_FOR.get(catalog.layout, catalog.layout),
        "folders": _folders(explored),
        "n_images": len(survey.table),
        "unreadable": unreadable,
        "insights": explored.insights,
        "kinds": kinds.most_common(),
        "findings": _findings(explored, limits["findings"], limits["finding_bytes"]),
        **_samples(explored, limits["samples"], limits["sample_bytes"]),
        "size": explored.size,
        "sizes": size_statistics(survey.table),
        **_comparisons(explored),
        "colour_charts": _colour_charts(explored),
        "distributions": _distributions(explored),
        "places": _place_charts(explored),
        "map": _map(explored, limits["points"], limits["map_bytes"]),
    }


def _folders(explored: CategoryExploration) -> list[dict[str, Any]]:
    """Folders found, and what they were taken for."""
    table, root = explored.survey.table, explored.survey.catalog.root
    parents = [Path(path).parent for path in table["path"]]
    groups = Counter(zip(parents, table["split"], table["label"], table["defect_type"], strict=True))
    masks = Counter(Path(path).parent for path in table["mask"] if isinstance(path, str))
    rows = [
        {"folder": _inside(folder, root), "taken_for": f"{split}, {kind}", "count": count}
        for (folder, split, _, kind), count in sorted(groups.items(), key=str)
    ]
    rows += [
        {"folder": _inside(folder, root), "taken_for": "masks", "count": count}
        for folder, count in sorted(masks.items())
    ]
    return rows[:60]


def _inside(path: Path, root: Path) -> str:
    return f"{path.relative_to(root).as_posix()}/" if path.is_relative_to(root) else str(path)


def _samples(explored: CategoryExploration, most: int, most_bytes: int) -> dict[str, list[Sample]]:
    """Samples of each defect type, as many as fit: the first of each type are seen at once, the others unfolded."""
    seen: Counter[str] = Counter()
    groups: dict[str, list[Sample]] = {"samples": [], "more_samples": []}
    for sample in _fitting_samples(explored, most, most_bytes):
        seen[sample.defect_type] += 1
        groups["samples" if seen[sample.defect_type] <= _SAMPLES_AT_ONCE else "more_samples"].append(sample)
    return groups


def _fitting_samples(explored: CategoryExploration, most: int, most_bytes: int) -> list[Sample]:
    samples = defect_samples(explored.survey.table, most)
    sizes = [sum(len(picture.uri) for picture in sample.pictures) for sample in samples]
    if sum(sizes) > most_bytes:  # fewer of each type, rather than the first types alone
        return defect_samples(explored.survey.table, int(most * most_bytes / sum(sizes)))
    return samples


def _findings(explored: CategoryExploration, most: int, most_bytes: int) -> list[dict[str, Any]]:
    """The first findings of each kind, as many as fit, with thumbnails as long as there is room."""
    survey = explored.survey
    index_of = dict(zip(survey.table["path"], survey.table.index.tolist(), strict=True))
    masks = zip(survey.table["mask"], survey.table.index.tolist(), strict=True)
    index_of |= {mask: index for mask, index in masks if isinstance(mask, str)}
    by_kind: dict[str, list[Finding]] = {}
    for finding in explored.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    fair = max(3, most // max(len(by_kind), 1))
    groups = []
    for kind, found in by_kind.items():
        rows = []
        for finding in found[:fair]:
            places = [index_of[path] for path in (finding.path, finding.other) if path in index_of]
            uris = [survey.thumbnails.uri(place) for place in places if place in survey.thumbnails]
            most_bytes -= sum(map(len, uris))
            uris = uris if most_bytes >= 0 else []
            name = _inside(Path(finding.path), survey.catalog.root).rstrip("/")
            rows.append({"finding": finding, "name": name, "thumbnails": uris})
        groups.append({"kind": kind, "total": len(found), "rows": rows})
    return groups


def _colour_charts(explored: CategoryExploration) -> list[dict[str, Any]]:
    survey = explored.survey
    if not survey.histograms:
        return []
    return [
        chart(
            "Colours of a class",
            "Mean histogram over the photographs; the band is one standard deviation wide to each side.",
            figures.class_histogram_figure(survey.histograms),
        ),
        chart(
            "Colours of one photograph",
            "A typical good one, then the first of each defect type.",
            figures.image_histogram_figure(sample_histograms(survey.table)),
        ),
    ]


def _comparisons(explored: CategoryExploration) -> dict[str, Any]:
    """The strongest differences that are not one and the same, and all others."""
    table = compared_rows(with_aspect_ratio(explored.survey.table))
    names = [found.measure for found in explored.comparisons]
    strongest = set(unlike_measures(table, (), names, _STRONGEST))
    return {
        "comparisons": [found for found in explored.comparisons if found.measure in strongest],
        "more_comparisons": [found for found in explored.comparisons if found.measure not in strongest],
    }


def _distributions(explored: CategoryExploration) -> list[dict[str, Any]]:
    """Good against defective, with the test's result in words: plain measures, then the strongest further ones."""
    table = compared_rows(with_aspect_ratio(explored.survey.table))
    compared = {comparison.measure: comparison for comparison in explored.comparisons}
    further = set(further_measures(table))
    strongest = [name for name, found in compared.items() if name in further and found.p_adjusted < 0.05]
    charts = []
    for name in unlike_measures(table, _DISTRIBUTIONS, strongest, _MOST_FURTHER):
        if not table[name].notna().any():
            continue
        note = "Nothing to compare: one class, or one value."
        if name in compared:
            found = compared[name]
            note = (
                f"Cliff's delta {found.effect:+.2f} ({found.size}), Mann–Whitney p = {found.p_value:.2g}, "
                f"{found.p_adjusted:.2g} after Holm's correction."
            )
        title = name.replace("_", " ").capitalize()
        title += " (handcrafted)" if name in further else ""
        charts.append(chart(title, note, figures.distribution_figure(table, name)))
    return charts


def _place_charts(explored: CategoryExploration) -> list[dict[str, Any]]:
    """Where defects are and what they look like; empty without masks."""
    survey = explored.survey
    counts = Counter(survey.table.loc[survey.table["label"] == ANOMALOUS, "defect_type"])
    charts = []
    if len(counts) > 1:
        note = "Photographs of each defect type, and the share that the most frequent ones make up."
        charts.append(
            chart("Defect types", note, figures.pareto_figure(dict(counts.most_common(MOST_TYPES))))
        )
    regions = survey.defects.table()
    if regions.empty:
        return charts
    n = sum(survey.defects.counts.values())
    note = f"Share of {n} masks that mark each place; masks of any size are brought to one grid."
    charts.append(chart("Where defects are", note, figures.defect_heatmap_figure(survey.defects)))
    if explored.size.small:
        note = "A region below the dashed line shares every vector of the feature map with the good surface around it."
        charts.append(chart("How small defects are", note, figures.input_size_figure(explored.size)))
    for column, title in (
        ("area", "Size of the regions"),
        ("count", "Regions in one photograph"),
        ("elongation", "How long they are"),
        ("solidity", "How compact they are"),
    ):
        note = f"{len(regions)} connected regions of the masks."
        charts.append(chart(title, note, figures.region_figure(regions, column)))
    return charts


def _map(explored: CategoryExploration, most: int, most_bytes: int) -> dict[str, Any] | None:
    """The map, and the sheet of thumbnails for its points; None without an embedding."""
    survey = explored.survey
    if not explored.maps:
        return None
    n = len(survey.embedded)
    while True:
        shown = np.unique(np.linspace(0, n - 1, min(most, n)).round().astype(np.intp))
        numbers = [int(survey.embedded[place]) for place in shown]
        sheet = survey.thumbnails.sheet(numbers, _SHEET_SIDE, _SHEET_COLUMNS)
        uri = uri_of(encoded(sheet, ".jpg", _SHEET_QUALITY), ".jpg")
        if len(uri) <= most_bytes or len(shown) < 2:
            break
        most = int(min(most, n) * 0.9 * most_bytes / len(uri))
    labels = survey.table["defect_type"].iloc[survey.embedded].tolist()
    paths, splits = survey.table["path"].tolist(), survey.table["split"].tolist()
    names = [
        f"{labels[place]}, {splits[i]}: {Path(paths[i]).name}"
        for place, i in zip(shown, numbers, strict=True)
    ]
    first = explored.maps[0]
    note = (
        "Photographs that a network finds alike lie together; defects among the good ones are the hard ones."
    )
    if first.explained is not None:
        note += f" The two axes of {first.method} show {first.explained:.0%} of the variance."
    note += " Drag to enlarge; double-click to see all, the outliers too."
    if len(shown) < n:
        note += f" {len(shown):,} of {n:,} are points, all are in the grey density."
    if n < len(survey.table):
        note += f" {n:,} of {len(survey.table):,} photographs were embedded."
    figure = map_figure(explored.maps, labels, shown, names)
    return {
        "chart": chart("A map of the images", note, figure),
        "sheet": uri,
        "side": _SHEET_SIDE,
        "columns": _SHEET_COLUMNS,
    }
