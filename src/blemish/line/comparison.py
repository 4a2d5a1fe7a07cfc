"""One photograph through several inspectors: views, pictures and a page. Only what runs on the line is imported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.core.overlay import contour_overlay, heatmap_overlay
from blemish.core.pictures import Picture, encoded, fitted, picture
from blemish.core.progress import track
from blemish.core.report_page import render_page
from blemish.core.storage import file_digest, write_bytes, write_text
from blemish.core.types import ByteArray
from blemish.line import sensitivity
from blemish.line.artifact import Artifact, read_artifact
from blemish.line.explanation_picture import made_of_it
from blemish.line.inspection import Inspection
from blemish.line.inspector_title import inspector_title
from blemish.line.runtime import Inspector
from blemish.line.sensitivity import Agreement, Pattern, View
from blemish.line.sensitivity_words import Answer, answers, balanced, bounds_in_words

PICTURE_SIDE = 1024
_OUTLINE = (255, 255, 255)


@dataclass(frozen=True)
class Seen:
    """What one inspector made of the photograph: what it says, its view, and the pictures, uint8 RGB H x W x 3; `made`
    are those of its network, with their labels: of an autoencoder original, reconstruction and difference."""

    inspection: Inspection
    view: View
    map_picture: ByteArray
    overlay: ByteArray
    made: tuple[tuple[str, ByteArray], ...] = ()


@dataclass(frozen=True)
class ImageComparison:
    """A photograph as several inspectors see it.

    Attributes:
        path: the photograph.
        photograph: uint8 RGB, at most 1024 pixels wide and high.
        seen: in the order of the inspectors.
    """

    path: Path
    photograph: ByteArray
    seen: tuple[Seen, ...]

    @property
    def views(self) -> list[View]:
        """The views, in the order of the inspectors."""
        return [one.view for one in self.seen]

    @property
    def types(self) -> dict[str, str]:
        """The defect type in words, as `scratch 87%`, by the names of those inspectors that tell one."""
        said = {one.view.name: one.inspection.type_in_words() for one in self.seen}
        return {name: words for name, words in said.items() if words}

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdicts by the inspectors' names, with the reason of what was not judged."""
        return {
            one.view.name: ": ".join(filter(None, (str(one.inspection.verdict), one.inspection.reason)))
            for one in self.seen
        }

    @property
    def pattern(self) -> Pattern:
        """What they mean together."""
        return sensitivity.pattern(self.views)

    @property
    def answers(self) -> list[Answer]:
        """Each one's answer in words, from the most to the least sensitive."""
        return answers(self.views)

    @property
    def agreements(self) -> list[Agreement]:
        """Agreement of every two."""
        return sensitivity.agreements(self.views)

    def to_json(self) -> dict[str, Any]:
        """All figures, JSON-ready."""
        order = sensitivity.ranked(self.views)
        found, between = self.pattern, balanced(self.views)
        words = {one.name: one for one in self.answers}
        return {
            "image": str(self.path),
            "detectors": [
                {
                    "inspector": view.name,
                    "detector": view.detector,
                    "verdict": str(said.verdict),
                    **({"reason": said.reason} if said.reason else {}),
                    "score": view.score,
                    "threshold": view.threshold,
                    "percentile": view.percentile,
                    "level": view.level,
                    "p_value": view.p_value,
                    "peak": view.peak,
                    "area": view.area,
                    "background": view.background,
                    "learnt_from_it": view.learnt,
                    **words[view.name].to_json(),
                    **({"type": said.type, "types": dict(said.types)} if said.types else {}),
                    **({} if view.mask_probability is None else {"mask_probability": view.mask_probability}),
                }
                for view, said in zip(self.views, (one.inspection for one in self.seen), strict=True)
            ],
            "agreements": [vars(pair) for pair in self.agreements],
            "most_sensitive": order[0].name,
            "least_sensitive": order[-1].name,
            "balanced": between and between.name,
            "pattern": {"name": found.name, "sentence": found.sentence, **found.evidence},
        }


def compare_image(image: Path, inspectors: Sequence[Path]) -> ImageComparison:
    """Inspect one photograph with several inspectors.

    Raises:
        UsageError: there are fewer than two inspectors.
        ArtifactError: one cannot be used.
        ImageError: the photograph cannot be read.
    """
    if len(inspectors) < 2:
        raise UsageError(
            "One inspector has nothing to be compared with: name two or more after --inspectors."
        )
    photographs: dict[int, ByteArray] = {}
    seen: list[Seen] = []
    artifacts = [read_artifact(path) for path in inspectors]
    names, digest = _names(artifacts), file_digest(image)
    for artifact, name in zip(track(artifacts, f"Inspecting {image.name}"), names, strict=True):
        inspector = Inspector(artifact)
        bits = inspector.manifest.preprocessing.bit_depth
        if bits not in photographs:
            photographs[bits] = read_image(image, bit_depth=bits)
        one = _seen(name, inspector, image, photographs[bits])
        learnt = digest in inspector.manifest.training.digests
        seen.append(replace(one, view=replace(one.view, learnt=learnt)))
    first = next(iter(photographs.values()))
    return ImageComparison(image, fitted(first, PICTURE_SIDE), tuple(seen))


