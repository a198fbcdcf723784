"""The console at ``/``, the JSON API, health and metrics: a snapshot in, pages out. No store, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sloengine.evaluate.account import Standing
from sloengine.model import Snapshot
from sloengine.web import answers
from sloengine.web.answers_slo import Missing, SloAnswer, slo_answer
from sloengine.web.metrics import CONTENT_TYPE, render
from sloengine.web.places import group_of
from sloengine.web.slo_view import chosen, slo_view
from sloengine.web.view import Limits, overview

NOBODY_KNOWS = Standing(None)
STATIC = Path(__file__).parent / "static"

HEADERS = {
    # No inline script or style, nothing from elsewhere: a label that becomes markup still can't run or load anything.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

Take = Callable[[], Snapshot]
Stand = Callable[[str], Standing]
"""What stands behind an SLO's budget, by its name; must be cheap however often it is asked."""
Clock = Callable[[], datetime]


def create_app(
    snapshot: Take,
    *,
    now: Clock,
    ready: Callable[[], bool],
    metrics: Callable[[], str] | None = None,
    routers: Sequence[APIRouter] = (),
    limits: Limits | None = None,
    standing: Stand = lambda _: NOBODY_KNOWS,
) -> FastAPI:
    """The web application.

    Args:
        snapshot: what the engine knows; asked once per request, from worker threads.
        now: aware UTC.
        ready: whether the engine can do its work.
        metrics: Prometheus text of ``/metrics``; without it, the snapshot's own gauges.
        routers: further routes, such as the OTLP door.
        limits: ages from which ticks and nodes count as late.
        standing: what stands behind an SLO's budget; asked for each view of its page.
    """
    limits = limits or Limits()
    app = FastAPI(
        title="sloengine",
        summary="Service level objectives of machine-learning models on edge devices",
        version="1",
        docs_url=None,  # FastAPI's pages load their script from a CDN, which the policy above rightly refuses.
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.add_middleware(SecurityHeaders)
    app.include_router(_console(snapshot, now, limits, standing))
    app.include_router(_api(snapshot, now, limits))
    app.include_router(_one_slo(snapshot, now, standing))
    app.include_router(_health(snapshot, ready, metrics or (lambda: render(snapshot(), now(), limits.node))))
    for router in routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


class SecurityHeaders:
    """Adds the headers to every answer, whichever router gave it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", _caching(scope["path"]))
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _caching(path: str) -> str:
    # A cached overview would show the past as the present; static files are asked for again by their ETag.
    return "no-cache" if path.startswith("/static/") else "no-store"


def _console(snapshot: Take, now: Clock, limits: Limits, standing: Stand) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    pages = Environment(
        loader=PackageLoader("sloengine.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template, slo_template = pages.get_template("overview.html"), pages.get_template("slo.html")

    @router.api_route("/", methods=["GET", "HEAD"], response_class=HTMLResponse)
    def show_overview(show: str = "") -> str:
        everything = show == "all"
        page = overview(snapshot(), now(), limits, everything=everything)
        return template.render(page=page, everything=everything)

    @router.api_route("/slo/{name:path}", methods=["GET", "HEAD"], response_class=HTMLResponse)
    def show_slo(name: str, slice: str = "") -> HTMLResponse:
        taken = snapshot()
        known = chosen(taken, name, slice)[1] is not None
        page = slo_view(taken, standing(name) if known else NOBODY_KNOWS, (name, slice), now(), limits)
        missing = page.ticked and not page.found
        return HTMLResponse(slo_template.render(page=page), status_code=404 if missing else 200)

    return router


def _api(snapshot: Take, now: Clock, limits: Limits) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["engine"])

    @router.get("/slos")
    def slos() -> answers.Slos:
        """Every slice of every SLO, worst first."""
        return answers.slos_of(snapshot(), now())

    @router.get("/alerts")
    def alerts() -> answers.Alerts:
        """Alert episodes that fire, and those that lately did."""
        return answers.alerts_of(snapshot(), now())

    @router.get("/nodes")
    def nodes() -> answers.Nodes:
        """Expected nodes and when each was last heard."""
        return answers.nodes_of(snapshot(), now(), limits.node)

    return router


def _one_slo(snapshot: Take, now: Clock, standing: Stand) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["engine"])

    @router.get("/slos/{name:path}", responses={404: {"model": Missing}})
    def slo(name: str, slice: str = "") -> SloAnswer:
        """One SLO with what spent its budget, the rollouts' reserve, exclusions, and hours that were counted anew.

        `slice` is such as `model=digits,region=eu-north` and leaves only slices that agree with it; `,`, `=` and `%` in a value
        are percent-encoded once more.
        """
        taken = snapshot()
        mine, one = chosen(taken, name, slice)
        if one is None:
            reason = "no slice of this SLO agrees with that" if mine else "no SLO of this name is judged"
            raise HTTPException(404, reason)
        wanted = set(group_of(slice))
        return slo_answer(taken, standing(name), [s for s in mine if wanted <= set(s.group)], now())

    return router


def _health(snapshot: Take, ready: Callable[[], bool], metrics: Callable[[], str]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_class=PlainTextResponse)
    def healthz() -> str:
        """The process answers; says nothing of the engine."""
        return "ok\n"

    @router.get("/readyz", responses={503: {"model": answers.Readiness}})
    def readyz(response: Response) -> answers.Readiness:
        """Whether the engine can do its work, and why not."""
        if ready():
            return answers.Readiness(ready=True, reason="ready")
        response.status_code = 503
        return answers.Readiness(ready=False, reason=_why_not(snapshot()))

    @router.get("/metrics", response_class=PlainTextResponse)
    def show_metrics() -> Response:
        """Prometheus text."""
        return Response(metrics(), headers={"Content-Type": CONTENT_TYPE})

    return router


def _why_not(snapshot: Snapshot) -> str:
    if snapshot.problems:
        return "; ".join(snapshot.problems[:5])[:1000]
    return "no tick yet" if snapshot.at is None else "the engine is not ready"
