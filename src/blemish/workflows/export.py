"""Write all that an inspector does as one graph for other runtimes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.workflows.fields import InspectorFile
from blemish.workflows.request import Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.artifact import Artifact
    from blemish.line.manifest import Manifest
    from blemish.making.exported_check import ExportCheck

Format = Literal["onnx", "openvino", "torchscript", "c"]
_SUFFIX: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt", "c": ".c"}
_MOST_CHECKED = 32


class ExportRequest(Request):
    """Write an inspector as one graph: a photograph's pixels in; score, map, p-value and verdict out."""

    inspector: InspectorFile
    to: Format = Field("onnx", description="The format: onnx, openvino, torchscript or c.")
    out: Path | None = Field(
        None,
        description="The file to write, NAME.onnx, NAME.xml, NAME.pt or NAME.c; beside the inspector if absent.",
    )
    check: Annotated[Path | None, Option(metavar="PHOTOGRAPHS")] = Field(
        None, description="Compare graph and inspector on the photographs of this folder, 32 at most."
    )

    @property
    def graph(self) -> Path:
        """The file of the graph."""
        return self.out or self.inspector.with_suffix(_SUFFIX[self.to])


@dataclass(frozen=True)
class ExportResult(Outcome):
    """What was written.

    Attributes:
        graph, description: the graph, and the JSON beside it that says how it is used.
        bytes: of the graph's files.
        check: how far it is from the inspector; None where that was not asked.
    """

    graph: Path
    description: Path
    bytes: int
    check: ExportCheck | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "graph": str(self.graph),
            "description": str(self.description),
            "bytes": self.bytes,
            "check": self.check and asdict(self.check),
        }


def export(request: ExportRequest) -> ExportResult:
    """Write the graph and its description, and with `check` compare both on photographs.

    Raises:
        UsageError: a name is wrong, or the inspector does what one graph cannot.
        ArtifactError: the inspector cannot be used.
        MissingExtraError: the laboratory is not installed.
        BlemishError: the graph says something else than the inspector; it is removed then.
    """
    from blemish.core.storage import write_text
    from blemish.line.artifact import read_artifact

    suffix = _SUFFIX[request.to]
    if request.graph.suffix != suffix:
        raise UsageError(
            f"{request.graph} does not end in {suffix}: name the file to write, as --out part{suffix}."
        )
    artifact = read_artifact(request.inspector)
    paths = _photographs(request.check) if request.check else ()
    files = _written(request, artifact)
    check = None
    if request.check:
        check = _checked(request, paths, files)
    description = request.graph.with_suffix(".json")
    said = _description(artifact.manifest, artifact.calibration().n, request, check)
    write_text(description, json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    return ExportResult(request.graph, description, sum(file.stat().st_size for file in files), check)


def _written(request: ExportRequest, artifact: Artifact) -> tuple[Path, ...]:
    """The files of the graph."""
    from blemish.core.storage import write_bytes
    from blemish.making.exported_graph import exported_graph

    if request.to == "c":
        return _written_in_c(request.graph, artifact)
    graph = exported_graph(artifact)
    if request.to == "openvino":
        import openvino

        weights = request.graph.with_suffix(".bin")
        read = openvino.Core().read_model(graph.SerializeToString())
        openvino.save_model(read, str(request.graph), compress_to_fp16=False)
        return request.graph, weights
    if request.to == "torchscript":
        from blemish.making.exported_torchscript import torchscript_of

        write_bytes(request.graph, torchscript_of(graph))
        return (request.graph,)
    write_bytes(request.graph, graph.SerializeToString())
    return (request.graph,)


def _written_in_c(path: Path, artifact: Artifact) -> tuple[Path, ...]:
    from blemish.core.storage import write_bytes, write_text
    from blemish.making.exported_c import source_in_c

    made = source_in_c(artifact, path.stem)
    header, weights = path.with_suffix(".h"), path.with_suffix(".weights")
    write_bytes(weights, made.weights)
    write_text(header, made.header)
    write_text(path, made.source)
    return path, header, weights


def _photographs(folder: Path) -> tuple[Path, ...]:
    """Some photographs of a folder, spread over it.

    Raises:
        UsageError: it has none.
    """
    from blemish.line.photographs import find_photographs

    found = [one.path for one in find_photographs([folder], None) if one.error is None]
    if not found:
        raise UsageError(f"{folder} holds no photographs to check with: name a folder of some.")
    step = max(1, len(found) // _MOST_CHECKED)
    return tuple(found[::step][:_MOST_CHECKED])


def _checked(request: ExportRequest, paths: tuple[Path, ...], files: tuple[Path, ...]) -> ExportCheck:
    from blemish.line.runtime import Inspector
    from blemish.making.compiled_c import c_runner
    from blemish.making.exported_check import check_export, onnx_runner, openvino_runner, torchscript_runner

    runners = {
        "onnx": onnx_runner,
        "openvino": openvino_runner,
        "torchscript": torchscript_runner,
        "c": c_runner,
    }
    try:
        runner = runners[request.to](request.graph)
        return check_export(Inspector.load(request.inspector, precision="f32"), runner, paths)
    except BaseException:
        for file in files:  # what is not known to be right is not left behind
            file.unlink(missing_ok=True)
        raise


def _description(
    manifest: Manifest, n_scores: int, request: ExportRequest, check: ExportCheck | None
) -> dict[str, Any]:
    """How the graph is used, and what of the inspector is not in it."""
    from blemish.core.storage import file_digest
    from blemish.making.exported_graph import P_VALUE, PHOTOGRAPH, VERDICT, VERDICTS

    view = manifest.preprocessing.view
    fixed = view is not None and view.regions is not None
    return {
        "made_by": f"blemish {__version__}",
        "inspector": manifest.name,
        "inspector_sha256": file_digest(request.inspector),
        "graph": request.graph.name,
        "graph_sha256": file_digest(request.graph),
        "input": {
            "name": PHOTOGRAPH,
            "type": "uint8",
            "shape": [view.photograph[1], view.photograph[0], 3]
            if view and fixed
            else ["height", "width", 3],
            "colours": "RGB",
        },
        "outputs": {
            "score": "float32, the anomaly score; larger is more anomalous",
            "map": "float32, height x width over the photograph; larger is more anomalous",
            P_VALUE: f"float32, share of unseen good parts expected to score at least as high, of {n_scores} known",
            VERDICT: f"int32, {', '.join(f'{number}: {word}' for number, word in enumerate(VERDICTS))}",
        },
        "threshold": manifest.decision.threshold,
        "review_threshold": manifest.decision.review_threshold,
        "map_threshold": manifest.decision.pixels.threshold,
        "map_scale": [manifest.calibration.map_low, manifest.calibration.map_high],
        "not_in_it": [
            "whether a photograph is like those learnt from: blemish inspect says not judged where it is not",
            "regions, types of defects in words, drift and the log",
        ],
        "check": check and asdict(check),
    }
