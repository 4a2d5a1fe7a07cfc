"""Layouts of published data sets, as their archives unpack."""

from __future__ import annotations

from blemish.data.layouts.layout import Layout
from blemish.data.layouts.visa import VISA

LAYOUTS: tuple[Layout, ...] = (VISA,)
"""The most exact first."""
