"""Everything that is found out about the images of one or several categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from blemish.core.errors import UsageError
from blemish.core.images import DEFAULT_LIMITS, DecodeLimits
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, NORMAL, TEST, TRAIN
from blemish.explore.defects import InputSize, recommended_size
from blemish.explore.embedding import ImageMap, image_maps
from blemish.explore.findings import Finding
from blemish.explore.grouping import MOST_COMPARED, Grouping, alike_pairs, proposed_grouping
from blemish.explore.insights import Insight, grouping_insight, insights_of, ranked
from blemish.explore.looking import Lookers
from blemish.explore.statistics import Comparison, compare_classes, size_statistics
from blemish.explore.survey import Survey, survey
from blemish.explore.thumbnails import Thumbnails


@dataclass(frozen=True)
class CategoryExploration:
    """What is found out about one category.

    Attributes:
        survey: what the pass over the photographs measured.
        findings: everything to look at.
        size: the recommended input size.
        maps: places of the embedded photographs, by method; empty without an embedding.
        comparisons: normal against defective photographs.
        insights: ranked.
    """

    survey: Survey
    findings: tuple[Finding, ...]
    size: InputSize
    maps: tuple[ImageMap, ...]
    comparisons: tuple[Comparison, ...]
    insights: tuple[Insight, ...]

    @property
    def category(self) -> str:
        """Name of the category."""
        return self.survey.catalog.category

    def imbalance(self) -> float | None:
        """Defective over good photographs in the test split; None where there are none of one."""
        labels = Counter(self.survey.table.loc[self.survey.table["split"] == TEST, "label"])
        return labels[ANOMALOUS] / labels[NORMAL] if labels[NORMAL] and labels[ANOMALOUS] else None

    def statistics(self) -> dict[str, Any]:
        """Imbalance, sizes, good against defective, and the defects by type, as JSON-ready values."""
        return {
            "imbalance": self.imbalance(),
            "sizes": size_statistics(self.survey.table),
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "defects": self.survey.defects.summary(),
        }


@dataclass(frozen=True)
class Exploration:
    """What is found out about all categories; to be closed, or used in a `with` statement."""

    categories: tuple[CategoryExploration, ...]

    @property
    def findings(self) -> list[Finding]:
        """The findings of all categories."""
        return [finding for category in self.categories for finding in category.findings]

    @property
    def insights(self) -> list[Insight]:
        """The insights of all categories, ranked."""
        found = [insight for category in self.categories for insight in category.insights]
        return sorted(found, key=lambda insight: -insight.weight)

    @property
    def recommended_size(self) -> int:
        """The largest of the sizes that the categories ask for."""
        return max(category.size.recommended for category in self.categories)

    def to_json(self) -> dict[str, Any]:
        """The document of `blemish explore --json`; docs/explore.md explains each key."""
        return {
            "categories": {c.category: c.survey.catalog.counts() for c in self.categories},
            "problems": [finding.to_json() for finding in self.findings],
            "recommended_size": self.recommended_size,
            "recommended_sizes": {
                c.category: {
                    "size": c.size.recommended,
                    "reason": c.size.reason,
                    "smallest_defect_pixels": {str(k): v for k, v in c.size.smallest.items()},
                }
                for c in self.categories
            },
            "statistics": {c.category: c.statistics() for c in self.categories},
            "insights": [
                {"rank": rank, **insight.to_json()} for rank, insight in enumerate(self.insights, 1)
            ],
        }

    def table(self) -> pd.DataFrame:
        """One row per photograph of every category: the catalog's columns, the measures, and its problems."""
        tables = []
        for category in self.categories:
            kinds: dict[str, list[str]] = {}
            for finding in category.findings:
                kinds.setdefault(finding.path, []).append(finding.kind)
            table = category.survey.table
            problems = [" ".join(kinds.get(path, [])) for path in table["path"]]
            table = table.assign(problems=problems)
            table.insert(0, "category", category.category)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def close(self) -> None:
        """Delete the thumbnails."""
        for category in self.categories:
            category.survey.thumbnails.close()

    def __enter__(self) -> Exploration:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def explore_catalogs(
    catalogs: Sequence[Catalog],
    lookers: Lookers | None = None,
    handcrafted: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Exploration:
    """Explore one or several categories, each photograph decoded once.

    Args:
        catalogs: what `open_catalogs` returned.
        lookers: who looks at the photographs; where they do not embed there is no map of the images, and exchanged
            masks are not looked for. None for threads that do not.
        handcrafted: whether good and defective photographs are compared by handcrafted features too: at most
            `statistics.MOST_COMPARED` of a category.
        limits: bytes and pixels allowed before decoding.

    Raises:
        UsageError: there is no catalog.
    """
    if not catalogs:
        raise UsageError("There is nothing to explore: name a folder of images.")
    explored: list[CategoryExploration] = []
    try:
        for catalog in catalogs:
            thumbnails = Thumbnails()
            try:
                explored.append(digest(survey(catalog, thumbnails, lookers, handcrafted, limits)))
            except BaseException:
                thumbnails.close()
                raise
    except BaseException:
        Exploration(tuple(explored)).close()
        raise
    return Exploration(tuple(explored))


def digest(survey: Survey) -> CategoryExploration:
    """What the measurements of one category mean."""
    category = survey.catalog.category
    findings = tuple(replace(finding, category=category) for finding in survey.findings)
    regions = survey.defects.table()
    sides = survey.table[["width", "height"]].max(axis=1)
    longest = int(sides.median()) if sides.notna().any() else 0
    size = recommended_size(regions["area"].to_numpy(float), longest)
    comparisons = tuple(compare_classes(survey.table))
    insights = insights_of(category, survey.table, findings, regions, size, comparisons)
    if grouping := _grouping(survey):
        insights = ranked([*insights, grouping_insight(category, grouping)])
    return CategoryExploration(
        survey,
        findings,
        size,
        tuple(image_maps(survey.vectors)),
        comparisons,
        tuple(insights),
    )


def _grouping(survey: Survey) -> Grouping | None:
    """What puts good training photographs together that look like several of one part."""
    learnable = ((survey.table["split"] == TRAIN) & (survey.table["label"] == NORMAL)).to_numpy()
    seen = [place for place, row in enumerate(survey.thumbnails.numbers) if learnable[row]][:MOST_COMPARED]
    paths = [Path(survey.table["path"].iloc[survey.thumbnails.numbers[place]]) for place in seen]
    return proposed_grouping(paths, alike_pairs(survey.thumbnails.signatures()[seen]))
