"""Layouts of data sets of surfaces and parts that are published as competitions or for detectors of objects."""

from __future__ import annotations

from blemish.data.layouts.deep_pcb import DEEPPCB
from blemish.data.layouts.defects_only import GC10, NEU, PCB
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.published_classes import CASTING, CONCRETE, SDNET
from blemish.data.layouts.severstal import SEVERSTAL

LAYOUTS: tuple[Layout, ...] = (SEVERSTAL, DEEPPCB, NEU, GC10, PCB, CASTING, CONCRETE, SDNET)
"""The most exact first."""
