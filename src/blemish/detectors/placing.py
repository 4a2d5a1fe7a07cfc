"""Maps of what a view looked at, laid where the part lies in its photograph, and lowest where nothing counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blemish.core.images import read_image
from blemish.core.types import Prediction
from blemish.view.counting import counting
from blemish.view.look import Look
from blemish.view.preprocessing import Preprocessing, look
from blemish.view.view import View


def is_moved(view: View | None) -> bool:
    """Whether a part may lie elsewhere in what is looked at than in its photograph."""
    return view is not None and (view.alignment is not None or view.foreground is not None)


def placed(prediction: Prediction, path: Path, contract: Preprocessing) -> Prediction:
    """The prediction with its map where the part lies in its photograph.

    Raises:
        ImageError: the file cannot be read.
    """
    return look(read_image(path, bit_depth=contract.bit_depth), contract).placed(prediction)


def where_it_counts(prediction: Prediction, view: View | None) -> Prediction:
    """The prediction with the lowest value of its map where nothing is looked at; as it is where all counts."""
    if (
        view is None or not view.all_regions or view.alignment is not None
    ):  # `placed` has seen to aligned ones
        return prediction
    height, width = prediction.anomaly_map.shape
    counts = counting(view, view.photograph, height, width)
    seen = Look(np.empty(0, np.uint8), counts.picture, counted_in_photograph=counts.photograph)
    return seen.placed(prediction)
