"""The one place that builds clients, scheduler and servers; the jobs are handed its clock."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import structlog
import uvicorn
from fastapi import APIRouter, FastAPI

from sloengine import jobs
from sloengine.config.catalogue import load_catalogue
from sloengine.config.routing import Alerting, load_alerting, unknown_hooks
from sloengine.config.settings import Settings
from sloengine.errors import ConfigError, SloengineError, StoreUnavailable
from sloengine.events.mlflow import TAG, BaselineGiven
from sloengine.jobs.account import KeptAccounts
from sloengine.model import Catalogue
from sloengine.otlp.door import router as otlp_router
from sloengine.schedule import Schedule
from sloengine.state.database import open_database
from sloengine.store.client import Store
from sloengine.store.migrate import migrate
from sloengine.telemetry import Dropped
from sloengine.tools.drift_baseline import Handed, Pin, list_baselines, pin_baseline, pin_handed
from sloengine.tools.outcome import WRONG_USE, Outcome
from sloengine.web.alertmanager import Doors as AlertDoors
from sloengine.web.alertmanager import router as alertmanager_router
from sloengine.web.app import create_app
from sloengine.web.baselines import router as baselines_router
from sloengine.web.labels import router as labels_router
from sloengine.web.metrics import render
from sloengine.web.registry import mlflow_router

DRIFT_EVERY_S = 15.0
"""How often drift monitors are asked whether a look is due; nearly always none is."""
RELOAD_EVERY_S = 5.0
"""How often the routing's file is read again."""
log = logging.getLogger("sloengine")

DOOR_GATEWAY = "otlp-door"
NOBODY = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def clock() -> datetime:
    return datetime.now(UTC)


