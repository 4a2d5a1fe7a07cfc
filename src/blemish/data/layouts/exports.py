"""Layouts that programs for annotation export."""

from __future__ import annotations

from blemish.data.layouts.class_masks import CVAT_MASKS, ROBOFLOW_MASKS
from blemish.data.layouts.class_tables import ROBOFLOW_BOXES, ROBOFLOW_CLASSES
from blemish.data.layouts.coco import COCO
from blemish.data.layouts.cvat import CVAT
from blemish.data.layouts.labelme import LABELME
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.project_files import CREATEML, LABEL_STUDIO, VIA
from blemish.data.layouts.supervisely import SUPERVISELY
from blemish.data.layouts.voc import VOC
from blemish.data.layouts.yolo import YOLO

LAYOUTS: tuple[Layout, ...] = (
    *(COCO, SUPERVISELY, VIA, LABEL_STUDIO, CREATEML, CVAT, CVAT_MASKS),
    *(ROBOFLOW_MASKS, ROBOFLOW_CLASSES, ROBOFLOW_BOXES, YOLO, VOC, LABELME),
)
"""The most exact first."""
