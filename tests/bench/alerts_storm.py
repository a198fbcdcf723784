"""Ten thousand alerts in a hundred groups, raised at once over HTTP: how fast they are durable, and how soon a safety alert among
them arrives while all of it is being told.

Beside it, in the same run, a real Alertmanager takes the same bodies into memory, if Debian's is installed.
"""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from bench_store import entry
from fastapi import FastAPI

from sloengine import jobs
from sloengine.app import _alert_doors, clock
from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings
from sloengine.gameday.pager import Pager
from sloengine.model import Catalogue
from sloengine.state.database import open_database
from sloengine.store.client import Store
from sloengine.web.alertmanager import router

ALERTS, GROUPS, ROUNDS = 10_000, 100, 5
RATE_GOAL, SAFETY_GOAL_S = 5_000.0, 10.0
PATH = "/api/v2/alerts"
ROUTE = {
    "receiver": "on-call",
    "group_by": ["region", "round"],
    "group_wait": "1s",
    "group_interval": "1h",
    "routes": [{"receiver": "safety", "matchers": ['kind="safety"'], "safety": True, "group_wait": "0s"}],
}


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as (deps, url, pager):
        ours = statistics.median(_raise(url, n) for n in range(ROUNDS))
        safety_s = _safety(deps, url, pager)
        notifications = len(pager.bodies) - 1
    if notifications != GROUPS * ROUNDS:
        raise RuntimeError(f"{notifications} notifications of {GROUPS * ROUNDS} groups")
    peer = _peer()
    detail = f"Alertmanager, into memory: {peer:,.0f}" if peer else "no Alertmanager is installed to compare with"
    rate = entry("alerts raised over HTTP and durable", ours, RATE_GOAL, unit="alerts/s", detail=detail)
    return [
        rate | {"better": "higher", "ok": ours >= RATE_GOAL},
        entry("a safety alert during a storm of 50,000", safety_s, SAFETY_GOAL_S, unit="s"),
    ]


@contextmanager
def engine(folder: Path) -> Iterator[tuple[jobs.Deps, str, Pager]]:
    pager = Pager()
    receivers = [{"name": n, "webhook_configs": [{"url": f"{pager.url}/{n}"}]} for n in ("on-call", "safety")]
    settings = Settings(state_url=f"sqlite:///{folder}/state.db")
    deps = jobs.Deps(
        settings=settings,
        catalogue=Catalogue((), ()),
        alerting=Alerting.model_validate({"route": ROUTE, "receivers": receivers}),
        store=Store(settings.store),
        state=open_database(settings.state_url),
        http=httpx.Client(),
        clock=clock,
        holder="bench",
    )
    app = FastAPI()
    app.include_router(router(_alert_doors(deps), None, clock))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield deps, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", pager
    server.should_exit = True
    thread.join()
    deps.http.close()
    deps.state.dispose()
    pager.close()


def _raise(url: str, number: int) -> float:
    """Alerts a second, from the first byte to the answer."""
    body = json.dumps([{"labels": _labels(n, number)} for n in range(ALERTS)])
    with httpx.Client(timeout=60) as client:
        began = time.perf_counter()
        client.post(url + PATH, content=body, headers={"Content-Type": "application/json"}).raise_for_status()
        return ALERTS / (time.perf_counter() - began)


def _labels(n: int, number: int) -> dict[str, str]:
    return {
        "alertname": "InferenceSlow",
        "severity": "page",
        "cluster": "edge",
        "model": "digits",
        "region": f"region-{n % GROUPS}",
        "device": f"device-{n}",
        "round": str(number),
    }


def _safety(deps: jobs.Deps, url: str, pager: Pager) -> float:
    """Seconds from raising it to its arrival, while the groups of all rounds are told."""
    couriers, arrived, stop = jobs.Couriers(deps), threading.Event(), threading.Event()

    def turns() -> None:
        while not stop.is_set():
            couriers.turn()
            if any(body["receiver"] == "safety" for body in pager.bodies):
                arrived.set()
            time.sleep(0.1)

    thread = threading.Thread(target=turns)
    thread.start()
    began = time.perf_counter()
    alert = {"labels": {"alertname": "IntegrityFailure", "kind": "safety"}, "startsAt": datetime.now(UTC).isoformat()}
    httpx.post(url + PATH, json=[alert], timeout=60).raise_for_status()
    arrived.wait(120)
    took = time.perf_counter() - began
    deadline = time.monotonic() + 300
    while len(pager.bodies) <= GROUPS * ROUNDS and time.monotonic() < deadline:
        time.sleep(0.2)
    stop.set()
    thread.join()
    couriers.stop()
    return took


def _peer() -> float | None:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        file = Path(folder) / "alertmanager.yml"
        file.write_text("route: {receiver: a, group_by: [region, round]}\nreceivers: [{name: a}]\n")
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        words = [
            f"--config.file={file}",
            f"--storage.path={folder}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        process = subprocess.Popen([program, *words], stderr=subprocess.DEVNULL)
        try:
            _wait(f"http://{address}/-/ready")
            return statistics.median(_raise(f"http://{address}", n) for n in range(ROUNDS))
        finally:
            process.kill()
            process.wait()


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            if httpx.get(url).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers at {url}")
