"""Layouts that programs for annotation export."""

from __future__ import annotations

from blemish.data.layouts.coco import COCO
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.yolo import YOLO

LAYOUTS: tuple[Layout, ...] = (COCO, YOLO)
"""The most exact first."""
