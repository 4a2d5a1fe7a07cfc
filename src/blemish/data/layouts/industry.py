"""Layouts of data sets of surfaces and parts that are published as competitions or for detectors of objects."""

from __future__ import annotations

from blemish.data.layouts.layout import Layout

LAYOUTS: tuple[Layout, ...] = ()
"""The most exact first."""
