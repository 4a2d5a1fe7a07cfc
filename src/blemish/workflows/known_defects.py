"""Known defects that a decision is made with: photographs of a folder or data set, and what people found bad."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.errors import CatalogError, UsageError
from blemish.core.progress import say
from blemish.data.told import NOTHING_TOLD

if TYPE_CHECKING:
    from blemish.line.artifact import Artifact
    from blemish.line.defect_scores import DefectScores
    from blemish.station.decision_history import CorrectedScores
    from blemish.workflows.decide import DecideRequest

_MOST_TOLD = 3


def scored_defects(request: DecideRequest, artifact: Artifact) -> DefectScores:
    """Photographs of known defects, scored; says which do not count.

    Raises:
        CatalogError: there are none.
        UsageError: none of them counts.
    """
    from blemish.line.defect_scores import score_defects
    from blemish.line.runtime import Inspector

    paths = defect_photographs(request, artifact.manifest.training.category)
    found = score_defects(Inspector(artifact), paths)
    for one in found.left_out[:_MOST_TOLD]:
        say(f"Does not count as a known defect: {one.name}: {one.detail}")
    if len(found.left_out) > _MOST_TOLD:
        say(f"{len(found.left_out)} photographs in all do not count; --json lists them.")
    return found


def defect_photographs(request: DecideRequest, category: str) -> list[Path]:
    """The photographs of DATA that show defects: its defective ones, or all of a folder that is no data set.

    Args:
        request: what was asked for; `from_defects` is given.
        category: of the inspector, meant where DATA holds several.

    Raises:
        CatalogError: there are none.
        UsageError: DATA does not exist.
    """
    from blemish.line.photographs import find_photographs

    data = request.from_defects
    assert data is not None
    if not data.exists():
        raise UsageError(f"{data} does not exist: name a folder with photographs of defects.")
    try:
        labelled = _labelled(request, data, category)
    except (
        ModuleNotFoundError
    ):  # without the laboratory, a folder without folders in it can only be of one kind
        if request.told != NOTHING_TOLD or not data.is_dir() or any(one.is_dir() for one in data.iterdir()):
            raise
        labelled = None
    if labelled is not None:
        return labelled
    found = [one.path for one in find_photographs([data], ignore=request.left_out) if one.error is None]
    if not found:
        raise CatalogError(f"{data} holds no photograph: name a folder with photographs of defects.")
    say(
        f"All {len(found)} photographs of {data} count as known defects, as nothing in it says which are good."
    )
    return found


def _labelled(request: DecideRequest, data: Path, category: str) -> list[Path] | None:
    """The defective photographs of a data set; None where a folder is none.

    Raises:
        CatalogError: it is one, and has none, or not the category.
    """
    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category
    from blemish.data.entries import ANOMALOUS
    from blemish.workflows.problems import said_problems

    told = request.told
    try:
        catalog = open_category(data, request.category, category, told)
    except CatalogError:
        if request.category or told != NOTHING_TOLD:
            raise
        try:
            several = len(open_catalogs(data)) > 1
        except CatalogError:
            several = False
        if several:
            raise
        return None
    if catalog.layout == "images" and told == NOTHING_TOLD:
        return None
    defective = [Path(path) for path in catalog.table.loc[catalog.table["label"] == ANOMALOUS, "path"]]
    if not defective:
        raise CatalogError(
            f"{data} has no photographs that are known to show defects: name their folder itself, or say which it is "
            "with --defective."
        )
    said_problems(catalog)
    return defective


def with_history(request: DecideRequest) -> tuple[DecideRequest, CorrectedScores | None]:
    """The request with the file of the inspector that a station names, and what people have corrected there if asked.

    Raises:
        UsageError: nobody has found anything bad, or a station is named and not asked.
    """
    from blemish.workflows.station import opened_station, recorded

    if request.last is not None:
        raise UsageError(f"--last {request.last} is of a preview: give --preview with it.")
    if not request.from_history:
        if request.home is not None:
            raise UsageError("--home names a station: ask it with --preview or --from-history.")
        return request, None
    with opened_station(request.home, request.database) as station:
        found = recorded(station, request.inspector)
        corrected = found.history.corrected()
    if not len(corrected.bad):
        raise UsageError(
            f"Nobody has found a part of {found.name} bad at this station: correct some, or give --from-defects."
        )
    return request.model_copy(update={"inspector": found.path}), corrected


def with_corrected(known: DefectScores | None, corrected: CorrectedScores) -> DefectScores:
    """Known defects of a folder and of a history; the same file counts once."""
    import numpy as np

    from blemish.line.defect_scores import DefectScores

    if known is not None:
        corrected = corrected.with_defects(known.scores, known.digests)
    names = dict(zip(known.digests, known.names, strict=True)) if known is not None else {}
    said = tuple(names.get(one, f"corrected {one[:12]}") for one in corrected.bad_digests)
    return DefectScores(
        corrected.bad.astype(np.float32), said, known.left_out if known else (), corrected.bad_digests
    )