def write_pictures(comparison: ImageComparison, out: Path) -> list[Path]:
    """Write `original.png`, and `NAME-map.png` and `NAME-overlay.png` of each inspector, and what its network made of
    it, as `NAME-reconstruction.png`; their paths."""
    pictures = {"original.png": comparison.photograph}
    for number, one in enumerate(comparison.seen, 1):
        stem = f"{number}-" + re.sub(r"[^A-Za-z0-9_.-]+", "_", one.view.name)[:60]
        pictures |= {f"{stem}-map.png": one.map_picture, f"{stem}-overlay.png": one.overlay}
        pictures |= {f"{stem}-{label.partition(':')[0]}.png": pixels for label, pixels in one.made}
    for name, pixels in pictures.items():
        write_bytes(out / name, encoded(pixels, ".png"))
    return [out / name for name in pictures]


def write_page(comparison: ImageComparison, out: Path) -> None:
    """Write the comparison as one self-contained HTML page.

    Raises:
        BlemishError: the file cannot be written.
    """
    document = comparison.to_json()
    between = balanced(comparison.views)
    order = sensitivity.ranked(comparison.views)
    highest = max(1.5, *(min(view.level, 6.0) for view in order))
    context = {
        "title": f"{comparison.path.name}: {len(order)} inspectors",
        "facts": {
            "Photograph": str(comparison.path),
            "Rejected by": f"{sum(view.rejected for view in order)} of {len(order)}",
            "Most sensitive": order[0].name,
            "Least sensitive": order[-1].name,
            "Balanced": between.name if between else "-",
        },
        "answers": comparison.answers,
        "bounds": bounds_in_words(),
        "pattern": comparison.pattern,
        "views": order,
        "types": comparison.types,
        "verdicts": comparison.verdicts,
        "widths": [100 * min(max(view.level, 0), highest) / highest for view in order],
        "threshold_at": 100 / highest,
        "agreements": comparison.agreements,
        "rows": [_row(comparison, one) for one in sorted(comparison.seen, key=lambda one: -one.view.level)],
        "constants": sensitivity,
        "has_masks": any(view.mask_probability is not None for view in order),
        "document": document,
    }
    write_text(out, render_page("blemish.line", "compare_image.html.j2", "", context))


def inspector_view(name: str, inspector: Inspector, inspection: Inspection) -> View:
    """An inspection with its score and map on the detector's own scale of good parts."""
    low, _ = inspector.map_scale
    levels = np.zeros_like(inspection.anomaly_map)
    if inspection.gives_map:
        levels = sensitivity.map_level(inspection.anomaly_map, low, inspector.pixel_threshold)
    return View(
        name=name,
        detector=inspector.manifest.detector.name,
        goes_by=inspector.manifest.goes_by,
        rejected=inspection.score > inspector.threshold,
        score=inspection.score,
        threshold=inspector.threshold,
        percentile=sensitivity.percentile(inspector.normal_scores, inspection.score),
        level=sensitivity.level(inspector.normal_scores, inspection.score, inspector.threshold),
        p_value=inspection.p_value,
        levels=levels,
        gives_map=inspection.gives_map,
        metric=inspector.manifest.detector.metric,
        mask_probability=inspection.mask_probability,
    )


def _seen(name: str, inspector: Inspector, path: Path, photograph: ByteArray) -> Seen:
    """Inspect the photograph as the line does, and draw what the inspector sees."""
    inspection = inspector.inspect(path)
    low, high = inspector.map_scale
    view, light = inspector_view(name, inspector, inspection), replace(inspection, photograph=None)
    small = fitted(photograph, PICTURE_SIDE)
    made: list[tuple[str, ByteArray]] = []
    if inspector.manifest.detector.explains:
        made = made_of_it(inspector.explain(inspection), small)
    if not inspection.gives_map:
        return Seen(light, view, map_picture=np.zeros_like(small), overlay=small)
    found = inspection.anomalous_pixels()
    overlay = inspection.heatmap(small)
    return Seen(
        light,
        view,
        map_picture=heatmap_overlay(np.zeros_like(small), inspection.anomaly_map, low, high, opacity=1),
        overlay=contour_overlay(overlay, found, _OUTLINE) if found.any() else overlay,
        made=tuple(made),
    )


def _names(artifacts: Sequence[Artifact]) -> list[str]:
    """A name for each inspector, see `inspector_title`.

    Where two are alike, with its file's, and a number if these are alike too.
    """
    names = [inspector_title(artifact.path, artifact.manifest.name) for artifact in artifacts]
    counts = Counter(names)
    names = [
        f"{name} ({artifact.path.name})" if counts[name] > 1 else name
        for name, artifact in zip(names, artifacts, strict=True)
    ]
    counts, numbered = Counter(names), Counter[str]()
    unique = []
    for name in names:
        numbered[name] += 1
        unique.append(f"{name} ({numbered[name]})" if counts[name] > 1 else name)
    return unique


def _row(comparison: ImageComparison, one: Seen) -> dict[str, Any]:
    name = one.view.name
    photograph = picture("Photograph", fitted(comparison.photograph), comparison.path.name)
    if not one.view.gives_map:
        caption = f"{name}: it shows no place"
        return {"view": one.view, "pictures": [photograph, picture(caption, fitted(one.overlay), name)]}
    pictures: list[Picture] = [
        photograph,
        picture(f"{name}: map", fitted(one.map_picture), comparison.path.name),
        picture(f"{name}: overlay", fitted(one.overlay), comparison.path.name),
    ]
    pictures += [
        picture(f"{name}: {label}", fitted(pixels), comparison.path.name) for label, pixels in one.made
    ]
    return {"view": one.view, "pictures": pictures}
