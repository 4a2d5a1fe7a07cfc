"""The laboratory, at `/laboratory`: a tab for each detector, and their comparison. It asks no other server."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

# Read by Gradio when it is imported: a plant's server tells nobody anything.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.middleware import Middleware

from blemish.server.authentication import Authentication
from blemish.server.laboratory.access import QUIET, Access
from blemish.server.laboratory.catalogs import Catalogs
from blemish.server.laboratory.clusters_tab import ClustersTab, categories
from blemish.server.laboratory.comparison_area import ComparisonArea
from blemish.server.laboratory.detectors_area import DetectorsArea
from blemish.server.laboratory.fitted import FittedInspectors
from blemish.server.laboratory.fragments import escaped
from blemish.server.laboratory.icon import OwnIcon
from blemish.server.laboratory.photographs_area import WELCOME, PhotographsArea
from blemish.server.laboratory.similar_tab import SimilarTab, refreshed
from blemish.server.page import static_files
from blemish.server.page.frame import to_sign_in
from blemish.server.problems import answer
from blemish.server.service import Service
from blemish.station.keys import Role

TITLE = "Blemish: laboratory"
PATH = "/laboratory"
_FONTS = ("system-ui", "sans-serif")
_KEEP_UPLOADS_SECONDS = 3600

# What is looked at stands in the address, which survives a reload and can be sent to a colleague.
_KEEP_ADDRESS = """(photographs, photograph) => {
  const open = [...document.querySelectorAll('#families [id^=family-] [role=tab][aria-selected=true]')];
  const detector = open.find((tab) => tab.checkVisibility())?.textContent.trim();
  const address = new URL(window.location.href);
  for (const [name, value] of Object.entries({detector, photographs, photograph})) {
    if (value) { address.searchParams.set(name, value); } else { address.searchParams.delete(name); }
  }
  window.history.replaceState(window.history.state, '', address);
}"""


def build_page(service: Service) -> gr.Blocks:
    """The page of a service."""
    with suppress(ImportError):  # Gradio opens what is uploaded with Pillow
        importlib.import_module("pillow_heif").register_heif_opener()
    access, catalogs, learnt = Access(service), Catalogs(service), FittedInspectors(service)
    page = gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, _KEEP_UPLOADS_SECONDS)
    )
    with page:
        head = gr.HTML(_head(service), elem_id="head")
        with gr.Tabs(elem_id="laboratory"):
            with gr.Tab("Detectors", id="detectors"):
                photographs = PhotographsArea(catalogs, access)
                detectors = DetectorsArea(service, access, photographs, learnt)
                comparison = ComparisonArea(service, access, photographs, learnt, detectors.ended)
            with gr.Tab("Similar", id="similar") as similar_tab:
                similar = SimilarTab(service, access)
            with gr.Tab("Clusters", id="clusters") as clusters_tab:
                clusters = ClustersTab(service, access)
        for_admins = [photographs.more, comparison.several, *detectors.groups]
        inner = list(detectors.inner.items())

        def opened(request: gr.Request) -> tuple[Any, ...]:
            asked = dict(request.query_params)
            family = detectors.family_of(asked.get("detector", ""))
            chosen = asked["detector"] if family else None
            admin = access.allows(request, Role.ADMIN)
            return (
                _head(service),
                photographs.refreshed(asked.get("photographs")),
                asked.get("photograph", ""),
                WELCOME if not asked.get("photographs") else gr.skip(),
                chosen or gr.skip(),
                detectors.seen_with(chosen) if chosen else gr.skip(),
                gr.update(selected=family) if family else gr.skip(),
                *(gr.update(selected=chosen) if name == family else gr.skip() for name, _ in inner),
                comparison.panel.refreshed(),
                *detectors.begun(),
                *(gr.update(visible=admin) for _ in for_admins),
            )

        shown = [
            head,
            photographs.catalog,
            photographs.wanted,
            photographs.said,
            detectors.detector,
            detectors.seen,
            detectors.tabs,
            *(tabs for _, tabs in inner),
            comparison.panel.chosen,
            *detectors.following,
            *for_admins,
        ]
        page.load(opened, None, shown, **QUIET)
        gr.on(
            [detectors.detector.change, photographs.catalog.change, photographs.photograph.change],
            None,
            [photographs.catalog, photographs.photograph],
            None,
            js=_KEEP_ADDRESS,
            **QUIET,
        )
        similar_tab.select(
            lambda name: refreshed(service, name), similar.inspector, similar.inspector, **QUIET
        )
        clusters_tab.select(lambda: gr.update(choices=categories(service)), None, clusters.category, **QUIET)
    page.queue(default_concurrency_limit=8, max_size=64)
    return page


def mount_laboratory(app: FastAPI, service: Service, authentication: Authentication) -> Path:
    """Mount the laboratory at `/laboratory`; who has signed in at the page has done so here.

    Returns:
        Where uploads to the page go.
    """
    page = build_page(service)
    prefix = service.settings.prefix
    app.add_api_route(
        PATH, lambda: RedirectResponse(f"{prefix}{PATH}/", 307), methods=["GET"], include_in_schema=False
    )
    gr.mount_gradio_app(
        app,
        page,
        path=PATH,
        auth_dependency=authentication.who,
        allowed_paths=[],
        blocked_paths=[str(folder) for folder in _kept_folders(service)],
        max_file_size=service.settings.max_upload_bytes,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        show_error=True,
        theme=gr.themes.Base(primary_hue="slate", neutral_hue="slate", font=_FONTS, font_mono=("monospace",)),
        css_paths=Path(__file__).with_name("style.css"),
    )
    mounted: Any = app.router.routes[-1]
    icon = f"{prefix}/static/{static_files.digest()}/icon.svg"
    mounted.app.user_middleware.append(Middleware(OwnIcon, icon))  # innermost: another one compresses
    for kind in (OSError, MemoryError):  # Gradio would say Internal Server Error
        mounted.app.add_exception_handler(kind, answer)

    async def nobody(request: Request, error: Exception) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return to_sign_in(request, service.settings)
        return await answer(request, error)

    mounted.app.add_exception_handler(401, nobody)
    return Path(mounted.app.uploaded_file_dir)


def _kept_folders(service: Service) -> list[Path]:
    """Where the service keeps things: no address of Gradio's own may read there, whatever else changes."""
    home = service.home
    return [
        home.inspectors, home.images, home.buffer, home.thumbnails, home.gallery, home.jobs, home.uploads,
        home.laboratory, home.path / "blemish.db", home.path / "session-secret",
    ]  # fmt: skip


def _head(service: Service) -> str:
    trouble = service.images.trouble
    warning = f'<p class="bl-trouble" role="alert">{escaped(trouble)}</p>' if trouble else ""
    home = escaped(f"{service.settings.prefix}/")
    return (
        f'<header class="bl-head"><a href="{home}">Blemish</a><h1>Laboratory</h1>'
        f"<p>every detector on the same photographs</p>{warning}</header>"
    )
