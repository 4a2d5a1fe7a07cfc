"""Networks as OpenVINO compiles them, kept for the next process: compiling one takes longer than a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blemish.core.bounded_folder import BoundedFolder
from blemish.core.settings import cache_folder, cache_limit_bytes


class KeptNetworks:
    """Compiled networks of this machine's CPU in the cache folder, a quarter of its limit at most.

    What is kept computes the same to the bit. It is for one release of OpenVINO, one processor and one network with its
    settings: all of them are in its key, and one that is damaged or that OpenVINO refuses is compiled anew.
    """

    def __init__(self) -> None:
        self._files = BoundedFolder(cache_folder() / "networks", cache_limit_bytes() // 4, ".network")

    def get(self, core: Any, key: str, settings: Mapping[str, Any]) -> Any | None:
        """The compiled network of a key, or None.

        Args:
            core: `openvino.Core`.
            key: as by `key_of`.
            settings: what it was compiled with.
        """
        content = self._files.get(key)
        if content is None:
            return None
        try:
            return core.import_model(content.tobytes(), "CPU", dict(settings))
        except RuntimeError:
            return None

    def put(self, key: str, compiled: Any) -> None:
        """Keep a compiled network; where OpenVINO cannot write it down, nothing is kept."""
        try:
            content = compiled.export_model().getbuffer()
        except RuntimeError:
            return
        self._files.put(key, np.frombuffer(content, np.uint8))


def key_of(core: Any, model: bytes, outputs: Sequence[str] | None, settings: Mapping[str, Any]) -> str:
    """What a compiled network depends on, as one line.

    Args:
        core: `openvino.Core`.
        model: ONNX.
        outputs: names of those that are computed; all when None.
        settings: what it is compiled with.
    """
    import openvino

    able = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    processor = core.get_property("CPU", "FULL_DEVICE_NAME")
    chosen = "all" if outputs is None else ",".join(outputs)
    told = ",".join(f"{name}={settings[name]}" for name in sorted(settings))
    digest = hashlib.sha256(model).hexdigest()
    return f"{openvino.__version__}|{processor}|{','.join(able)}|{told}|{chosen}|{digest}"