def log_as_json() -> None:
    """One JSON object per line on stderr."""
    structlog.configure(wrapper_class=structlog.stdlib.BoundLogger, logger_factory=structlog.stdlib.LoggerFactory())
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("apscheduler", "httpx", "alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def build(settings: Settings) -> jobs.Deps:
    """Read the configuration and open everything the jobs need.

    Raises:
        ConfigError: the catalogue or the routing is wrong; before anything was started.
        StoreUnavailable: ClickHouse does not answer.
    """
    catalogue, alerting = load_catalogue(settings.catalogue), load_alerting(settings.alerting)
    if unknown := unknown_hooks(alerting, catalogue.monitors):
        raise ConfigError(unknown)
    for name in migrate(settings.store):
        log.info("migration %s applied", name)
    return _deps(settings, catalogue, alerting)


@contextmanager
def opened(settings: Settings) -> Iterator[jobs.Deps]:
    """The same for a command that looks at what an engine did: it migrates nothing and needs no routing.

    Raises:
        ConfigError: the catalogue is wrong.
    """
    deps = _deps(settings, load_catalogue(settings.catalogue), Alerting.model_validate(NOBODY))
    try:
        yield deps
    finally:
        deps.store.close()
        deps.http.close()
        deps.state.dispose()


def _deps(settings: Settings, catalogue: Catalogue, alerting: Alerting) -> jobs.Deps:
    return jobs.Deps(
        settings=settings,
        catalogue=catalogue,
        alerting=alerting,
        store=Store(settings.store),
        state=open_database(settings.state_url),
        http=httpx.Client(timeout=settings.engine.delivery_timeout_s),
        clock=clock,
        holder=uuid.uuid4().hex,
    )


def run(settings: Settings) -> None:
    """The engine: scheduler, API, console, OTLP door; until SIGTERM or SIGINT."""
    deps = build_with_patience(settings)
    jobs.begin(deps, clock())
    schedule = Schedule()
    schedule.every(settings.engine.tick_s, "tick", lambda: _tick(deps))
    couriers = jobs.Couriers(deps)
    schedule.every(1.0, "deliver", lambda: _deliver(couriers))
    schedule.every(RELOAD_EVERY_S, "reload", lambda: _reload(deps))
    if deps.catalogue.monitors:
        schedule.every(max(DRIFT_EVERY_S, settings.engine.tick_s), "drift", lambda: _watch(deps))
    schedule.start()
    try:
        serve(settings, web_app(deps))
    finally:
        schedule.stop()
        couriers.stop()
        deps.store.close()
        deps.http.close()
        deps.state.dispose()


def build_with_patience(settings: Settings, wait_s: float = 30.0) -> jobs.Deps:
    """The store may still be starting beside us."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return build(settings)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            log.info("waiting for ClickHouse at %s", settings.store.url)
            time.sleep(1)


def _tick(deps: jobs.Deps) -> None:
    jobs.tick(deps, clock().replace(microsecond=0))


def _watch(deps: jobs.Deps) -> None:
    try:
        jobs.watch(deps, clock().replace(microsecond=0))
    except SloengineError as error:
        log.error("drift could not be looked at: %s", error)


def _deliver(couriers: jobs.Couriers) -> None:
    try:
        couriers.turn()
    except SloengineError as error:
        log.error("delivery failed: %s", error)


def _reload(deps: jobs.Deps) -> None:
    try:
        jobs.reload(deps, clock())
    except SloengineError as error:
        log.error("the routing could not be taken up: %s", error)


def web_app(deps: jobs.Deps) -> FastAPI:
    dropped = Dropped("sloengine_otlp_dropped_total", "Items the OTLP door refused.")
    return create_app(
        lambda: deps.snapshot,
        now=clock,
        ready=lambda: deps.snapshot.at is not None,
        metrics=lambda: render(deps.snapshot, clock()) + dropped.render() + deps.left_out.render(),
        routers=_doors(deps, dropped),
        standing=KeptAccounts(deps).of,
    )


def _doors(deps: jobs.Deps, dropped: Dropped) -> list[APIRouter]:
    """Doors for OTLP, labels, baselines and alerts; beyond loopback only with a token, because whoever reaches them writes."""
    web = deps.settings.web
    # Signed, so that it may be open wherever it is reached from.
    signed = [_mlflow(deps, web.mlflow_secret.get_secret_value())] if web.mlflow_secret else []
    token = web.otlp_token.get_secret_value() if web.otlp_token else None
    if token is None and web.host not in LOOPBACK:
        log.warning(
            "the doors for OTLP, labels, baselines, alerts stay shut: set SLOENGINE_WEB__OTLP_TOKEN to open them beyond loopback"
        )
        return signed
    return [
        *signed,
        otlp_router(deps.store.insert, token, DOOR_GATEWAY, clock, count_dropped=dropped.count),
        labels_router(deps.store.insert, token, clock),
        baselines_router(
            lambda monitor: list_baselines(deps, monitor),
            lambda monitor, pin: _pin(deps, monitor, pin),
            token,
        ),
        alertmanager_router(_alert_doors(deps), token, clock),
    ]


def _alert_doors(deps: jobs.Deps) -> AlertDoors:
    return AlertDoors(
        accept=lambda alerts, now: jobs.accept(deps, alerts, now),
        alerts=lambda now: jobs.alerts_now(deps, now),
        silence=lambda wanted, instead_of, now: jobs.silence(deps, wanted, instead_of, now),
        unsilence=lambda one, by, now: jobs.unsilence(deps, one, by, now),
        silences=lambda: jobs.silences(deps),
        receivers=lambda: [receiver.name for receiver in deps.alerting.receivers],
    )


def _pin(deps: jobs.Deps, monitor: str, said: Pin | Handed) -> Outcome:
    now = clock().replace(microsecond=0)
    return pin_handed(deps, monitor, said, now) if isinstance(said, Handed) else pin_baseline(deps, monitor, said, now)


def _mlflow(deps: jobs.Deps, secret: str) -> APIRouter:
    def take(given: BaselineGiven) -> Outcome:
        reason = f"{TAG}{given.monitor} of {given.model} {given.version}"
        try:
            histogram = json.loads(given.text)
        except (ValueError, RecursionError):
            return Outcome(f"{reason} is not JSON", {}, WRONG_USE)
        return _pin(deps, given.monitor, Handed("", given.model, given.version, histogram, "mlflow", reason))

    return mlflow_router(take, secret, clock)


def serve(settings: Settings, app: FastAPI) -> None:
    config = uvicorn.Config(
        app, host=settings.web.host, port=settings.web.port, log_config=None, access_log=False, server_header=False
    )
    uvicorn.Server(config).run()
