"""The tab Clusters: past defects that look alike, and what is new among them."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from blemish.gallery.clusters import Cluster, Clusters
from blemish.gallery.defect import Defect
from blemish.server.laboratory.access import PRIVATE, Access, plainly
from blemish.server.laboratory.fragments import escaped, note
from blemish.server.laboratory.pictures import thumbnail
from blemish.server.service import Service
from blemish.server.wording import moment
from blemish.station.defect_pictures import close_picture
from blemish.station.keys import Role

_MOST_SHOWN = 20
_PICTURES_OF_EACH = 8
_SIDE = 240


class ClustersTab:
    """What others need of the tab: `category`, the choice of one."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        with gr.Row(equal_height=True, elem_classes="bl-right"):
            self.category = gr.Dropdown(
                categories(service), value="All", label="Category", elem_id="clusters-category", min_width=160
            )
            size = gr.Slider(2, 50, value=5, step=1, label="Smallest cluster", elem_id="clusters-size")
            go = gr.Button(
                "Find clusters", variant="primary", elem_id="clusters-button", scale=0, min_width=200
            )
        found = gr.HTML(
            note(
                service.gallery_trouble
                or "Past defects that look alike are put together, whatever they are called: what is new stands first."
            ),
            elem_id="clusters-found",
        )
        go.click(self._find, [self.category, size], found, **PRIVATE)

    def _find(self, category: str | None, size: float, request: gr.Request) -> str:
        self._access.require(request, Role.VIEWER)
        with plainly():
            found = self._service.gallery.clusters(None if category in ("All", None) else category, int(size))
        return self._shown(found)

    def _shown(self, found: Clusters) -> str:
        if not found.count:
            return note("The gallery is empty: rejected parts are remembered as they come.")
        clusters = "".join(self._cluster(cluster) for cluster in found.clusters[:_MOST_SHOWN])
        more = len(found.clusters) - _MOST_SHOWN
        rest = (
            f"<p>… and {more} smaller ones: GET /v1/gallery/clusters lists them all.</p>" if more > 0 else ""
        )
        single = ""
        if found.single:
            shown = 2 * _PICTURES_OF_EACH
            counted = (
                f"the newest {shown} of {len(found.single)}"
                if len(found.single) > shown
                else len(found.single)
            )
            single = (
                f'<section class="bl-cluster"><h3>In no cluster: {counted}</h3><p>Unlike all others, or alike too few: '
                f"a kind seen for the first time is here.</p>{self._cards(found.single[:shown])}</section>"
            )
        return f"{note(found.sentence)}{clusters}{rest}{single}"

    def _cluster(self, cluster: Cluster) -> str:
        facts = [cluster.category, *(f"{name} {count}" for name, count in cluster.types.items())]
        if unnamed := len(cluster.defects) - sum(cluster.types.values()):
            facts.append(f"not named {unnamed}")
        kind = " bl-cluster-new" if cluster.is_new else ""
        return (
            f'<section class="bl-cluster{kind}"><h3>{cluster.number}. {escaped(cluster.headline)}</h3>'
            f"<p>{escaped(' · '.join(facts))}</p>{self._cards(cluster.defects[:_PICTURES_OF_EACH])}</section>"
        )

    def _cards(self, defects: Sequence[Defect]) -> str:
        return f'<div class="bl-cards bl-small">{"".join(map(self._card, defects))}</div>'

    def _card(self, defect: Defect) -> str:
        image = close_picture(defect, self._service.images)
        named = defect.defect_type or "not named"
        where = f"inspection {defect.inspection_id}" if defect.inspection_id is not None else defect.name
        picture = (
            '<span class="bl-none">not kept</span>'
            if image is None
            else thumbnail(image, f"{named}, {where}", _SIDE)
        )
        return (
            f'<article class="bl-card">{picture}<div class="bl-text"><strong>{escaped(named)}</strong><br>'
            f"{escaped(where)}<br>{escaped(moment(defect.time)[:16])}</div></article>"
        )


def categories(service: Service) -> list[str]:
    """All, and the categories of the inspectors that are active."""
    return ["All", *sorted({version.name for version in service.shelf.active_all()})]
