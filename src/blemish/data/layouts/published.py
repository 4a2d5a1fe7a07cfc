"""Layouts of published data sets, as their archives unpack."""

from __future__ import annotations

from blemish.data.layouts.aitex import AITEX
from blemish.data.layouts.dagm import DAGM
from blemish.data.layouts.kolektor import KOLEKTOR_SDD, KOLEKTOR_SDD2
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.loco import LOCO
from blemish.data.layouts.magnetic_tile import MAGNETIC_TILE
from blemish.data.layouts.mvtec_family import MVTEC_3D, MVTEC_AD_2
from blemish.data.layouts.real_iad import REAL_IAD
from blemish.data.layouts.visa import VISA

LAYOUTS: tuple[Layout, ...] = (
    VISA,
    MVTEC_AD_2,
    LOCO,
    MVTEC_3D,
    KOLEKTOR_SDD,
    KOLEKTOR_SDD2,
    MAGNETIC_TILE,
    DAGM,
    AITEX,
    REAL_IAD,
)
"""The most exact first."""
