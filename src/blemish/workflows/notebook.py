"""Use cases as a notebook calls them: what is in hand goes in, an object that shows itself comes out."""

from __future__ import annotations

import dataclasses
import html
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from blemish.data.part_names import UNNAMED, names_part
from blemish.data.told import Told
from blemish.detectors.registry import DEFAULT_DETECTOR
from blemish.line.runtime import Inspector
from blemish.view.shapes import is_shape, require_no_shape
from blemish.workflows.fit import FitRequest
from blemish.workflows.fit import fit as fit_and_write

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog
    from blemish.detectors.base import Detector
    from blemish.detectors.inputs import ImageInputs
    from blemish.evaluation.result import Evaluation
    from blemish.workflows.benchmark import BenchmarkResult
    from blemish.workflows.explore import ExploreResult

_SHOWN = {"image_auroc": "AUROC", "image_ap": "AP", "f1": "F1", "precision": "precision", "recall": "recall"}
_SHOWN |= {"pixel_auroc": "pixel AUROC", "aupro": "AUPRO"}


def fit(
    data: ImageInputs,
    out: Path | str | None = None,
    *,
    detector: str | Detector = DEFAULT_DETECTOR,
    preset: str | None = None,
    category: str | None = None,
    quick: bool = False,
    labelled_share: float = 0.5,
    report: Path | str | None = None,
    layout: str | None = None,
    good: Sequence[str] = (),
    defective: Sequence[str] = (),
    ignore: Sequence[str] = (),
    group_by: str | None = None,
    leave_out_suspicious: bool = False,
    false_reject_rate: float | None = None,
    review_rate: float | None = None,
    name: str | None = None,
    device: Literal["cpu", "cuda"] | None = None,
    **parameters: Any,
) -> Inspector:
    """Learn an inspector from photographs of good parts.

    Args:
        data: a folder in any layout, paths, PIL images, uint8 arrays (H x W x 3 RGB, or H x W), or a catalog.
        out: the file to write, NAME.blemish; where None it lies in a temporary folder for as long as the inspector is
            used, and `Inspector.save` keeps it.
        detector: a name (see `detector_names`), or an unfitted detector of a registered class, with its parameters.
        preset: a named set of the detector's parameters.
        category: of several categories in a folder, this one; else what the photographs are called.
        quick: a small first run: 128 pixels, few epochs.
        labelled_share: of the labelled test photographs, for a supervised detector to learn from.
        report: also write this HTML file: what was learnt, and the most unusual of the good photographs.
        layout: name of the folder's layout; recognised where None.
        good: folders of good parts in it, or patterns of them; they decide alone.
        defective: folders of defective parts in it, as `good`.
        ignore: what does not count of photographs, as "box:X,Y,WIDTH,HEIGHT" or "polygon:X,Y,X,Y,X,Y" in their pixels,
            and patterns of files and folders that are left out.
        group_by: what photographs of one part have in common, as `folder`, `5s`, `number:100` or a regular expression
            of their names; a part is then judged by others.
        leave_out_suspicious: learn again without the good photographs that stand far out, and others of their parts.
        false_reject_rate: share of good parts that may be rejected; 0.01 where None, or the smallest that can be.
        review_rate: share of good parts that may be rejected or shown to a person; 0.05 where None, 0 for no review.
        name: of the part, which the inspector is called by; as its file where None.
        device: where to learn, "cpu" or "cuda"; the processor where None.
        **parameters: of the detector, as `size=448`.

    Returns:
        The inspector, ready to judge.

    Raises:
        UsageError: no such detector, preset or parameter, what was given is no photograph, or too few for the rate.
        CatalogError: there is nothing to learn from.
        ImageError: an image in memory cannot be used.
        BlemishError: the parity gate refused, or a file could not be written.

    Example:
        >>> import blemish, numpy as np
        >>> plates = list(np.random.default_rng(0).integers(100, 120, (8, 64, 64), dtype=np.uint8))
        >>> inspector = blemish.fit(plates, detector="knn", size=64, category="plate")
        >>> inspector.inspect(plates[0]).verdict
        <Verdict.PASS: 'pass'>
    """
    chosen = detector if isinstance(detector, str) else detector.name
    if not isinstance(detector, str):
        parameters = detector.get_params() | parameters
    shapes = tuple(one for one in ignore if is_shape(one))
    if shapes:
        parameters["ignore"] = shapes
    left_out = tuple(one for one in ignore if not is_shape(one))
    with ExitStack() as photographs, ExitStack() as folder:
        told = Told(layout, tuple(good), tuple(defective), left_out, group_by)
        catalog = photographs.enter_context(_catalog(data, category, parameters.get("bit_depth", 16), told))
        if out is None:
            temporary = folder.enter_context(TemporaryDirectory(prefix="blemish-"))
            said = catalog.category if category or names_part(catalog.category) else UNNAMED
            out = Path(temporary) / f"{name or said}.blemish"
        request = FitRequest(
            data=catalog.root,
            out=Path(out),
            name=name,
            category=category,
            detector=chosen,
            preset=preset,
            parameters=parameters,
            quick=quick,
            labelled_share=labelled_share,
            leave_out_suspicious=leave_out_suspicious,
            false_reject_rate=false_reject_rate,
            review_rate=review_rate,
            report=report and Path(report),
            device=device,
        )
        fit_and_write(request, catalog)
        inspector = Inspector.load(out)
        weakref.finalize(inspector, folder.pop_all().close)
    return inspector


