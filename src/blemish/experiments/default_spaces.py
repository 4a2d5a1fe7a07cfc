"""The default spaces: for every detector of Blemish a few values of what matters most."""

from __future__ import annotations

from blemish.detectors.registry import detector_info, detector_names

DEFAULT_SPACES = {name: detector_info(name).space for name in detector_names() if detector_info(name).space}
"""Lists of values by parameter, by detector."""
