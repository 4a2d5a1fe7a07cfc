"""An inspector as C99: one source file with a header, and a file of weights; nothing but libm beside it.

The resize, the p-value and the decision are written by hand (`templates/view.c`), the network operator by operator
(`blemish.making.c_operators`) with kernels of `templates/kernels.c`. All values have a place in one block of memory,
which is known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import onnx
from onnx.utils import Extractor

from blemish import __version__
from blemish.core.errors import UsageError
from blemish.line.artifact import MODEL, Artifact
from blemish.making.c_operators import planned
from blemish.making.c_plan import Plan
from blemish.making.exported_graph import require_exportable
from blemish.making.folded_graph import folded

_FILTERS = {"bilinear": 1, "bicubic": 2, "lanczos": 3}
_SCORE, _MAP = "score", "map"

_HEADER = """\
/* {title}: judges photographs of it. Made by Blemish {version}.
 *
 *   cc -O3 -march=native -c {name}.c          nothing but libm is needed
 *
 * {name}_load reads {name}.weights once, into the one block of memory that is ever taken ({megabytes:.1f} MB).
 * One thread at a time.
 */
#ifndef {guard}_INCLUDED
#define {guard}_INCLUDED

#include <stdint.h>

#define {guard}_MAP_HEIGHT {height}
#define {guard}_MAP_WIDTH {width}
#ifndef {guard}_MOST_SIDE /* pixels of a photograph's longer side at most */
#define {guard}_MOST_SIDE 16384
#endif

typedef struct {{
    float score;      /* larger is more anomalous */
    float p_value;    /* share of unseen good parts expected to score at least as high */
    int verdict;      /* 0 pass, 1 review, 2 reject */
    const float *map; /* {height} x {width} over the photograph, until the next photograph */
}} {name}_result;

/* Read the weights. 0, or 1: the file cannot be read, or is of another inspector, 2: there is no memory. */
int {name}_load(const char *path);

/* Judge a photograph, RGB, row by row. 0, or 1: nothing is loaded, 2: a side is none or above {guard}_MOST_SIDE. */
int {name}_inspect(const uint8_t *rgb, int height, int width, {name}_result *result);

/* Give the memory back. */
void {name}_close(void);

#endif
"""

_LOADING = """\
static float *memory; /* the weights, and behind them all values */

void {name}_close(void) {{
    free(memory);
    memory = NULL;
}}

int {name}_load(const char *path) {{
    uint32_t head[2], sum = 2166136261u;
    FILE *file;
    {name}_close();
    file = fopen(path, "rb");
    if (!file) return 1;
    memory = malloc(sizeof(float) * ((size_t)N_WEIGHTS + N_VALUES));
    if (!memory) {{
        fclose(file);
        return 2;
    }}
    int whole = fread(head, sizeof head, 1, file) == 1 && head[0] == N_WEIGHTS && head[1] == CHECKSUM &&
                fread(memory, sizeof(float), N_WEIGHTS, file) == N_WEIGHTS && fgetc(file) == EOF;
    fclose(file);
    for (size_t i = 0; whole && i < N_WEIGHTS; i++) {{
        uint32_t word;
        memcpy(&word, memory + i, sizeof word);
        sum = (sum ^ word) * 16777619u;
    }}
    if (whole && sum == CHECKSUM) return 0;
    {name}_close();
    return 1;
}}

