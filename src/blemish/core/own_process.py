"""What a process sets that is Blemish's own, and not a notebook's or a service's that imports it."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Look for unreachable cycles of objects after 20,000 new ones, not after 700.

    Torch, timm and scikit-learn make hundreds of thousands of objects when they are imported, and all of them stay.
    """
    gc.set_threshold(20_000, 10, 10)
