"""The laboratory: seven tabs over one service, mounted at `/laboratory`. It asks no other server for anything."""

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

from blemish.server.authentication import Authentication
from blemish.server.laboratory.access import QUIET, Access
from blemish.server.laboratory.benchmark_tab import BenchmarkTab
from blemish.server.laboratory.clusters_tab import ClustersTab, categories
from blemish.server.laboratory.explore_tab import ExploreTab
from blemish.server.laboratory.feedback import known_types
from blemish.server.laboratory.fragments import escaped
from blemish.server.laboratory.history_tab import HistoryTab
from blemish.server.laboratory.inspect_tab import InspectTab, inspector_names, refreshed
from blemish.server.laboratory.similar_tab import SimilarTab
from blemish.server.laboratory.train_tab import TrainTab
from blemish.server.page.frame import to_sign_in
from blemish.server.problems import answer
from blemish.server.service import Service

TITLE = "Blemish"
PATH = "/laboratory"
_FONTS = ("system-ui", "sans-serif")
_KEEP_UPLOADS_SECONDS = 3600


def build_page(service: Service) -> gr.Blocks:
    """The page of a service."""
    with suppress(ImportError):  # Gradio opens what is uploaded with Pillow
        importlib.import_module("pillow_heif").register_heif_opener()
    access = Access(service)
    page = gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, _KEEP_UPLOADS_SECONDS)
    )
    with page:
        head = gr.HTML(_head(service), elem_id="head")
        with gr.Tabs(selected="inspect") as tabs:
            with gr.Tab("Inspect", id="inspect"):
                inspect = InspectTab(service, access)
            with gr.Tab("Train", id="train"):
                train = TrainTab(service, access, inspect.inspector)
            with gr.Tab("Explore", id="explore"):
                explore = ExploreTab(service, access)
            with gr.Tab("Benchmark", id="benchmark"):
                benchmark = BenchmarkTab(service, access)
            with gr.Tab("History", id="history") as history_tab:
                history = HistoryTab(service, access)
            with gr.Tab("Similar", id="similar") as similar_tab:
                similar = SimilarTab(service, access)
            with gr.Tab("Clusters", id="clusters") as clusters_tab:
                clusters = ClustersTab(service, access)
        history_tab.select(history.show, history.inputs, history.outputs, **QUIET)
        panels = [train.panel, explore.panel, benchmark.panel]

        def fresh(chosen: str | None) -> tuple[Any, ...]:
            names, kinds = ["All", *inspector_names(service)], ["All", *known_types(service)]
            return (
                _head(service),
                refreshed(service, chosen),
                *(panel.refreshed() for panel in panels),
                gr.update(choices=names),
                gr.update(choices=kinds),
            )

        shown = [
            head,
            inspect.inspector,
            *(panel.chosen for panel in panels),
            history.inspector,
            history.defect_type,
        ]
        page.load(fresh, inspect.inspector, shown, **QUIET)
        for tab, choice in ((similar_tab, similar.inspector), (similar_tab, explore.inspector)):
            tab.select(lambda name: refreshed(service, name), choice, choice, **QUIET)
        clusters_tab.select(lambda: gr.update(choices=categories(service)), None, clusters.category, **QUIET)
        inspect.inspector.change(
            lambda: (refreshed(service, None), refreshed(service, None)),
            None,
            [explore.inspector, similar.inspector],
            **QUIET,
        )
        inspect.similar.click(similar.of_record, inspect.record, similar.outputs, **QUIET).then(
            lambda: gr.update(selected="similar"), None, tabs, **QUIET
        )
        history.similar.change(similar.of_record, history.similar, similar.outputs, **QUIET).then(
            lambda: gr.update(selected="similar"), None, tabs, **QUIET
        )
    page.queue(default_concurrency_limit=8, max_size=64)
    return page


def mount_laboratory(app: FastAPI, service: Service, authentication: Authentication) -> Path:
    """Mount the laboratory at `/laboratory`; who has signed in at the page has done so here.

    Returns:
        Where uploads to the page go.
    """
    page = build_page(service)
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
    return [home.inspectors, home.images, home.gallery, home.jobs, home.path / "blemish.db"]


def _head(service: Service) -> str:
    trouble = service.images.trouble
    names = inspector_names(service)
    said = f"{len(names)} inspector{'s' * (len(names) != 1)} active" if names else "no inspector yet"
    warning = f'<p class="bl-trouble" role="alert">{escaped(trouble)}</p>' if trouble else ""
    return (
        f'<header class="bl-head"><h1>{TITLE}</h1><p>visual defect inspection · {said}</p>{warning}</header>'
    )
