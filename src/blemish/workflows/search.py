"""Find settings of a detector on validation images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.progress import say
from blemish.workflows.data_request import GroupedRequest
from blemish.workflows.fields import (
    BackboneName,
    BitDepth,
    ClusterAddress,
    ClusterWorkers,
    Executor,
    ExecutorName,
    LearningDevice,
    Preset,
    Settings,
    WeightsFiles,
)
from blemish.workflows.request import Argument, Option, Outcome

if TYPE_CHECKING:
    from blemish.detectors.chosen import ChosenDetector
    from blemish.experiments.search.search import Search
    from blemish.experiments.space import Space
    from blemish.experiments.trial import Trial


class SearchRequest(GroupedRequest):
    """Find settings."""

    data: Annotated[Path, Argument("DATA")] = Field(
        description="One category, with test photographs: a folder in any layout."
    )
    detector: str = Field(description="NAME, or NAME:PRESET; see `blemish detectors`.")
    out: Path = Field(description="Folder for the trials, search.json, split.csv and report.html.")
    space: Annotated[str, Option(metavar="FILE|default")] = Field(
        "default", description="Values to try, as TOML or JSON; or the detector's own."
    )
    trials: int | None = Field(
        None, description="Settings in all: 20 if absent, or the whole grid with --method grid."
    )
    method: str = Field("bayes", description="bayes (TPE) or grid.")
    split: str = Field(
        "test",
        description="What settings are judged on: test (a part of the labelled test photographs), train (painted "
        "defects on a part of the good ones) or normal (the same by k-fold over all good ones).",
    )
    seed: int = Field(0, ge=0, description="The same seed finds the same.")
    preset: Preset = None
    backbone: BackboneName = None
    weights: WeightsFiles = Field({})
    parameters: Settings = Field({}, description="A parameter that stays; repeat for more.")
    category: str | None = Field(None, description="Of several categories in DATA, this one.")
    bit_depth: BitDepth = 16
    device: LearningDevice = None
    executor: ExecutorName = Executor.LOCAL
    address: ClusterAddress = None
    workers: ClusterWorkers = None


@dataclass(frozen=True)
class SearchResult(Outcome):
    """A finished search.

    Attributes:
        search: what was tried, chosen and measured.
        split: the table of the photographs, split as they were for the search.
        report: the report's file.
    """

    search: Search
    split: Path
    report: Path

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Photographs that were left out, each with path and detail."""
        return list(self.search.plan.split.skipped)

    def to_json(self) -> dict[str, Any]:
        """The search as JSON-ready values, as in `search.json`."""
        return {**self.search.to_json(), "skipped": self.skipped, "report": str(self.report)}


def search(request: SearchRequest, tell: Callable[[Trial], None] = lambda trial: None) -> SearchResult:
    """Try the settings that are missing, measure the best one on the test images, and write document and report.

    Args:
        request: what to search for.
        tell: called with each trial that was measured now.

    Raises:
        UsageError: a split, method, detector, parameter or space is not possible.
        CatalogError: there are too few photographs for the split.
        BlemishError: every trial failed, or `out` cannot be used.
    """
    from blemish.core.storage import write_json, write_table
    from blemish.data.categories import open_category
    from blemish.experiments.search.report import write_report
    from blemish.experiments.search.search import SearchPlan, run_search
    from blemish.experiments.shown import shown_taken_out
    from blemish.experiments.split_catalog import SPLITS, split_catalog
    from blemish.features.learning_device import device_named, learning_on
    from blemish.workflows.on_cluster import cluster_of

    if request.split not in SPLITS:
        raise UsageError(f"There is no split {request.split}: choose one of {', '.join(SPLITS)}.")
    device = device_named(request.device)
    chosen, space, taken_out = _searched(request)
    if taken_out:
        say(shown_taken_out(taken_out, chosen.name, space))
    catalog = open_category(request.data, request.category, told=request.told)
    plan = SearchPlan(
        split=split_catalog(catalog, request.split, request.out, request.seed, request.bit_depth),
        chosen=chosen,
        space=space,
        out=request.out,
        method=request.method,
        trials=request.trials,
        seed=request.seed,
        taken_out=taken_out,
    )
    if plan.varied:
        say(
            f"{request.space} tries other values of {', '.join(plan.varied)} than the preset {chosen.preset} sets."
        )
    cluster = cluster_of(request.executor, request.address, request.workers, request.device)
    with learning_on(device), cluster as ray:
        found = run_search(plan, tell, ray, request.workers)
    result = SearchResult(found, request.out / "split.csv", request.out / "report.html")
    write_table(result.split, plan.split.catalog.table.to_csv(index=False))
    write_report(found, result.report)
    write_json(request.out / "search.json", result.to_json())
    for one in result.skipped:
        say(f"Left out {one['path']}: {one['detail']}")
    return result


def _searched(request: SearchRequest) -> tuple[ChosenDetector, Space, dict[str, Any]]:
    """The detector with what is set of it, the space that is left to try, and what stays although it is in that space.

    Raises:
        UsageError: an option is not possible, or the user's space names what is set too.
    """
    from blemish.detectors.chosen import NETWORKS, choose_detectors, with_settings
    from blemish.detectors.registry import create_detector, detector_info, split_label
    from blemish.experiments.space import Values, free_space, open_space

    name, own = split_label(request.detector)
    info = detector_info(name)
    named = with_settings({"backbone": request.backbone}, request.parameters)
    network = {one: named[one] for one in ("backbone",) if one in named}
    suited = create_detector(name, own or request.preset, **network).suited_space(info.space)
    space = open_space(request.space, replace(info, space=suited))
    tried = [of for name, of in space.items() if name in NETWORKS]
    (chosen,) = choose_detectors(
        (request.detector,),
        named,
        common={} if "bit_depth" in space else {"bit_depth": request.bit_depth},
        preset=request.preset,
        weights=request.weights,
        networks=[str(value) for of in tried if isinstance(of, Values) for value in of.values],
        elsewhere={"seed": "give it with --seed", "bit_depth": "give it with --bit-depth"},
    )
    preset = info.presets[chosen.preset] if chosen.preset else {}
    given = chosen.settings()
    given.pop("bit_depth", None)
    free = free_space(space, request.space, given, preset)
    return chosen, free, {name: (preset | given)[name] for name in space if name not in free}