int {name}_inspect(const uint8_t *rgb, int height, int width, {name}_result *result) {{
    if (!memory) return 1;
    if (height < 1 || width < 1 || height > {guard}_MOST_SIDE || width > {guard}_MOST_SIDE) return 2;
    float *values = memory + N_WEIGHTS;
    look(rgb, height, width, values + INPUT);
    network(memory, values);
    const double score = values[SCORE];
    double above = 1.0;
    for (int i = 0; i < N_SCORES; i++)
        if (scores[i] >= score) above += score_weights[i];
    result->score = values[SCORE];
    result->p_value = (float)(above / {total!r});
    /* What is no number lies above both. */
    result->verdict = !(score <= {review!r}) + !(score <= {reject!r});
    result->map = values + MAP;
    return 0;
}}
"""


@dataclass(frozen=True)
class SourceInC:
    """An inspector in C.

    Attributes:
        source, header: text of NAME.c and NAME.h.
        weights: content of NAME.weights: number of weights and checksum, uint32, and the weights, float32, all with the
            lowest byte first.
    """

    source: str
    header: str
    weights: bytes


def source_in_c(artifact: Artifact, stem: str) -> SourceInC:
    """An inspector as C, whose functions begin with the file's name as an identifier.

    Raises:
        UsageError: the inspector does what this cannot; the sentence says what.
    """
    manifest, name = artifact.manifest, identifier(stem)
    require_exportable(manifest)
    contract = manifest.preprocessing
    if contract.view is not None and contract.view.regions is not None:
        raise UsageError(
            f"{manifest.name} ignores regions, and C does not know them yet: export it --to onnx or openvino."
        )
    whole = onnx.load_model_from_string(artifact.content(MODEL))
    (entry,) = (one.name for one in whole.graph.input)
    network = Extractor(whole).extract_model([entry], [_SCORE, _MAP])
    graph, constants = folded(network)
    plan = planned(graph, constants, entry, (_SCORE, _MAP))
    weights = np.concatenate(plan.weights) if plan.weights else np.zeros(1, np.float32)
    height, width = plan.shapes[_MAP][-2:]
    guard = name.upper()
    said = {
        "name": name, "guard": guard, "title": manifest.name, "version": __version__, "height": height, "width": width,
        "megabytes": 4 * (len(weights) + plan.size) / 1e6,
    }  # fmt: skip
    source = "\n".join([
        f"/* {manifest.name}, made by Blemish {__version__}: see {stem}.h. */",
        f'#include "{stem}.h"\n',
        _template("kernels.c"),
        _constants(artifact, plan, weights, guard),
        _template("view.c"),
        plan.function("network"),
        _decision(artifact, said),
    ])  # fmt: skip
    head = np.array([len(weights), checksum(weights)], "<u4").tobytes()
    return SourceInC(source, _HEADER.format(**said), head + weights.astype("<f4").tobytes())


def identifier(stem: str) -> str:
    """A file's name as C writes names."""
    found = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return found if not found[:1].isdigit() else f"part_{found}"


def checksum(weights: np.ndarray) -> int:
    """FNV-1a over the words of the weights: a file that was cut or flipped is not taken for one."""
    total = 2166136261
    for word in weights.astype("<f4").view("<u4").tolist():
        total = ((total ^ word) * 16777619) & 0xFFFFFFFF
    return total


def _template(name: str) -> str:
    return files("blemish.making").joinpath("templates", name).read_text("utf-8")


def _constants(artifact: Artifact, plan: Plan, weights: np.ndarray, guard: str) -> str:
    contract = artifact.manifest.preprocessing
    inverse = np.float32(1) / np.asarray(contract.std, np.float32)
    return "\n".join([
        f"#define HEIGHT {contract.height}",
        f"#define WIDTH {contract.width}",
        f"#define FILTER {_FILTERS[contract.interpolation]} /* its reach: 1 bilinear, 2 bicubic, 3 lanczos */",
        f"#define WEIGHTS(side) (2 * FILTER * ({guard}_MOST_SIDE > side ? {guard}_MOST_SIDE : side) + 2 * side)",
        f"#define N_WEIGHTS {len(weights)}u",
        f"#define N_VALUES {plan.size}u",
        f"#define CHECKSUM {checksum(weights)}u",
        f"#define INPUT {plan.places[plan.entry]}",
        f"#define SCORE {plan.places[_SCORE]}",
        f"#define MAP {plan.places[_MAP]}",
        f"static const float mean[3] = {_floats(np.asarray(contract.mean, np.float32))};",
        f"static const float inverse[3] = {_floats(inverse)};",
        "",
    ])  # fmt: skip


def _decision(artifact: Artifact, said: dict[str, object]) -> str:
    calibration, decision = artifact.calibration(), artifact.manifest.decision
    scores = np.asarray(calibration.scores, np.float64).tolist()
    shares = np.broadcast_to(np.asarray(calibration.weights, np.float64), len(scores)).tolist()
    return "\n".join([
        f"#define N_SCORES {len(scores)}",
        f"static const double scores[] = {{{', '.join(map(repr, scores))}}};",
        f"static const double score_weights[] = {{{', '.join(map(repr, shares))}}};",
        "",
        _LOADING.format(
            **said,
            total=float(1.0 + calibration.n),
            review=float(min(decision.review_threshold, decision.threshold)),
            reject=float(decision.threshold),
        ),
    ])  # fmt: skip


def _floats(values: np.ndarray) -> str:
    return "{" + ", ".join(f"{float(value)!r}f" for value in values) + "}"
