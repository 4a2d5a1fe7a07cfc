"""An inspector in C compiled by the system's compiler and run from here, to compare it with the inspector."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from blemish.core.errors import BlemishError, UsageError
from blemish.core.types import ByteArray, FloatArray
from blemish.making.exported_c import identifier
from blemish.making.exported_check import Runner

_SECONDS = 600


class _Result(ctypes.Structure):
    _fields_ = (
        ("score", ctypes.c_float),
        ("p_value", ctypes.c_float),
        ("verdict", ctypes.c_int),
        ("map", ctypes.POINTER(ctypes.c_float)),
    )


def compiler() -> str:
    """The system's C compiler.

    Raises:
        UsageError: there is none.
    """
    found = shutil.which("cc")
    if found is None:
        raise UsageError(
            "C is compared with the inspector by compiling it, and there is no cc here: install a C compiler, or leave "
            "--check out."
        )
    return found


def c_runner(path: Path) -> tuple[str, Runner]:
    """The compiler's name and version, and the inspector NAME.c compiled by it.

    Raises:
        UsageError: there is no compiler.
        BlemishError: it refuses the source.
    """
    cc, name = compiler(), identifier(path.stem)
    with TemporaryDirectory(prefix="blemish-") as folder:
        library = Path(folder) / "inspector.so"
        for options in (["-O3", "-march=native"], ["-O3"]):  # not every compiler knows its machine
            command = [cc, *options, "-shared", "-fPIC", str(path), "-o", str(library), "-lm"]
            made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
            if made.returncode == 0:
                break
        else:
            raise BlemishError(f"{cc} refuses {path}: {made.stderr.strip()[:300]}")
        loaded: Any = ctypes.CDLL(str(library))
    if getattr(loaded, f"{name}_load")(str(path.with_suffix(".weights")).encode()):
        raise BlemishError(f"{path.with_suffix('.weights')} cannot be loaded: export it anew.")
    header = path.with_suffix(".h").read_text("utf-8")
    height, width = (int(re.findall(rf"_MAP_{side} (\d+)", header)[0]) for side in ("HEIGHT", "WIDTH"))

    def run(photograph: ByteArray) -> dict[str, FloatArray]:
        result, given = _Result(), np.ascontiguousarray(photograph)
        pointer = given.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        said = getattr(loaded, f"{name}_inspect")(pointer, *given.shape[:2], ctypes.byref(result))
        if said:
            raise BlemishError(
                f"A photograph of {given.shape[1]} x {given.shape[0]} pixels is too large for {path}."
            )
        return {
            "score": np.array([result.score], np.float32),
            "p_value": np.array([result.p_value], np.float32),
            "verdict": np.array([result.verdict], np.int32),
            "map": np.ctypeslib.as_array(result.map, (height, width)).copy(),
        }

    version = subprocess.run(
        [cc, "--version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    return f"C by {(version.splitlines() or [cc])[0]}", run
