"""ELPV: real electroluminescence photographs of solar cells, from the pip package `elpv-dataset`.

Buerhop-Lutz et al., "A Benchmark for Visual Identification of Defective Solar Cells in Electroluminescence
Imagery", EU PVSEC 2018. 2,624 grey photographs of 300 x 300 pixels; experts gave each a probability of being
defective (0, 1/3, 2/3 or 1), and its cell type. There are no masks.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.progress import task
from blemish.data.folders import made_folder, refuse_foreign_folder

LICENCE = (
    "ELPV is the work of ZAE Bayern and FAU Erlangen-Nuernberg under CC BY-NC-SA 4.0: not for commercial "
    "use, name its authors, share alike (https://creativecommons.org/licenses/by-nc-sa/4.0/)."
)
ELPV_CATEGORIES = {"mono": "elpv_mono", "poly": "elpv_poly"}
# Thirds of probability as defect types: only the first is certain, and a report lists each on its own.
DEFECT_TYPES = {0: "good", 1: "possibly_defective", 2: "likely_defective", 3: "defective"}


@dataclass(frozen=True)
class Cell:
    """One photograph: its file, its probability of a defect in thirds (0 to 3), and the cell's type."""

    path: Path
    thirds: int
    kind: str


def get_elpv(out: Path, test_share: float = 0.3, seed: int = 0, package: Path | None = None) -> list[Path]:
    """Lay ELPV into `out` in the MVTec AD layout: `elpv_mono` and `elpv_poly`.

    Normal is probability 0: a seeded share of these goes to test, the others to train. All with a higher
    probability are test images of the type `possibly_defective` (1/3), `likely_defective` (2/3) or
    `defective` (1).

    Args:
        out: folder for the categories' folders.
        test_share: share of the normal images kept for testing, in (0, 1).
        seed: seed of that choice.
        package: folder of the package `elpv_dataset`; by default the installed one.

    Raises:
        BlemishError: the package is not installed or not complete.
        UsageError: a category's folder holds other files.
    """
    cells = read_cells(package or _installed_package())
    folders = [Path(out) / name for name in ELPV_CATEGORIES.values()]
    for folder in folders:
        refuse_foreign_folder(folder)
    with task("Copying solar cells", total=len(cells)) as advance:
        for (kind, name), folder in zip(ELPV_CATEGORIES.items(), folders, strict=True):
            chosen = [cell for cell in cells if cell.kind == kind]
            origin = {"made_by": "blemish data get elpv", "category": name, "seed": seed, "licence": LICENCE}
            with made_folder(folder, origin) as draft:
                for cell, split in zip(chosen, _splits(chosen, test_share, seed), strict=True):
                    target = draft / split / DEFECT_TYPES[cell.thirds] / cell.path.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(cell.path, target)
                    advance(1)
    return folders


def read_cells(package: Path) -> list[Cell]:
    """Read the package's `data/labels.csv`: file, probability and type of every cell, separated by blanks.

    Raises:
        BlemishError: the table or a photograph is missing or not as expected.
    """
    table = package / "data" / "labels.csv"
    try:
        rows = [line.split() for line in table.read_text("utf-8").splitlines() if line.strip()]
        cells = [Cell(table.parent / name, round(3 * float(share)), kind) for name, share, kind in rows]
    except (OSError, ValueError) as error:
        raise BlemishError(
            f"{table} cannot be read ({error}): reinstall it with pip install --force-reinstall elpv-dataset."
        ) from error
    for cell in cells:
        if cell.thirds not in DEFECT_TYPES or cell.kind not in ELPV_CATEGORIES or not cell.path.is_file():
            raise BlemishError(
                f"{cell.path} is missing or mislabelled: reinstall it with "
                "pip install --force-reinstall elpv-dataset."
            )
    return cells


def installed_cells() -> list[Cell]:
    """Every cell of the installed package.

    Raises:
        BlemishError: it is not installed or not complete.
    """
    return read_cells(_installed_package())


def _splits(cells: list[Cell], test_share: float, seed: int) -> list[str]:
    """Train or test for every cell; only normal ones are ever trained on."""
    normal = [index for index, cell in enumerate(cells) if cell.thirds == 0]
    trained = np.random.default_rng(seed).permutation(normal)[round(test_share * len(normal)) :]
    chosen = set(trained.tolist())
    return ["train" if index in chosen else "test" for index in range(len(cells))]


def _installed_package() -> Path:
    found = importlib.util.find_spec("elpv_dataset")
    if found is None or found.origin is None:
        raise BlemishError(
            f"The solar cells are not installed: pip install elpv-dataset. {LICENCE} "
            "That is why Blemish does not bring them."
        )
    return Path(found.origin).parent