def load(path: Path | str, *, device: str = "cpu", precision: str | None = None) -> Inspector:
    """Open an inspector; as `Inspector.load`.

    Args:
        path: a `.blemish` file.
        device: where its network is computed: cpu, gpu, npu, cuda or tensorrt.
        precision: f32, bf16, f16 or int8; when None what it keeps for this processor, else f32.

    Raises:
        ArtifactError: the file is damaged, of a newer format, or not one at all.
        UsageError: this machine has no such device, or it cannot compute so.
    """
    return Inspector.load(path, device=device, precision=precision)


def evaluate(
    inspector: Inspector | Path | str,
    data: Path | str | Catalog,
    category: str | None = None,
    *,
    layout: str | None = None,
    good: Sequence[str] = (),
    defective: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Measured:
    """Measure an inspector on labelled test photographs that it has not learnt from.

    Args:
        inspector: the inspector, or its file.
        data: a folder with good and defective test photographs, or a catalog.
        category: of several categories in the folder, this one; the inspector's own where None.
        layout: name of the folder's layout; recognised where None.
        good: folders of good parts in it, or patterns of them; they decide alone.
        defective: folders of defective parts in it, as `good`.
        ignore: patterns of files and folders in it that are left out.

    Raises:
        CatalogError: there is no such photograph, or none could be read.
        ArtifactError: the inspector's file cannot be used.
        UsageError: `ignore` names a region of photographs.
    """
    from blemish.data.categories import open_category
    from blemish.evaluation.unseen import evaluate_inspector

    if not isinstance(inspector, Inspector):
        inspector = Inspector.load(inspector)
    require_no_shape(ignore)
    if isinstance(data, str | Path):
        told = Told(layout, tuple(good), tuple(defective), tuple(ignore))
        data = open_category(Path(data), category, inspector.manifest.training.category, told)
    return Measured(inspector, evaluate_inspector(inspector, data))


def benchmark(
    data: Path | str | Sequence[Path | str],
    detectors: Sequence[str],
    out: Path | str,
    *,
    seeds: Sequence[int] = (0,),
    size: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    backbone: str | None = None,
    weights: Mapping[str, Path | str] | None = None,
    quick: bool = False,
    workers: int | None = 1,
    layout: str | None = None,
    good: Sequence[str] = (),
    defective: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> BenchmarkResult:
    """Compare detectors on the same photographs; what was measured before is not measured again.

    Args:
        data: folders of one or several categories, with test photographs.
        detectors: names, each with a preset where one is meant, as "patchcore:quick".
        out: folder for everything measured, `benchmark.json` and `report.html`.
        seeds: each detector is fitted once with each.
        size: side in pixels for all detectors; each one's own if None.
        parameters: of all detectors that have them by name, or of one as "LABEL.NAME".
        backbone: pretrained network for all detectors that have one; each one's own if None.
        weights: files of weights by backbone, as {"resnet50": "resnet50.safetensors"}.
        quick: a small run: 128 pixels, few epochs.
        workers: cells measured at a time, in processes of their own if more than one; as many as there is room for if
            None. A script that asks for more than one guards its main part by `if __name__ == "__main__"`.
        layout: name of the folder's layout; recognised where None.
        good: folders of good parts in it, or patterns of them; they decide alone.
        defective: folders of defective parts in it, as `good`.
        ignore: patterns of files and folders in it that are left out.

    Returns:
        The comparison: `to_pandas()` a row for each cell, `report` its page, and a notebook shows it.

    Raises:
        UsageError: a detector, preset or seed is not possible, or two categories have one name.
        CatalogError: a folder cannot be used, or has no test photographs.
        BlemishError: `out` cannot be written.
    """
    from blemish.workflows.benchmark import BenchmarkRequest
    from blemish.workflows.benchmark import benchmark as compare

    folders = [data] if isinstance(data, str | Path) else data
    request = BenchmarkRequest(
        data=tuple(map(Path, folders)),
        detectors=tuple(detectors),
        out=Path(out),
        seeds=tuple(seeds),
        size=size,
        parameters=dict(parameters or {}),
        backbone=backbone,
        weights={name: Path(file) for name, file in (weights or {}).items()},
        quick=quick,
        workers=workers,
        layout=layout,
        good=tuple(good),
        defective=tuple(defective),
        ignore=tuple(ignore),
    )
    return compare(request)


def explore_images(
    data: Path | str,
    out: Path | str,
    *,
    category: str | None = None,
    backbone: str = "efficientnet_lite0",
    weights: Path | str | None = None,
    handcrafted: bool = True,
    layout: str | None = None,
    good: Sequence[str] = (),
    defective: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> ExploreResult:
    """Look at the photographs themselves, before any model: what is wrong, doubled, odd, and what would help.

    Args:
        data: a folder in any layout, of one or several categories, or a manifest.
        out: folder for `report.html`, `exploration.json` and `images.csv`.
        category: of several categories, only this one; of one, its name.
        backbone: network for the map of the photographs; "none" leaves it out.
        weights: file of its weights; the usual ones if None.
        handcrafted: compare good and defective photographs by handcrafted features too.
        layout: name of the folder's layout; recognised where None.
        good: folders of good parts in it, or patterns of them; they decide alone.
        defective: folders of defective parts in it, as `good`.
        ignore: patterns of files and folders in it that are left out.

    Returns:
        What was found: `exploration` with `findings`, `insights` and `table()`, and `report`, its page.

    Raises:
        CatalogError: there is nothing to explore.
        UsageError: there is no such backbone.
        BlemishError: a file cannot be written.
    """
    from blemish.workflows.explore import ExploreRequest, explore

    return explore(
        ExploreRequest(
            data=Path(data),
            out=Path(out),
            category=category,
            backbone=backbone,
            weights={} if weights is None else {backbone: Path(weights)},
            handcrafted=handcrafted,
            layout=layout,
            good=tuple(good),
            defective=tuple(defective),
            ignore=tuple(ignore),
        )
    )


@dataclasses.dataclass(frozen=True)
class Measured:
    """What an inspector was worth on test photographs; a notebook shows it as a table.

    Attributes:
        inspector: what was measured.
        evaluation: every scored photograph, and all figures.
    """

    inspector: Inspector
    evaluation: Evaluation

    @property
    def metrics(self) -> dict[str, Any]:
        """Every figure by name, as `blemish evaluate --json` prints them; what is undefined is None."""
        return self.evaluation.to_json()

    def to_pandas(self) -> pd.DataFrame:
        """A row for each photograph: path, label, defect type, anomaly score, verdict, and milliseconds."""
        import pandas as pd

        images, threshold = self.evaluation.images, self.evaluation.threshold
        return pd.DataFrame(
            {
                # Of objects: pandas' text type holds no name that is not UTF-8.
                "path": pd.Series([str(image.path) for image in images], dtype=object),
                "label": ["anomalous" if image.anomalous else "normal" for image in images],
                "defect_type": [image.defect_type for image in images],
                "score": [image.score for image in images],
                "verdict": ["reject" if image.score > threshold else "pass" for image in images],
                "inspect_ms": [image.inspect_ms for image in images],
            }
        )

    def report(self, path: Path | str) -> None:
        """Write the self-contained HTML report that `blemish evaluate` writes.

        Raises:
            BlemishError: the file cannot be written.
        """
        from blemish.evaluation.facts import inspector_facts
        from blemish.evaluation.report import write_report
        from blemish.line.inspector_title import inspector_title

        title = inspector_title(self.inspector.path, self.inspector.name)
        facts = inspector_facts(self.inspector.manifest) | {"Inspector": title}
        write_report([self.evaluation], Path(path), f"{title}: evaluation", facts, self.inspector.history)

    def __repr__(self) -> str:
        """The inspector's name and the main figures."""
        return f"Measured({self.inspector.name!r}, {', '.join(' '.join(pair) for pair in self._figures())})"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{html.escape(name)}</th>" for name, _ in self._figures())
        cells = "".join(f"<td>{figure}</td>" for _, figure in self._figures())
        caption = html.escape(f"{self.inspector.name} on {self.evaluation.category}")
        return f"<table><caption>{caption}</caption><tr>{heads}</tr><tr>{cells}</tr></table>"

    def _figures(self) -> list[tuple[str, str]]:
        values = self.metrics
        return [(words, f"{values[name]:.3f}") for name, words in _SHOWN.items() if values[name] is not None]


@contextmanager
def _catalog(data: ImageInputs, category: str | None, bit_depth: int, told: Told) -> Iterator[Catalog]:
    """What is to be learnt from, as a catalog; images in memory are files for as long as the context lasts."""
    from blemish.core.image_files import is_photograph
    from blemish.data.categories import open_category
    from blemish.detectors.inputs import catalog_of

    if isinstance(data, str | Path) and not is_photograph(data):
        yield open_category(Path(data), category, told=told)
        return
    with catalog_of(data, bit_depth) as catalog:
        named = dataclasses.replace(catalog, category=category or catalog.category)
        yield named.grouped(told.group_by) if told.group_by else named
